package org.pocketgan.demo

import java.nio.ByteBuffer
import org.bytedeco.javacpp.Pointer
import org.bytedeco.tensorflowlite.TfLiteInterpreter
import org.bytedeco.tensorflowlite.TfLiteModel
import org.bytedeco.tensorflowlite.TfLiteTensor
import org.bytedeco.tensorflowlite.global.tensorflowlite.*

/** TensorFlow Lite of this machine, through its C interface. It has no GPU. */
class DesktopRuntime : Runtime {
    override val name = "tensorflow-lite"
    override val version: String get() = TfLiteVersion().string

    /** Sessions opened so far, and those of them that nobody has closed yet. */
    var opened = 0
        private set
    var open = 0
        private set

    override fun open(model: ByteBuffer, settings: Settings): Session {
        if (settings.delegate == Delegate.GPU) throw BadInput("this machine has no GPU")
        val file = TfLiteModelCreate(Pointer(model), model.capacity().toLong())
            ?: throw IllegalArgumentException("the file is no model")
        val options = TfLiteInterpreterOptionsCreate()
        TfLiteInterpreterOptionsSetNumThreads(options, settings.threads)
        val interpreter = TfLiteInterpreterCreate(file, options)
            ?: throw IllegalArgumentException("no interpreter can be made of the file")
        check(TfLiteInterpreterAllocateTensors(interpreter) == 0) { "tensors cannot be allocated" }
        TfLiteInterpreterOptionsDelete(options)
        opened += 1
        open += 1
        return DesktopSession(model, file, interpreter) { open -= 1 }
    }
}

private class DesktopSession(
    @Suppress("unused") private val content: ByteBuffer, // stays mapped as long as the session
    private val model: TfLiteModel,
    private val interpreter: TfLiteInterpreter,
    private val closed: () -> Unit,
) : Session {
    private val entries = List(TfLiteInterpreterGetInputTensorCount(interpreter)) {
        TfLiteInterpreterGetInputTensor(interpreter, it)
    }
    private val exits = List(TfLiteInterpreterGetOutputTensorCount(interpreter)) {
        TfLiteInterpreterGetOutputTensor(interpreter, it)
    }
    override val inputs = entries.map(::spec)
    override val outputs = exits.map(::spec)
    override val inputBuffers = inputs.map { it.buffer() }
    override val outputBuffers = outputs.map { it.buffer() }

    override fun run(): Long {
        entries.zip(inputBuffers).forEach { (tensor, buffer) ->
            buffer.rewind()
            TfLiteTensorCopyFromBuffer(tensor, Pointer(buffer), buffer.capacity().toLong())
        }
        val start = System.nanoTime()
        check(TfLiteInterpreterInvoke(interpreter) == 0) { "the inference failed" }
        val taken = System.nanoTime() - start
        exits.zip(outputBuffers).forEach { (tensor, buffer) ->
            buffer.rewind()
            TfLiteTensorCopyToBuffer(tensor, Pointer(buffer), buffer.capacity().toLong())
        }
        return taken
    }

    override fun close() {
        TfLiteInterpreterDelete(interpreter)
        TfLiteModelDelete(model)
        closed()
    }

    private fun spec(tensor: TfLiteTensor): TensorSpec {
        val type = when (TfLiteTensorType(tensor)) {
            kTfLiteFloat32 -> ElementType.FLOAT32
            kTfLiteInt8 -> ElementType.INT8
            kTfLiteInt16 -> ElementType.INT16
            else -> throw BadInput("a tensor of a type that these tests do not know")
        }
        val quantization = TfLiteTensorQuantizationParams(tensor)
        return TensorSpec(
            TfLiteTensorName(tensor).string,
            type,
            List(TfLiteTensorNumDims(tensor)) { TfLiteTensorDim(tensor, it) },
            quantization.scale().toDouble(),
            quantization.zero_point(),
        )
    }
}
