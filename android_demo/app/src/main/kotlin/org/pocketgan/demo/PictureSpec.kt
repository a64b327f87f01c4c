package org.pocketgan.demo

import java.nio.ByteBuffer

/** What a generator reads: latents, or pictures. */
sealed interface Reads

/** Input pictures of [width] × [height]. A level from 0 to 255 is low + (high - low) · level / 255. */
class PictureSpec(
    val width: Int,
    val height: Int,
    low: Double,
    high: Double,
    private val colours: Int,
    /** One more channel, the last: 255 where the picture is hidden, else 0. */
    val mask: Boolean,
    /** What stands in the picture where its mask hides it; null where no mask is read. */
    val hidden: Int?,
    /** How larger pictures are drawn; null where a picture can only be scaled to what is read. */
    val tiles: Tiles?,
) : Reads {
    val depth get() = colours + if (mask) 1 else 0
    val hiddenColour get() = 0xFF shl 24 or (hidden ?: 0) * 0x010101
    private val real = DoubleArray(256) { low + (high - low) * it / 255 }

    /** Write ARGB [pixels], and [mask] by its lowest byte, into [target] as [input] stores them. */
    fun encode(pixels: IntArray, mask: IntArray?, input: TensorSpec, target: ByteBuffer) {
        target.rewind()
        for (place in pixels.indices) {
            val pixel = pixels[place]
            if (colours == 1) {
                put(luma(pixel), input, target)
            } else {
                put(pixel shr 16 and 255, input, target)
                put(pixel shr 8 and 255, input, target)
                put(pixel and 255, input, target)
            }
            if (mask != null) put(mask[place] and 255, input, target)
        }
        target.rewind()
    }

    private fun put(level: Int, input: TensorSpec, target: ByteBuffer) {
        if (input.type == ElementType.FLOAT32) target.putFloat(real[level].toFloat())
        else input.put(input.quantize(real[level]), target)
    }

    /** Grey as the pipeline makes it: by ITU-R 601, in 65,536ths. */
    private fun luma(pixel: Int): Int =
        19595 * (pixel shr 16 and 255) + 38470 * (pixel shr 8 and 255) + 7471 * (pixel and 255) + 32768 shr 16
}
