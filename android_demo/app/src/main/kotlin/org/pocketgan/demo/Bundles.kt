package org.pocketgan.demo

import android.content.res.AssetManager
import android.graphics.BitmapFactory
import android.util.Size
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.security.MessageDigest

/** Where bundles lie, a folder a variant. */
interface Shelf {
    fun folders(): List<String>
    fun read(path: String): ByteArray

    /** The file's bytes, mapped: they are read when they are used. */
    fun map(path: String): ByteBuffer
}

/** The app's assets. What is mapped must be stored uncompressed in the APK. */
class AssetShelf(private val assets: AssetManager) : Shelf {
    override fun folders(): List<String> = assets.list(FOLDER).orEmpty().toList()

    override fun read(path: String): ByteArray = assets.open("$FOLDER/$path").use { it.readBytes() }

    override fun map(path: String): ByteBuffer = assets.openFd("$FOLDER/$path").use { asset ->
        FileInputStream(asset.fileDescriptor).channel.use {
            it.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
        }
    }

    private companion object {
        const val FOLDER = "bundles"
    }
}

/** The bundles on a shelf, as `docs/bundle.md` describes them. */
class Bundles(private val shelf: Shelf) {
    /** The one to ship first, then the others by name. */
    fun variants(): List<String> = shelf.folders().sortedWith(compareBy({ it != SHIPPED }, { it }))

    /** Those that read pictures, as far as that can be told; all others are for latents. */
    fun pictureReaders(): List<String> =
        variants().filter { runCatching { model(it).reads }.getOrNull() is PictureSpec }

    /** @throws BadInput it is missing or not as `docs/bundle.md` says. */
    fun model(variant: String): Model = told(variant) { Model.parse(String(shelf.read("$variant/$CARD"))) }

    /**
     * The bundle's model, mapped, not read.
     *
     * @throws BadInput it is missing, or not the file that its `model.json` speaks of.
     */
    fun map(variant: String, model: Model): ByteBuffer = told(variant) {
        val mapped = shelf.map("$variant/$FILE")
        if (mapped.capacity().toLong() != model.bytes) {
            throw BadInput("$FILE has ${mapped.capacity()} bytes, model.json says ${model.bytes}")
        }
        if (sha256(mapped) != model.sha256) {
            throw BadInput("$FILE is not the file of model.json: its sha256 differs")
        }
        mapped
    }

    /** The colours of [count] golden pictures, one below the other in a PNG. */
    fun goldenPictures(variant: String, name: String, size: Size, count: Int): List<IntArray> = told(variant) {
        val content = shelf.read("$variant/golden/$name")
        val stack = BitmapFactory.decodeByteArray(content, 0, content.size)
        if (stack == null || stack.width != size.width || stack.height != count * size.height) {
            throw BadInput("golden/$name is no PNG of $count pictures of ${size.width} × ${size.height}")
        }
        List(count) { number ->
            IntArray(size.width * size.height).also {
                stack.getPixels(it, 0, size.width, 0, number * size.height, size.width, size.height)
            }
        }
    }

    /** A golden file, which must hold [bytes]. */
    fun golden(variant: String, name: String, bytes: Int): ByteBuffer = told(variant) {
        val content = shelf.read("$variant/golden/$name")
        if (content.size != bytes) {
            throw BadInput("golden/$name has ${content.size} bytes, not $bytes")
        }
        ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
    }

    /** Errors say which bundle they speak of, and what to do. */
    private fun <T> told(variant: String, read: () -> T): T = try {
        read()
    } catch (error: IOException) {
        throw BadInput("bundle $variant: cannot read ${error.message}. $REMEDY")
    } catch (error: BadInput) {
        throw BadInput("bundle $variant: ${error.message}. $REMEDY")
    }

    companion object {
        const val SHIPPED = "int8"
        private const val CARD = "model.json"
        private const val FILE = "generator.tflite"
        private const val REMEDY = "Build the app again from a bundle that `pocketgan verify` accepts."
    }
}

fun sha256(content: ByteBuffer): String =
    MessageDigest.getInstance("SHA-256").apply { update(content.duplicate()) }.digest().hex()

fun ByteArray.hex(): String = joinToString("") { "%02x".format(it) }
