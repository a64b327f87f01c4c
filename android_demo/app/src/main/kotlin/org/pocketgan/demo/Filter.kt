package org.pocketgan.demo

import android.graphics.Bitmap

/** What is asked of a photo. */
data class FilterRequest(
    val variant: String,
    val settings: Settings,
    /** Of the photo's longer side, in pixels; 0 for all there are. */
    val side: Int,
    /** What is hidden of it, in the order in which it was painted. */
    val strokes: List<Stroke> = emptyList(),
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
    private val hidden = read.hidden?.let { IntArray(tile.size) }
    private val drawn = generator.picture()

    /**
     * What becomes of [photo], of which [mask] (of its size, see [maskOf]) hides a part; null where [progress]
     * answers false, which is told the share done.
     *
     * @throws BadInput there is not enough memory.
     */
    fun apply(photo: Bitmap, mask: Bitmap? = null, progress: (Float) -> Boolean): Filtered? {
        val tiles = read.tiles
        val scale = tiles?.scale ?: 1
        checkRoom(4L * photo.width * photo.height * scale * scale)
        val memory = Memory(Machine())
        val inferences = ArrayList<Long>()
        val start = System.nanoTime()
        val bitmap = try {
            if (tiles == null) whole(photo, mask, inferences)
            else tiles.filter(photo.width, photo.height, progress) { left, top ->
                inferences += draw(photo, mask, left, top)
                drawn
            }?.let { bitmap(it, scale * photo.width, scale * photo.height) }
        } catch (_: OutOfMemoryError) {
            throw BadInput(TOO_LARGE)
        } ?: return null
        val seconds = (System.nanoTime() - start) / 1e9
        val tileMs = Statistics.median(inferences.toLongArray()) / Statistics.NS_PER_MS
        return Filtered(bitmap, inferences.size, seconds, tileMs, memory.peakKb(), generator.note)
    }

    /** Draw the part of a photo that begins at (left, top); gives the nanoseconds. */
    private fun draw(photo: Bitmap, mask: Bitmap?, left: Int, top: Int): Long {
        cut(photo, left, top, tile)
        if (hidden != null && mask != null) {
            cut(mask, left, top, hidden)
            for (place in tile.indices) {
                val isHidden = hidden[place] ushr 24 > 127
                hidden[place] = if (isHidden) 255 else 0
                if (isHidden) tile[place] = read.hiddenColour
            }
        }
        return generator.draw(tile, hidden, drawn)
    }

    /** The part of a photo that begins at (left, top); beyond its edges its last pixels go on. */
    private fun cut(photo: Bitmap, left: Int, top: Int, tile: IntArray) {
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

    private fun whole(photo: Bitmap, mask: Bitmap?, inferences: MutableList<Long>): Bitmap {
        fun scaled(bitmap: Bitmap) = Bitmap.createScaledBitmap(bitmap, read.width, read.height, true)
        inferences += draw(scaled(photo), mask?.let(::scaled), 0, 0)
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
