package org.pocketgan.demo

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
    /** Latents drawn here by seed against the golden ones, in real units. */
    val latents: Agreement,
    /** Golden latents quantized here against the golden inputs. */
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
            val latents = model.latent.run { TensorSpec("", ElementType.FLOAT32, listOf(count, width)) }
            val inputs = model.input.copy(shape = listOf(count, model.latent.width))
            val outputs = model.output.copy(shape = listOf(count) + model.output.shape.drop(1))
            val goldenLatents = bundles.golden(variant, "latents.f32", latents.bytes)
            val goldenInputs = bundles.golden(variant, "inputs.bin", inputs.bytes)
            val goldenOutputs = bundles.golden(variant, "outputs.bin", outputs.bytes)
            val plain =
                if (model.goldenPlain) bundles.golden(variant, "plain.bin", outputs.bytes) else null

            val seeded = latents.buffer()
            for (seed in 0 until count) {
                val label = seed % maxOf(model.latent.classNames.size, 1)
                for (value in model.latent.draw(seed.toLong(), label)) seeded.putFloat(value)
            }
            val quantized = inputs.buffer()
            inputs.encode(FloatArray(latents.elements) { goldenLatents.getFloat(4 * it) }, quantized)
            val drawn = outputs.buffer()
            for (picture in 0 until count) {
                generator.run { it.put(goldenInputs.part(picture, model.input.bytes)).rewind() }
                drawn.put(generator.drawn.part(0, model.output.bytes))
            }
            return Proof(
                model,
                count,
                compare(latents, seeded, goldenLatents),
                compare(inputs, quantized, goldenInputs),
                compare(outputs, drawn, goldenOutputs),
                plain?.let { compare(outputs, drawn, it) },
                pictures(model, count, drawn),
                pictures(model, count, goldenOutputs),
            )
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
