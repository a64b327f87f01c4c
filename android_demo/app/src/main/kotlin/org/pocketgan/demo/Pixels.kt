package org.pocketgan.demo

import android.graphics.Bitmap
import java.nio.ByteBuffer
import kotlin.math.abs

/** From what a model draws, values from [low] to [high], to levels from 0 to 255. */
class Pixels(private val output: TensorSpec, private val low: Double, private val high: Double) {
    val height = output.shape[1]
    val width = output.shape[2]
    private val channels = output.shape[3]

    // An 8-bit output has 256 values only.
    private val levels: IntArray? =
        if (output.type == ElementType.INT8) IntArray(256) { level(output.real(it - 128L)) } else null

    private fun level(value: Double): Int =
        Math.rint((value - low) / (high - low) * 255).toInt().coerceIn(0, 255)

    fun level(drawn: ByteBuffer, index: Int): Int = when {
        levels != null -> levels[drawn.get(index) + 128]
        output.type == ElementType.FLOAT32 -> level(drawn.getFloat(4 * index).toDouble())
        else -> level(output.real(output.stored(drawn, index)))
    }

    /** Opaque colours of one picture, row after row. Allocates nothing. */
    fun paint(drawn: ByteBuffer, colours: IntArray) {
        for (pixel in 0 until height * width) {
            val first = level(drawn, pixel * channels)
            colours[pixel] = if (channels == 1) {
                colour(first, first, first)
            } else {
                colour(
                    first,
                    level(drawn, pixel * channels + 1),
                    level(drawn, pixel * channels + 2),
                )
            }
        }
    }
}

fun colour(red: Int, green: Int, blue: Int): Int =
    (0xff shl 24) or (red shl 16) or (green shl 8) or blue

/** How far two pictures lie apart, in levels of 255. */
data class Difference(val largest: Int, val mean: Double) {
    companion object {
        /** Of colours [a] and [b]; [shown] gets the differences, [AMPLIFIED] times as strong. */
        fun of(a: IntArray, b: IntArray, shown: IntArray): Difference {
            var largest = 0
            var sum = 0L
            for (pixel in a.indices) {
                val red = abs((a[pixel] shr 16 and 0xff) - (b[pixel] shr 16 and 0xff))
                val green = abs((a[pixel] shr 8 and 0xff) - (b[pixel] shr 8 and 0xff))
                val blue = abs((a[pixel] and 0xff) - (b[pixel] and 0xff))
                largest = maxOf(largest, red, green, blue)
                sum += red + green + blue
                shown[pixel] = colour(amplify(red), amplify(green), amplify(blue))
            }
            return Difference(largest, sum / (3.0 * a.size))
        }

        /** Of pictures of one size, row by row; [shown] gets the differences. */
        fun of(a: Bitmap, b: Bitmap, shown: Bitmap): Difference {
            val rows = List(3) { IntArray(a.width) }
            val all = List(a.height) { y ->
                a.getPixels(rows[0], 0, a.width, 0, y, a.width, 1)
                b.getPixels(rows[1], 0, a.width, 0, y, a.width, 1)
                of(rows[0], rows[1], rows[2]).also {
                    shown.setPixels(rows[2], 0, a.width, 0, y, a.width, 1)
                }
            }
            return Difference(all.maxOf { it.largest }, all.map { it.mean }.average())
        }

        private fun amplify(level: Int) = minOf(255, level * AMPLIFIED)

        const val AMPLIFIED = 8
    }
}
