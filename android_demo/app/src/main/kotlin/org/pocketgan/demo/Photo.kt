package org.pocketgan.demo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Matrix
import android.graphics.Paint
import android.graphics.RectF
import android.media.ExifInterface
import java.io.BufferedInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream

/** The picture that was chosen last, copied into [file], so that it outlives the process. */
class Photo(private val file: File) {
    val isThere get() = file.exists()

    fun remove() {
        file.delete()
    }

    /**
     * Copy a picture. The one before it stays where that fails.
     *
     * @throws BadInput it cannot be read, or is no picture.
     */
    fun keep(source: InputStream) {
        val copy = File(file.path + ".part")
        try {
            file.parentFile?.mkdirs()
            copy.outputStream().use { target ->
                if (source.copyAtMost(MOST_BYTES, target) > MOST_BYTES) {
                    throw BadInput("This file is larger than ${MOST_BYTES shr 20} MB. Choose a smaller one.")
                }
            }
            bounds(copy)
            if (!copy.renameTo(file)) throw IOException("no room for a copy")
        } catch (error: IOException) {
            throw BadInput("This picture cannot be read: ${error.message}. Choose another one.")
        } finally {
            copy.delete()
        }
    }

    private fun InputStream.copyAtMost(most: Long, target: java.io.OutputStream): Long {
        val block = ByteArray(1 shl 16)
        var size = 0L
        while (size <= most) {
            val count = read(block)
            if (count < 0) break
            target.write(block, 0, count)
            size += count
        }
        return size
    }

    /** The picture's width and height, as it is stored. */
    private fun bounds(file: File): BitmapFactory.Options {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeFile(file.path, bounds)
        if (bounds.outWidth <= 0 || bounds.outHeight <= 0) throw BadInput(NO_PICTURE)
        return bounds
    }

    /**
     * The picture, upright and on white, its longer side [side] pixels at most (0: as it is).
     *
     * @throws BadInput it is no picture.
     */
    fun read(side: Int): Bitmap {
        val bounds = bounds(file)
        val longest = maxOf(bounds.outWidth, bounds.outHeight)
        val options = BitmapFactory.Options()
        options.inSampleSize = 1
        while (side > 0 && longest / (2 * options.inSampleSize) >= side) options.inSampleSize *= 2
        val stored = BitmapFactory.decodeFile(file.path, options) ?: throw BadInput(NO_PICTURE)
        val larger = maxOf(stored.width, stored.height)
        return upright(stored, if (side in 1 until larger) side.toFloat() / larger else 1f)
    }

    private fun upright(stored: Bitmap, scale: Float): Bitmap {
        val turn = turn()
        if (scale == 1f && turn.isIdentity && !stored.hasAlpha()) return stored
        turn.preScale(scale, scale)
        val place = RectF(0f, 0f, stored.width.toFloat(), stored.height.toFloat())
        turn.mapRect(place)
        turn.postTranslate(-place.left, -place.top)
        val width = Math.round(place.width()).coerceAtLeast(1)
        val height = Math.round(place.height()).coerceAtLeast(1)
        val upright = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        Canvas(upright).apply {
            drawColor(Color.WHITE)
            drawBitmap(stored, turn, Paint(Paint.FILTER_BITMAP_FLAG))
        }
        stored.recycle()
        return upright
    }

    /** How the camera was held. */
    private fun turn(): Matrix {
        val held = try {
            BufferedInputStream(file.inputStream()).use(::ExifInterface)
                .getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
        } catch (_: IOException) {
            ExifInterface.ORIENTATION_NORMAL // not every kind of picture says
        }
        val turn = Matrix()
        when (held) {
            ExifInterface.ORIENTATION_ROTATE_90, ExifInterface.ORIENTATION_TRANSPOSE -> turn.setRotate(90f)
            ExifInterface.ORIENTATION_ROTATE_180 -> turn.setRotate(180f)
            ExifInterface.ORIENTATION_ROTATE_270, ExifInterface.ORIENTATION_TRANSVERSE -> turn.setRotate(270f)
            ExifInterface.ORIENTATION_FLIP_VERTICAL -> turn.setScale(1f, -1f)
        }
        val mirrored = setOf(
            ExifInterface.ORIENTATION_FLIP_HORIZONTAL,
            ExifInterface.ORIENTATION_TRANSPOSE,
            ExifInterface.ORIENTATION_TRANSVERSE,
        )
        if (held in mirrored) turn.postScale(-1f, 1f)
        return turn
    }

    private companion object {
        const val MOST_BYTES = 100L shl 20
        const val NO_PICTURE = "This file is no picture that Android can read. Choose another one."
    }
}
