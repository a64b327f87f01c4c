package org.pocketgan.demo

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** A picture drawn in tiles is the picture drawn as a whole. */
class TilesTest {
    private fun level(x: Int, y: Int) = (x * 37 + y * 101 + x * y) % 256

    /** What a network that looks [reach] pixels far draws of the rectangle at (left, top): black beyond it. */
    private fun blurred(left: Int, top: Int, width: Int, height: Int, reach: Int, scale: Int = 1) =
        IntArray(width * height * scale * scale) { place ->
            val x = place % (width * scale) / scale
            val y = place / (width * scale) / scale
            var sum = 0
            for (v in maxOf(0, y - reach)..minOf(height - 1, y + reach)) {
                for (u in maxOf(0, x - reach)..minOf(width - 1, x + reach)) sum += level(left + u, top + v)
            }
            val mean = sum / (2 * reach + 1) / (2 * reach + 1)
            colour(mean, mean / 2, 255 - mean)
        }

    @Test
    fun `tiles that overlap as far as a network looks leave no seam`() {
        for (scale in 1..2) {
            val tiles = Tiles(16, 12, scale, 1, 3, true)
            for ((width, height) in listOf(16 to 12, 17 to 12, 43 to 31, 20 to 60)) {
                val drawn = tiles.filter(width, height, { true }) { left, top ->
                    blurred(left, top, 16, 12, 3, scale)
                }
                assertArrayEquals("$width × $height", blurred(0, 0, width, height, 3, scale), drawn)
            }
        }
    }

    @Test
    fun `tiles that overlap by less do leave seams`() {
        val drawn = Tiles(16, 12, 1, 1, 2, true).filter(43, 31, { true }) { left, top ->
            blurred(left, top, 16, 12, 3)
        }
        assertTrue(!blurred(0, 0, 43, 31, 3).contentEquals(drawn))
    }

    @Test
    fun `where tiles are blended an even picture stays even`() {
        val even = colour(200, 3, 77)
        val drawn = Tiles(8, 8, 1, 1, 1, false).filter(21, 13, { true }) { _, _ -> IntArray(64) { even } }!!
        assertEquals(setOf(even), drawn.toSet())
    }

    @Test
    fun `a blend goes from one tile to the next in even steps`() {
        val drawn = Tiles(8, 8, 1, 1, 2, false).filter(12, 8, { true }) { left, _ ->
            IntArray(64) { if (left == 0) colour(0, 0, 0) else colour(80, 80, 80) }
        }!!
        assertEquals(listOf(0, 10, 30, 50, 70, 80), (3..8).map { drawn[it] and 255 })
    }

    @Test
    fun `a picture smaller than a tile is cut out of one`() {
        val tiles = Tiles(16, 12, 2, 4, 2, true)
        assertEquals(1, tiles.count(5, 3))
        assertEquals(10 * 6, tiles.filter(5, 3, { true }) { _, _ -> IntArray(32 * 24) }!!.size)
    }

    @Test
    fun `progress rises to one, and no ends it`() {
        val tiles = Tiles(16, 12, 1, 1, 2, true)
        val shares = ArrayList<Float>()
        tiles.filter(60, 40, { shares.add(it) }) { _, _ -> IntArray(16 * 12) }
        assertEquals(tiles.count(60, 40), shares.size)
        assertEquals(shares.sorted(), shares)
        assertEquals(1f, shares.last())

        var drawn = 0
        assertNull(tiles.filter(60, 40, { drawn < 3 }) { _, _ -> IntArray(16 * 12).also { drawn += 1 } })
        assertEquals(3, drawn)
    }
}
