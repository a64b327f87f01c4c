package org.pocketgan.demo

import android.content.res.AssetManager
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.security.MessageDigest

/** The bundles in the app's assets, a folder a variant. */
class Bundles(private val assets: AssetManager, private val folder: String = "bundles") {
    /** The one to ship first, then the others by name. */
    fun variants(): List<String> =
        assets.list(folder).orEmpty().sortedWith(compareBy({ it != SHIPPED }, { it }))

    /** @throws BadInput it is missing or not as `docs/bundle.md` says. */
    fun model(variant: String): Model = told(variant) { Model.parse(String(read(variant, CARD))) }

    /**
     * The bundle's model, mapped, not read.
     *
     * @throws BadInput it is missing, or not the file that its `model.json` speaks of.
     */
    fun map(variant: String, model: Model): ByteBuffer = told(variant) {
        val mapped = openMapped("$folder/$variant/$FILE")
        if (mapped.capacity().toLong() != model.bytes) {
            throw BadInput("$FILE has ${mapped.capacity()} bytes, model.json says ${model.bytes}")
        }
        if (sha256(mapped) != model.sha256) {
            throw BadInput("$FILE is not the file of model.json: its sha256 differs")
        }
        mapped
    }

    /** A golden file, which must hold [bytes]. */
    fun golden(variant: String, name: String, bytes: Int): ByteBuffer = told(variant) {
        val content = read(variant, "golden/$name")
        if (content.size != bytes) {
            throw BadInput("golden/$name has ${content.size} bytes, not $bytes")
        }
        ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
    }

    private fun read(variant: String, path: String): ByteArray =
        assets.open("$folder/$variant/$path").use { it.readBytes() }

    private fun openMapped(path: String): ByteBuffer = assets.openFd(path).use { asset ->
        FileInputStream(asset.fileDescriptor).channel.use {
            it.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
        }
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
