package org.pocketgan.demo

import android.graphics.Bitmap

/** What is asked of a photo. */
data class FilterRequest(
    val variant: String,
    val settings: Settings,
    /** Of the photo's longer side, in pixels; 0 for all there are. */
    val side: Int,
)

/** What became of a photo. */
class Filtered(
    val bitmap: Bitmap,
    val tiles: Int,
    val seconds: Double,
    /** Median of one inference. */
    val tileMs: Double,
    /** How far the app's memory grew; null where the device does not tell. */
    val memoryKb: Long?,
    /** What was asked for and could not be had. */
    val note: String?,
)

/** Draws photos of any size with a generator that reads pictures of one size. */
class Filter(
    private val generator: Generator,
    /** Bytes that the app may still take. */
    private val free: () -> Long = ::freeMemory,
) {
    private val read = generator.model.picture
    private val tile = IntArray(read.width * read.height)
    private val drawn = generator.picture()

    /**
     * What becomes of [photo]; null where [progress] answers false, which is told the share done.
     *
     * @throws BadInput there is not enough memory, or the generator needs a mask.
     */
    fun apply(photo: Bitmap, progress: (Float) -> Boolean): Filtered? {
        if (read.mask) {
            throw BadInput("This generator fills what a mask hides, and this app has no brush for masks.")
        }
        val tiles = read.tiles
        val scale = tiles?.scale ?: 1
        checkRoom(4L * photo.width * photo.height * scale * scale)
        val memory = Memory(Machine())
        val inferences = ArrayList<Long>()
        val start = System.nanoTime()
        val bitmap = try {
            if (tiles == null) whole(photo, inferences)
            else tiles.filter(photo.width, photo.height, progress) { left, top ->
                cut(photo, left, top)
                inferences += generator.draw(tile, null, drawn)
                drawn
            }?.let { bitmap(it, scale * photo.width, scale * photo.height) }
        } catch (_: OutOfMemoryError) {
            throw BadInput(TOO_LARGE)
        } ?: return null
        val seconds = (System.nanoTime() - start) / 1e9
        val tileMs = Statistics.median(inferences.toLongArray()) / Statistics.NS_PER_MS
        return Filtered(bitmap, inferences.size, seconds, tileMs, memory.peakKb(), generator.note)
    }

    /** The part of a photo that begins at (left, top); beyond its edges its last pixels go on. */
    private fun cut(photo: Bitmap, left: Int, top: Int) {
        val width = minOf(read.width, photo.width - left)
        val height = minOf(read.height, photo.height - top)
        photo.getPixels(tile, 0, read.width, left, top, width, height)
        for (y in 0 until height) {
            val row = y * read.width
            tile.fill(tile[row + width - 1], row + width, row + read.width)
        }
        for (y in height until read.height) {
            tile.copyInto(tile, y * read.width, (height - 1) * read.width, height * read.width)
        }
    }

    private fun whole(photo: Bitmap, inferences: MutableList<Long>): Bitmap {
        val scaled = Bitmap.createScaledBitmap(photo, read.width, read.height, true)
        cut(scaled, 0, 0)
        inferences += generator.draw(tile, null, drawn)
        return bitmap(drawn, generator.width, generator.height)
    }

    private fun bitmap(colours: IntArray, width: Int, height: Int): Bitmap =
        Bitmap.createBitmap(colours, width, height, Bitmap.Config.ARGB_8888)

    private fun checkRoom(bytes: Long) {
        if (bytes > ROOM * free() || bytes > Int.MAX_VALUE) throw BadInput(TOO_LARGE)
    }

    private companion object {
        /** Of the memory that is free: what the result may take. */
        const val ROOM = 0.8
        const val TOO_LARGE =
            "This device has not enough memory for a picture of that size. Choose a smaller size."
    }
}

private fun freeMemory(): Long = java.lang.Runtime.getRuntime().run { maxMemory() - totalMemory() + freeMemory() }
