package org.pocketgan.demo

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/** Lends pictures to the one app that a person shares them with, and takes those of the camera. */
class SharedPictures : ContentProvider() {
    override fun onCreate() = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor =
        ParcelFileDescriptor.open(named(uri), ParcelFileDescriptor.parseMode(mode))

    override fun getType(uri: Uri) = if (named(uri).extension == "png") "image/png" else "image/jpeg"

    override fun query(
        uri: Uri,
        columns: Array<String>?,
        selection: String?,
        values: Array<String>?,
        order: String?,
    ): Cursor {
        val facts = mapOf(
            OpenableColumns.DISPLAY_NAME to named(uri).name,
            OpenableColumns.SIZE to named(uri).length(),
        )
        val shown = (columns ?: facts.keys.toTypedArray()).filter(facts::containsKey)
        return MatrixCursor(shown.toTypedArray()).apply { addRow(shown.map(facts::get)) }
    }

    /** A plain name, no way out of the folder. */
    private fun named(uri: Uri): File {
        val name = uri.lastPathSegment.orEmpty()
        if (!NAME.matches(name)) throw FileNotFoundException("no picture is called so: $uri")
        return file(requireNotNull(context), name)
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, selection: String?, values: Array<String>?) = 0

    override fun update(uri: Uri, values: ContentValues?, where: String?, with: Array<String>?) = 0

    companion object {
        private val NAME = Regex("[a-z0-9-]+\\.(png|jpg)")

        fun file(context: Context, name: String) =
            File(File(context.cacheDir, "shared").apply { mkdirs() }, name)

        fun uri(context: Context, name: String): Uri =
            Uri.parse("content://${context.packageName}.pictures/$name")
    }
}
