package org.pocketgan.demo

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The element types of inputs and outputs, by numpy's names. */
enum class ElementType(val size: Int, val min: Long = 0, val max: Long = 0) {
    FLOAT32(4),
    INT8(1, -128, 127),
    UINT8(1, 0, 255),
    INT16(2, -32768, 32767),
    INT32(4, Int.MIN_VALUE.toLong(), Int.MAX_VALUE.toLong()),
    INT64(8, Long.MIN_VALUE, Long.MAX_VALUE),
    BOOL(1, 0, 1);

    val numpyName get() = name.lowercase()

    companion object {
        fun of(numpyName: String) = entries.find { it.numpyName == numpyName }
    }
}

/**
 * An input or output of a model. A stored q stands for (q - [zeroPoint]) · [scale]; where values
 * are not quantized [scale] is 0.
 */
data class TensorSpec(
    val name: String,
    val type: ElementType,
    val shape: List<Int>,
    val scale: Double = 0.0,
    val zeroPoint: Int = 0,
) {
    val elements get() = shape.fold(1) { product, size -> product * size }
    val bytes get() = elements * type.size

    /** What matters of a tensor, in words: names differ between a file and its signature. */
    val form get() = "${type.numpyName} $shape, scale ${scale.toFloat()}, zero point $zeroPoint"

    /** A buffer that the runtime reads and writes in place. */
    fun buffer(): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN)

    /** A real value as it is stored: round(v / scale), half to even, + zero point, clipped. */
    fun quantize(value: Double): Long =
        (Math.rint(value / scale) + zeroPoint).toLong().coerceIn(type.min, type.max)

    fun real(stored: Long): Double = (stored - zeroPoint) * scale

    /** Write real values from the start of [target]. Allocates nothing. */
    fun encode(values: FloatArray, target: ByteBuffer) {
        target.rewind()
        if (type == ElementType.FLOAT32) {
            for (value in values) target.putFloat(value)
        } else {
            for (value in values) put(quantize(value.toDouble()), target)
        }
        target.rewind()
    }

    fun put(stored: Long, target: ByteBuffer) {
        when (type.size) {
            1 -> target.put(stored.toByte())
            2 -> target.putShort(stored.toShort())
            4 -> target.putInt(stored.toInt())
            else -> target.putLong(stored)
        }
    }

    /** The stored integer at [index]. */
    fun stored(source: ByteBuffer, index: Int): Long = when (type) {
        ElementType.INT8 -> source.get(index).toLong()
        ElementType.UINT8, ElementType.BOOL -> source.get(index).toLong() and 0xff
        ElementType.INT16 -> source.getShort(2 * index).toLong()
        ElementType.INT32 -> source.getInt(4 * index).toLong()
        else -> source.getLong(8 * index)
    }
}
