package org.pocketgan.demo

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Latents of a job, real numbers [rows, length]. */
class Latents(val rows: Int, val length: Int, private val values: FloatArray) {
    fun row(number: Int): FloatArray = values.copyOfRange(number * length, (number + 1) * length)

    companion object {
        private val HEADER = Regex(
            "\\{'descr': '<f4', 'fortran_order': False, 'shape': \\((\\d{1,9}), (\\d{1,9})\\), \\}\\s*"
        )
        private const val MAGIC = "\u0093NUMPY\u0001\u0000"
        private const val PROLOGUE = 10

        /** Read a .npy file as numpy writes it (version 1.0). */
        fun parse(content: ByteArray): Latents =
            read(content) ?: throw BadInput("latents must be a .npy file, float32 [N, L], N ≥ 1")

        private fun read(content: ByteArray): Latents? {
            val text = String(content, Charsets.ISO_8859_1)
            if (!text.startsWith(MAGIC) || content.size < PROLOGUE) return null
            val buffer = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
            val start = PROLOGUE + (buffer.getShort(PROLOGUE - 2).toInt() and 0xffff)
            val header = HEADER.matchEntire(text.take(start).drop(PROLOGUE)) ?: return null
            val (rows, length) = header.destructured.toList().map { it.toLong() }
            if (rows * length == 0L || 4 * rows * length != content.size.toLong() - start) return null
            val values = FloatArray((rows * length).toInt()) { buffer.getFloat(start + 4 * it) }
            if (!values.all(Float::isFinite)) throw BadInput("latents must be finite numbers")
            return Latents(rows.toInt(), length.toInt(), values)
        }
    }
}
