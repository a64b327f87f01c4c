package org.pocketgan.demo

import java.nio.ByteBuffer
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor
import org.tensorflow.lite.TensorFlowLite
import org.tensorflow.lite.gpu.GpuDelegate

/** TensorFlow Lite for Android. */
class TfliteRuntime : Runtime {
    override val name = "tensorflow-lite"
    override val version: String get() = TensorFlowLite.runtimeVersion()

    override fun open(model: ByteBuffer, settings: Settings): Session {
        val gpu = if (settings.delegate == Delegate.GPU) openGpu() else null
        val options = Interpreter.Options()
            .setNumThreads(settings.threads)
            .setUseXNNPACK(settings.delegate == Delegate.XNNPACK)
        gpu?.let(options::addDelegate)
        try {
            return TfliteSession(Interpreter(model, options), gpu)
        } catch (error: Throwable) {
            gpu?.close()
            throw error
        }
    }

    /** A device without OpenCL or OpenGL ES 3.1 fails in one of several ways. */
    private fun openGpu(): GpuDelegate = try {
        GpuDelegate()
    } catch (error: LinkageError) {
        throw BadInput("the GPU library does not load: ${error.message}")
    }
}

private class TfliteSession(
    private val interpreter: Interpreter,
    private val gpu: GpuDelegate?,
) : Session {
    override val inputs = List(interpreter.inputTensorCount) { spec(interpreter.getInputTensor(it)) }
    override val outputs =
        List(interpreter.outputTensorCount) { spec(interpreter.getOutputTensor(it)) }
    override val inputBuffers = inputs.map { it.buffer() }
    override val outputBuffers = outputs.map { it.buffer() }

    // Made once, since each frame needs them.
    private val feed = inputBuffers.toTypedArray<Any>()
    private val drawn = outputBuffers.withIndex().associate { it.index to it.value as Any }

    override fun run(): Long {
        for (buffer in inputBuffers) buffer.rewind()
        for (buffer in outputBuffers) buffer.rewind()
        interpreter.runForMultipleInputsOutputs(feed, drawn)
        return interpreter.lastNativeInferenceDurationNanoseconds
    }

    override fun close() {
        interpreter.close()
        gpu?.close()
    }

    private fun spec(tensor: Tensor): TensorSpec {
        val type = when (tensor.dataType()) {
            DataType.FLOAT32 -> ElementType.FLOAT32
            DataType.INT8 -> ElementType.INT8
            DataType.UINT8 -> ElementType.UINT8
            DataType.INT16 -> ElementType.INT16
            DataType.INT32 -> ElementType.INT32
            DataType.INT64 -> ElementType.INT64
            DataType.BOOL -> ElementType.BOOL
            else -> throw BadInput("${tensor.name()} is of type ${tensor.dataType()}")
        }
        val quantization = tensor.quantizationParams()
        return TensorSpec(
            tensor.name(),
            type,
            tensor.shape().toList(),
            quantization.scale.toDouble(),
            quantization.zeroPoint,
        )
    }
}
