package org.pocketgan.demo

import android.view.View
import android.view.ViewGroup
import java.io.File
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption
import java.time.Duration
import org.json.JSONObject
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowChoreographer

/** The app on this machine's TensorFlow Lite, with bundles that a test may break. */
class TestApplication : DemoApplication() {
    override val runtime = DesktopRuntime()
    override var shelf: Shelf = FolderShelf(File(tests, "bundles"))
}

/** The folder of the tests' sources, for golden files and bundles. */
val tests = File(System.getProperty("pocketgan.tests") ?: "src/test")

fun goldenJson(name: String) = JSONObject(File(tests, "golden/$name.json").readText())

/** Bundles in a folder, which a test can change. */
class FolderShelf(private val folder: File) : Shelf {
    override fun folders(): List<String> = folder.list().orEmpty().toList()

    override fun read(path: String): ByteArray = File(folder, path).readBytes()

    override fun map(path: String): ByteBuffer =
        FileChannel.open(File(folder, path).toPath(), StandardOpenOption.READ).use {
            it.map(FileChannel.MapMode.READ_ONLY, 0, it.size())
        }
}

/** What tests leave for Python to look at. */
fun leave(name: String, content: ByteArray) {
    val folder = File(System.getProperty("pocketgan.left") ?: "build/left")
    folder.mkdirs()
    File(folder, name).writeBytes(content)
}

/** Frames come with the clock of the test only: a picture that moves would never let it settle. */
fun pauseFrames() {
    ShadowChoreographer.setPaused(true)
    ShadowChoreographer.setFrameDelay(FRAME)
}

private val FRAME: Duration = Duration.ofMillis(16)

/** Wait until the studio has nothing to do and the main thread has shown it. */
fun settle(activity: MainActivity) {
    repeat(3) {
        var done = false
        activity.studio.submit({}) { done = true }
        val end = System.nanoTime() + 120_000_000_000 // a photo may be filtered just now
        while (!done && System.nanoTime() < end) {
            shadowOf(activity.mainLooper).idleFor(FRAME)
            Thread.sleep(1)
        }
        check(done) { "the studio hangs" }
        shadowOf(activity.mainLooper).idleFor(FRAME)
    }
}

fun ViewGroup.children(): List<View> = List(childCount, ::getChildAt)

/** The label that a layout gives [control] by `labelFor`. */
fun View.labelFor(control: View): View? = when {
    labelFor == control.id && control.id != View.NO_ID -> this
    this is ViewGroup -> children().firstNotNullOfOrNull { it.labelFor(control) }
    else -> null
}
