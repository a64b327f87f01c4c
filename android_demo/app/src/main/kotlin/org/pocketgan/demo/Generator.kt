package org.pocketgan.demo

import java.io.Closeable
import java.nio.ByteBuffer

/** A bundle's model, open and ready to draw. One thread at a time. */
class Generator private constructor(
    val model: Model,
    private val session: Session,
    /** What was asked for and could not be had, in words; null where nothing is amiss. */
    val note: String?,
) : Closeable {
    private val pixels = model.pixels()
    val width get() = pixels.width
    val height get() = pixels.height

    /** What the model drew last, as it is stored. */
    val drawn: ByteBuffer get() = session.outputBuffers[0]

    /** Draw [latent] into [colours]; gives the nanoseconds of the inference. Allocates nothing. */
    fun draw(latent: FloatArray, colours: IntArray): Long {
        model.input.encode(latent, session.inputBuffers[0])
        val nanoseconds = session.run()
        pixels.paint(drawn, colours)
        return nanoseconds
    }

    /**
     * Draw a picture of the input's size, [read], and its [mask] where one is read, into [colours];
     * gives the nanoseconds of the inference.
     */
    fun draw(read: IntArray, mask: IntArray?, colours: IntArray): Long {
        model.picture.encode(read, mask, model.input, session.inputBuffers[0])
        val nanoseconds = session.run()
        pixels.paint(drawn, colours)
        return nanoseconds
    }

    /** Run what [fill] writes into the input, as it is stored. */
    fun run(fill: (ByteBuffer) -> Unit) {
        fill(session.inputBuffers[0])
        session.run()
    }

    override fun close() = session.close()

    companion object {
        /**
         * Open the bundle of [variant]. Where the GPU cannot be had the CPU takes its place, and
         * [note] says so.
         *
         * @throws BadInput the bundle, or the file in it, is not as its `model.json` says.
         */
        fun open(bundles: Bundles, variant: String, runtime: Runtime, settings: Settings): Generator {
            val model = bundles.model(variant)
            val file = bundles.map(variant, model)
            if (settings.delegate != Delegate.GPU) {
                return Generator(model, opened(runtime, model, file, settings), null)
            }
            return try {
                Generator(model, opened(runtime, model, file, settings), null)
            } catch (error: Exception) {
                val cpu = settings.copy(delegate = Delegate.XNNPACK)
                Generator(model, opened(runtime, model, file, cpu), describe(error))
            }
        }

        private fun opened(
            runtime: Runtime,
            model: Model,
            file: ByteBuffer,
            settings: Settings,
        ): Session {
            val session = try {
                runtime.open(file, settings)
            } catch (error: RuntimeException) {
                throw BadInput("bundle ${model.variant}: generator.tflite: ${describe(error)}")
            }
            try {
                check("input", listOf(model.input), session.inputs)
                check("output", listOf(model.output), session.outputs)
            } catch (error: BadInput) {
                session.close()
                throw BadInput("bundle ${model.variant}: ${error.message}")
            }
            return session
        }

        private fun check(place: String, told: List<TensorSpec>, found: List<TensorSpec>) {
            if (told.map { it.form } != found.map { it.form }) {
                throw BadInput(
                    "the $place of generator.tflite is ${found.joinToString { it.form }}; " +
                        "model.json says ${told.joinToString { it.form }}"
                )
            }
        }
    }
}
