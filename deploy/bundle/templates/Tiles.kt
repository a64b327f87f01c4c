/**
 * A picture of any size in tiles of the one size that a file reads. They overlap by twice [margin]
 * pixels; where they are [seamless] they are cut in the middle of that, else blended across it.
 *
 * @property scale pixels drawn for each pixel read, along a side
 * @property multiple a tile begins at a multiple of it
 */
class Tiles(
    val width: Int,
    val height: Int,
    val scale: Int,
    private val multiple: Int,
    private val margin: Int,
    private val seamless: Boolean,
) {
    /** How many tiles a picture of so many pixels takes. */
    fun count(width: Int, height: Int): Int =
        starts(width, this.width).size * starts(height, this.height).size

    /**
     * What becomes of a picture of [width] × [height] pixels: ARGB, row after row, [scale] times as wide and
     * high. [draw] gives what the file draws of the tile at (left, top), in an array that it may use
     * again. Besides the result a row of tiles is held. [progress] is told the share that is done;
     * nothing comes back if it answers false.
     */
    fun filter(
        width: Int,
        height: Int,
        progress: (Float) -> Boolean,
        draw: (left: Int, top: Int) -> IntArray,
    ): IntArray? {
        val tops = starts(height, this.height)
        val lefts = starts(width, this.width)
        val wide = (lefts.last() + this.width) * scale
        val strip = IntArray(wide * this.height * scale)
        val result = IntArray(width * scale * height * scale)
        for ((row, top) in tops.withIndex()) {
            for ((column, left) in lefts.withIndex()) {
                val tile = draw(left, top)
                for (place in tile.indices) {
                    val x = place % (this.width * scale)
                    val at = place / (this.width * scale) * wide + left * scale + x
                    strip[at] = mixed(strip[at], tile[place], weight(x, column))
                }
                if (!progress((row * lefts.size + column + 1f) / (tops.size * lefts.size))) return null
            }
            for (y in 0 until minOf(this.height, height - top) * scale) {
                for (x in 0 until width * scale) {
                    val at = (top * scale + y) * width * scale + x
                    result[at] = mixed(result[at], strip[y * wide + x], weight(y, row))
                }
            }
        }
        return result
    }

    /** Where tiles begin along a side: the last one ends with the picture, or a little beyond it. */
    private fun starts(length: Int, tile: Int): List<Int> {
        val last = maxOf(tile, (length + multiple - 1) / multiple * multiple) - tile
        return (0 until last step tile - 2 * margin) + last
    }

    /** How much of pixel [at] along a side is the tile's, where the one before it has drawn, too. */
    private fun weight(at: Int, number: Int): Double {
        val overlap = 2 * margin * scale
        if (number == 0 || at >= overlap) return 1.0
        return if (seamless) (if (2 * at >= overlap) 1.0 else 0.0) else (at + 0.5) / overlap
    }

    /** Two ARGB pixels: the share [weight] of the second. */
    private fun mixed(old: Int, pixel: Int, weight: Double): Int {
        if (weight == 1.0) return pixel
        if (weight == 0.0) return old
        var sum = 0xFF shl 24
        for (shift in 0..16 step 8) {
            val level = old shr shift and 255
            sum = sum or ((level + ((pixel shr shift and 255) - level) * weight + 0.5).toInt() shl shift)
        }
        return sum
    }
}
