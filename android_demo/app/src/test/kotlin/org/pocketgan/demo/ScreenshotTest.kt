package org.pocketgan.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.view.View
import android.widget.SeekBar
import android.widget.Spinner
import java.io.ByteArrayOutputStream
import java.io.File
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowDialog

/** Each screen as a PNG that a person can look at, light and dark. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w360dp-h760dp-xhdpi", application = AssetsApplication::class)
class ScreenshotTest {
    @Test
    fun `screens in light`() = shoot("light")

    @Test
    @Config(qualifiers = "w360dp-h760dp-night-xhdpi")
    fun `screens in dark`() = shoot("dark")

    private fun shoot(theme: String) {
        val controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        val activity = controller.get()
        settle(activity)
        if (activity.findViewById<View>(R.id.tab_photo).isShown) shootPhoto(activity, theme)
        if (activity.findViewById<View>(R.id.tab_draw).isShown) shootDraw(activity, theme)

        activity.findViewById<View>(R.id.tab_proof).performClick()
        settle(activity)
        save("proof-$theme", activity.window.decorView)
        controller.pause().stop().destroy()
    }

    /** A photo that is named, or a golden picture. */
    private fun shootPhoto(activity: MainActivity, theme: String) {
        activity.findViewById<View>(R.id.tab_photo).performClick()
        settle(activity)
        save("photo-empty-$theme", activity.window.decorView)
        val variant = activity.studio.bundles.pictureReaders().first()
        val named = System.getProperty("pocketgan.photo").orEmpty()
        activity.darkroom.take {
            if (named.isEmpty()) activity.assets.open("bundles/$variant/golden/pictures.png")
            else File(named).inputStream()
        }
        for ((number, name) in listOf("photo", "variant", "difference").withIndex()) {
            val beside = activity.findViewById<Spinner>(R.id.beside)
            if (number < beside.count) beside.setSelection(number)
            do settle(activity) while (activity.darkroom.running)
            settle(activity)
            save("$name-$theme", activity.window.decorView)
        }
        save("photo-end-$theme", activity.window.decorView) { it.scrollTo(0, it.getChildAt(0).height) }
    }

    private fun shootDraw(activity: MainActivity, theme: String) {
        activity.findViewById<View>(R.id.tab_draw).performClick()
        settle(activity)
        activity.findViewById<SeekBar>(R.id.walk).progress = 450
        settle(activity)
        save("draw-$theme", activity.window.decorView)

        activity.findViewById<View>(R.id.compare).performClick()
        settle(activity)
        save("difference-$theme", activity.window.decorView) { it.scrollTo(0, it.getChildAt(0).height) }

        activity.findViewById<android.widget.GridLayout>(R.id.sheet).getChildAt(3).performClick()
        settle(activity)
        save("enlarged-$theme", ShadowDialog.getLatestDialog().window!!.decorView)
        ShadowDialog.getLatestDialog().dismiss()

        activity.findViewById<View>(R.id.tab_benchmark).performClick()
        activity.findViewById<View>(R.id.run).performClick()
        while (activity.benchmark.running) settle(activity)
        settle(activity)
        save("benchmark-$theme", activity.window.decorView)
    }

    private fun save(name: String, view: View, scroll: (android.widget.ScrollView) -> Unit = {}) {
        view.findViewById<android.view.ViewGroup>(R.id.screen)?.getChildAt(0)
            ?.let { scroll(it as android.widget.ScrollView) }
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(bitmap))
        val png = ByteArrayOutputStream()
        bitmap.compress(Bitmap.CompressFormat.PNG, 100, png)
        assertTrue(name, png.size() > 5000)
        val folder = System.getProperty("pocketgan.screenshots").orEmpty()
        if (folder.isNotEmpty()) {
            File(folder).mkdirs()
            File(folder, "android-$name.png").writeBytes(png.toByteArray())
        }
    }
}

/** The app with what it was built with: the bundles in its assets. */
class AssetsApplication : DemoApplication() {
    override val runtime = DesktopRuntime()
    override val shelf: Shelf by lazy { ArchiveShelf(AssetShelf(assets)) }
}

/** Robolectric lists an archive's files where Android lists a folder's. */
private class ArchiveShelf(private val shelf: Shelf) : Shelf by shelf {
    override fun folders() = shelf.folders().map { it.substringBefore('/') }.distinct()
}
