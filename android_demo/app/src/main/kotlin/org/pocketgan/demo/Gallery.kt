package org.pocketgan.demo

import android.content.ContentResolver
import android.content.ContentValues
import android.graphics.Bitmap
import android.net.Uri
import android.os.Build
import android.provider.MediaStore.Images.Media
import java.io.IOException
import java.io.OutputStream

/** Where a person keeps pictures. */
class Gallery(private val resolver: ContentResolver) {
    /**
     * A new picture in the folder of pictures; as all apps may since Android 10.
     *
     * @throws BadInput it cannot be written; then nothing is left of it.
     */
    fun add(bitmap: Bitmap, name: String): Uri {
        val values = ContentValues()
        values.put(Media.DISPLAY_NAME, name)
        values.put(Media.MIME_TYPE, "image/png")
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) {
            values.put(Media.RELATIVE_PATH, "Pictures/pocketgan")
            values.put(Media.IS_PENDING, 1)
        }
        val uri = resolver.insert(Media.EXTERNAL_CONTENT_URI, values)
            ?: throw BadInput("The gallery took no picture. Share it instead.")
        try {
            write(bitmap, uri)
        } catch (error: BadInput) {
            resolver.delete(uri, null, null)
            throw error
        }
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) {
            resolver.update(uri, ContentValues().apply { put(Media.IS_PENDING, 0) }, null, null)
        }
        return uri
    }

    /** @throws BadInput it cannot be written. */
    fun write(bitmap: Bitmap, uri: Uri) = try {
        val target = resolver.openOutputStream(uri) ?: throw IOException("it cannot be opened")
        target.use { png(bitmap, it) }
    } catch (error: IOException) {
        throw BadInput("The picture could not be saved: ${error.message}. Is there room on the device?")
    }

    companion object {
        val isOpen get() = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q

        fun png(bitmap: Bitmap, target: OutputStream) {
            bitmap.compress(Bitmap.CompressFormat.PNG, 100, target)
        }
    }
}
