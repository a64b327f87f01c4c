package org.pocketgan.demo

import android.util.Size
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

/** How far values lie apart: in steps of an integer type, in real units for floats. */
data class Agreement(val values: Int, val differing: Int, val largest: Double) {
    val equal get() = differing == 0
}

/** What the golden vectors of a bundle say of this device. */
class Proof(
    val model: Model,
    val count: Int,
    /** Latents drawn here by seed against the golden ones, in real units; null where none are read. */
    val latents: Agreement?,
    /** Golden latents or pictures quantized here against the golden inputs. */
    val inputs: Agreement,
    /** Golden inputs drawn here against the golden outputs. */
    val outputs: Agreement,
    /** The same against the outputs of a runtime without XNNPACK, where the bundle has them. */
    val plain: Agreement?,
    /** Colours of each picture drawn here, and of the golden ones. */
    val drawn: List<IntArray>,
    val golden: List<IntArray>,
) {
    companion object {
        fun of(generator: Generator, bundles: Bundles, variant: String): Proof {
            val model = generator.model
            val count = model.goldenCount
            val inputs = model.input.copy(shape = listOf(count) + model.input.shape.drop(1))
            val outputs = model.output.copy(shape = listOf(count) + model.output.shape.drop(1))
            val goldenInputs = bundles.golden(variant, "inputs.bin", inputs.bytes)
            val goldenOutputs = bundles.golden(variant, "outputs.bin", outputs.bytes)
            val plain =
                if (model.goldenPlain) bundles.golden(variant, "plain.bin", outputs.bytes) else null

            val quantized = inputs.buffer()
            val latents = when (val reads = model.reads) {
                is LatentSpec -> quantizeLatents(reads, inputs, bundles, variant, quantized)
                is PictureSpec -> null.also { quantizePictures(reads, inputs, bundles, variant, quantized) }
            }
            val drawn = outputs.buffer()
            for (picture in 0 until count) {
                generator.run { it.put(goldenInputs.part(picture, model.input.bytes)).rewind() }
                drawn.put(generator.drawn.part(0, model.output.bytes))
            }
            return Proof(
                model,
                count,
                latents,
                compare(inputs, quantized, goldenInputs),
                compare(outputs, drawn, goldenOutputs),
                plain?.let { compare(outputs, drawn, it) },
                pictures(model, count, drawn),
                pictures(model, count, goldenOutputs),
            )
        }

        /** Fills [quantized] with the golden latents; how far those of the seeds are from them. */
        private fun quantizeLatents(
            latent: LatentSpec,
            inputs: TensorSpec,
            bundles: Bundles,
            variant: String,
            quantized: ByteBuffer,
        ): Agreement {
            val real = TensorSpec("", ElementType.FLOAT32, inputs.shape)
            val golden = bundles.golden(variant, "latents.f32", real.bytes)
            val seeded = real.buffer()
            for (seed in 0 until inputs.shape[0]) {
                val label = seed % maxOf(latent.classNames.size, 1)
                for (value in latent.draw(seed.toLong(), label)) seeded.putFloat(value)
            }
            inputs.encode(FloatArray(real.elements) { golden.getFloat(4 * it) }, quantized)
            return compare(real, seeded, golden)
        }

        /** Fills [quantized] with the golden pictures, and their masks. */
        private fun quantizePictures(
            picture: PictureSpec,
            inputs: TensorSpec,
            bundles: Bundles,
            variant: String,
            quantized: ByteBuffer,
        ) {
            val (count, height, width) = inputs.shape
            val size = Size(width, height)
            val pictures = bundles.goldenPictures(variant, "pictures.png", size, count)
            val masks = if (picture.mask) bundles.goldenPictures(variant, "masks.png", size, count) else null
            val one = inputs.copy(shape = listOf(1) + inputs.shape.drop(1))
            val buffer = one.buffer()
            for (number in 0 until count) {
                picture.encode(pictures[number], masks?.get(number), one, buffer)
                quantized.put(buffer)
            }
        }

        /** [a] and [b] value by value. */
        fun compare(spec: TensorSpec, a: ByteBuffer, b: ByteBuffer): Agreement {
            var differing = 0
            var largest = 0.0
            for (index in 0 until spec.elements) {
                val distance = if (spec.type == ElementType.FLOAT32) {
                    abs(a.getFloat(4 * index).toDouble() - b.getFloat(4 * index))
                } else {
                    abs(spec.stored(a, index) - spec.stored(b, index)).toDouble()
                }
                if (distance != 0.0) differing += 1 // NaN counts
                largest = maxOf(largest, distance)
            }
            return Agreement(spec.elements, differing, largest)
        }

        private fun pictures(model: Model, count: Int, all: ByteBuffer): List<IntArray> {
            val pixels = model.pixels()
            return List(count) { picture ->
                IntArray(pixels.width * pixels.height).also {
                    pixels.paint(all.part(picture, model.output.bytes), it)
                }
            }
        }

        private fun ByteBuffer.part(number: Int, bytes: Int): ByteBuffer {
            val whole = duplicate()
            whole.limit((number + 1) * bytes).position(number * bytes)
            return whole.slice().order(ByteOrder.LITTLE_ENDIAN)
        }
    }
}
