package org.pocketgan.demo

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Color
import android.net.Uri
import android.os.Bundle
import android.os.ParcelFileDescriptor
import android.provider.MediaStore
import android.view.MotionEvent
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

/** A photo is chosen or taken, filtered by tiles, compared, saved and shared. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h891dp-mdpi")
class PhotoTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private lateinit var controller: ActivityController<MainActivity>
    private val activity get() = controller.get()
    private val darkroom get() = activity.darkroom

    @Before
    fun begin() {
        app.shelf = FolderShelf(File(tests, "pictures"))
        controller = start()
    }

    private fun start(state: Bundle? = null): ActivityController<MainActivity> =
        Robolectric.buildActivity(MainActivity::class.java)
            .run { if (state == null) setup() else setup(state) }
            .also { settle(it.get()) }

    private fun <T : View> find(id: Int): T = activity.findViewById(id)

    private fun text(id: Int) = find<TextView>(id).text.toString()

    private fun await(condition: () -> Boolean) {
        val end = System.nanoTime() + 30_000_000_000
        while (!condition() && System.nanoTime() < end) {
            shadowOf(activity.mainLooper).idle()
            Thread.sleep(1)
        }
        assertTrue(condition())
    }

    private fun finish() {
        settle(activity)
        await { !darkroom.running }
        settle(activity)
    }

    private fun press(id: Int) {
        find<View>(id).performClick()
        finish()
    }

    private fun select(id: Int, position: Int) {
        find<Spinner>(id).setSelection(position)
        finish()
    }

    private fun png(bitmap: Bitmap) = ByteArrayOutputStream().also {
        bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)
    }.toByteArray()

    private fun grey(width: Int, height: Int) =
        Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888).apply { eraseColor(colour(200, 200, 200)) }

    /** The system's picker offers [content]. */
    private fun offer(content: ByteArray) {
        val uri = Uri.parse("content://pictures/chosen")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri) { ByteArrayInputStream(content) }
        find<View>(R.id.choose).performClick()
        answer(Intent().setData(uri))
    }

    private fun answer(data: Intent?): Intent {
        val asked = shadowOf(activity).nextStartedActivityForResult
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, data)
        return asked.intent
    }

    private fun choose(content: ByteArray) {
        offer(content)
        finish()
    }

    private fun result(variant: String = "int8", side: Int = 512) =
        darkroom[FilterRequest(variant, Settings(1), side)]

    @Test
    fun `bundles that read pictures get a screen of their own`() {
        assertTrue(activity.screen is PhotoScreen)
        assertEquals(View.GONE, find<View>(R.id.tab_draw).visibility)
        assertEquals(View.VISIBLE, find<View>(R.id.hint).visibility)
        assertEquals(View.GONE, find<View>(R.id.shown).visibility)
    }

    @Test
    fun `both kinds of bundles in one app have a tab each`() {
        File(tests, "bundles/int8").copyRecursively(File(temporary.root, "digits"))
        File(tests, "pictures/int8").copyRecursively(File(temporary.root, "negative"))
        app.shelf = FolderShelf(temporary.root)
        controller.pause().stop().destroy()
        controller = start()
        assertTrue(activity.screen is DrawScreen)
        assertEquals(1, find<Spinner>(R.id.variant).count)
        press(R.id.tab_photo)
        assertEquals("negative", find<Spinner>(R.id.variant).selectedItem)
    }

    @Test
    fun `a chosen picture is filtered by tiles, without a seam`() {
        offer(png(grey(60, 45)))
        finish()
        val drawn = result()!!.bitmap
        assertEquals(60 to 45, drawn.width to drawn.height)
        val inside = List(20) { drawn.getPixel(5 + 2 * it, 5 + it) }
        assertEquals("one colour", 1, inside.toSet().size)
        assertTrue(abs(Color.red(inside[0]) - 43) <= 3) // tanh of -1.4 times 200 of 255
        assertTrue(text(R.id.facts), Regex("int8: 60 × 45 pixels in \\S+ s, 20 tiles of \\S+ ms(, \\S+ MB more memory)?") matches text(R.id.facts))
        assertEquals(View.GONE, find<View>(R.id.hint).visibility)
        assertEquals(View.VISIBLE, find<View>(R.id.shown).visibility)
        assertEquals(View.GONE, find<View>(R.id.run).visibility)
    }

    @Test
    fun `the system's picker is asked for one picture`() {
        find<View>(R.id.choose).performClick()
        val asked = shadowOf(activity).nextStartedActivityForResult.intent
        assertEquals(MediaStore.ACTION_PICK_IMAGES, asked.action)
        assertEquals("image/*", asked.type)
    }

    @Test
    fun `the camera's app takes a picture into a file that is lent to it`() {
        find<View>(R.id.take).performClick()
        val asked = shadowOf(activity).peekNextStartedActivityForResult().intent
        assertEquals(MediaStore.ACTION_IMAGE_CAPTURE, asked.action)
        @Suppress("DEPRECATION")
        val target = asked.getParcelableExtra<Uri>(MediaStore.EXTRA_OUTPUT)!!
        assertTrue(asked.flags and Intent.FLAG_GRANT_WRITE_URI_PERMISSION != 0)
        provider().openFile(target, "w").use {
            ParcelFileDescriptor.AutoCloseOutputStream(it).write(png(grey(30, 20)))
        }
        answer(null)
        finish()
        assertEquals(30, result()!!.bitmap.width)

        find<View>(R.id.take).performClick()
        answer(null) // the camera's app says that all is well, and has written nothing
        finish()
        assertTrue(text(R.id.trouble), "cannot be opened" in text(R.id.trouble))
    }

    private fun provider() = Robolectric.buildContentProvider(SharedPictures::class.java).create().get()

    @Test
    fun `only pictures of one folder are lent`() {
        for (path in listOf("..%2Fphoto", "photo", "x%2F..%2F..%2Fa.png", "")) {
            val uri = Uri.parse("content://org.pocketgan.demo.pictures/$path")
            assertTrue(path, runCatching { provider().openFile(uri, "r") }.isFailure)
        }
    }

    @Test
    fun `larger pictures are made smaller, as is chosen`() {
        choose(png(grey(1200, 300)))
        assertEquals(512 to 128, result()!!.bitmap.run { width to height })
        select(R.id.size, 0)
        assertEquals(256 to 64, result(side = 256)!!.bitmap.run { width to height })
        assertNull("what is not asked for any longer is dropped", result())
    }

    @Test
    fun `what is see-through lies on white`() {
        choose(png(Bitmap.createBitmap(20, 20, Bitmap.Config.ARGB_8888)))
        assertEquals(Color.WHITE, darkroom.before!!.getPixel(10, 10))
    }

    @Test
    fun `a picture is upright however the camera was held`() {
        val bitmap = grey(40, 20).apply { setPixels(IntArray(200) { Color.BLACK }, 0, 10, 0, 0, 10, 20) }
        val jpeg = ByteArrayOutputStream().also { bitmap.compress(Bitmap.CompressFormat.JPEG, 95, it) }.toByteArray()
        choose(turned(jpeg, 6)) // the camera's right side was up
        val upright = darkroom.before!!
        assertEquals(20 to 40, upright.width to upright.height)
        assertTrue(Color.red(upright.getPixel(10, 3)) < 50)
        assertTrue(Color.red(upright.getPixel(10, 35)) > 150)
    }

    /** A JPEG with an EXIF block that says nothing but the orientation. */
    private fun turned(jpeg: ByteArray, orientation: Int): ByteArray {
        val exif = "ffe10022457869660000" + "4d4d002a00000008" + "0001" + "011200030000000100%02x0000".format(orientation) + "00000000"
        val bytes = exif.chunked(2).map { it.toInt(16).toByte() }.toByteArray()
        return jpeg.copyOf(2) + bytes + jpeg.copyOfRange(2, jpeg.size)
    }

    @Test
    fun `the line between the pictures follows finger and slider`() {
        choose(png(grey(60, 60)))
        val view = find<DividedView>(R.id.picture)
        val middle = shown(view, view.width / 4)
        find<SeekBar>(R.id.divide).progress = 0
        assertEquals(0f, view.share)
        assertNotEquals("the result reaches to the left edge", middle, shown(view, view.width / 4))

        for ((action, x) in listOf(
            MotionEvent.ACTION_DOWN to 10f,
            MotionEvent.ACTION_MOVE to 200f,
            MotionEvent.ACTION_UP to view.width * 0.75f,
        )) view.dispatchTouchEvent(MotionEvent.obtain(0, 0, action, x, 50f, 0))
        assertEquals(0.75f, view.share, 0.02f)
        assertEquals(750.0, find<SeekBar>(R.id.divide).progress.toDouble(), 20.0)
        assertEquals("the photo is back at the left", middle, shown(view, view.width / 4))
    }

    private fun shown(view: View, x: Int): Int {
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(android.graphics.Canvas(bitmap))
        return bitmap.getPixel(x, view.height / 3)
    }

    @Test
    fun `the other variant lies beside it, and the difference`() {
        choose(png(grey(60, 45)))
        select(R.id.beside, 1)
        assertEquals(60, result("float32")!!.bitmap.width)
        val lines = text(R.id.facts).lines()
        assertTrue(lines[1], lines[1].startsWith("float32: 60 × 45"))
        assertTrue(lines[2], Regex("Between both: [0-4] levels of 255 at most, mean .+") matches lines[2])
        assertTrue("float32" in find<View>(R.id.picture).contentDescription)
        select(R.id.beside, 2)
        assertEquals(60, darkroom.comparison!!.bitmap.width)
        assertTrue("8 times as strong" in text(R.id.facts))
        select(R.id.variant, 1)
        assertTrue(text(R.id.facts).startsWith("float32"))
        select(R.id.beside, 0)
        assertEquals(1, text(R.id.facts).lines().size)
    }

    @Test
    fun `a filter under way is stopped, and begins again when told`() {
        find<Spinner>(R.id.size).setSelection(SIZE_AS_IT_IS)
        settle(activity)
        offer(png(grey(1500, 1200)))
        await { darkroom.share > 0 }
        assertEquals("Stop", text(R.id.run))
        assertEquals(View.VISIBLE, find<View>(R.id.progress).visibility)
        press(R.id.run)
        assertNull(result(side = 0))
        assertEquals("Filter again", text(R.id.run))
        assertFalse(find<Button>(R.id.save).isEnabled)

        find<Spinner>(R.id.size).setSelection(0)
        finish()
        assertEquals("another choice is not held up", 256, result(side = 256)!!.bitmap.width)
        assertEquals(View.GONE, find<View>(R.id.run).visibility)
    }

    @Test
    fun `turning the device keeps the photo, the result and the line`() {
        choose(png(grey(60, 45)))
        find<SeekBar>(R.id.divide).progress = 300
        val before = result()
        val opened = app.runtime.opened
        controller.recreate()
        finish()
        assertTrue("nothing is drawn anew", before === result())
        assertEquals(opened, app.runtime.opened)
        assertEquals(0.3f, find<DividedView>(R.id.picture).share, 0.01f)
        assertTrue(text(R.id.facts).isNotEmpty())
    }

    @Test
    fun `after the process has died the photo is filtered again`() {
        choose(png(grey(60, 45)))
        select(R.id.size, 0)
        val state = Bundle()
        controller.saveInstanceState(state).pause().stop().destroy()
        controller = start(state)
        finish()
        assertEquals(60, result(side = 256)!!.bitmap.width)
    }

    @Test
    fun `what is no picture is refused in words, and the photo stays`() {
        choose(png(grey(60, 45)))
        choose(ByteArray(5000) { it.toByte() })
        assertTrue(text(R.id.trouble), "is no picture that Android can read" in text(R.id.trouble))
        assertEquals(60, result()!!.bitmap.width)

        val uri = Uri.parse("content://pictures/locked")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri) { throw SecurityException("no") }
        find<View>(R.id.choose).performClick()
        answer(Intent().setData(uri))
        finish()
        assertTrue(text(R.id.trouble), "does not let it be read" in text(R.id.trouble))
        choose(png(grey(30, 45)))
        assertEquals(View.GONE, find<View>(R.id.trouble).visibility)
    }

    @Test
    fun `a picture that memory has no room for is refused before it is drawn`() {
        Generator.open(Bundles(app.shelf), "int8", app.runtime, Settings(1)).use { generator ->
            val filter = Filter(generator) { 10_000 }
            val error = runCatching { filter.apply(grey(100, 100)) { true } }.exceptionOrNull()
            assertTrue("$error", error is BadInput && "Choose a smaller size" in error.message!!)
            assertEquals(30, filter.apply(grey(30, 30)) { true }!!.bitmap.width)
        }
    }

    @Test
    fun `the result is saved among the pictures`() {
        choose(png(grey(60, 45)))
        val written = ByteArrayOutputStream()
        val uri = Uri.parse("${MediaStore.Images.Media.EXTERNAL_CONTENT_URI}/1")
        shadowOf(app.contentResolver).registerOutputStream(uri, written)
        press(R.id.save)
        assertTrue(text(R.id.outcome), "Saved among the pictures" in text(R.id.outcome))
        @Suppress("DEPRECATION") // its successor is for stand-in providers
        val values = shadowOf(app.contentResolver).insertStatements.single().contentValues
        assertTrue(values.getAsString("_display_name").startsWith("pocketgan-"))
        val back = android.graphics.BitmapFactory.decodeByteArray(written.toByteArray(), 0, written.size())
        assertTrue(back.sameAs(result()!!.bitmap))
    }

    @Test
    fun `the result is lent to the app it is shared with`() {
        choose(png(grey(60, 45)))
        press(R.id.share)
        @Suppress("DEPRECATION")
        val sent = shadowOf(activity).nextStartedActivity.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals("image/png", sent.type)
        assertTrue(sent.flags and Intent.FLAG_GRANT_READ_URI_PERMISSION != 0)
        @Suppress("DEPRECATION")
        val uri = sent.getParcelableExtra<Uri>(Intent.EXTRA_STREAM)!!
        val read = provider().openFile(uri, "r").use { ParcelFileDescriptor.AutoCloseInputStream(it).readBytes() }
        val back = android.graphics.BitmapFactory.decodeByteArray(read, 0, read.size)
        assertTrue(back.sameAs(result()!!.bitmap))
    }

    @Test
    fun `each picture and control says what it is`() {
        choose(png(grey(60, 45)))
        val silent = controls(find(android.R.id.content)).filter { view ->
            view.contentDescription == null && (view as? TextView)?.text.isNullOrEmpty() &&
                activity.window.decorView.labelFor(view) == null
        }
        assertEquals(emptyList<View>(), silent)
    }

    private fun controls(view: View): List<View> = when (view) {
        is Spinner -> listOf(view)
        is ViewGroup -> view.children().flatMap(::controls)
        else -> listOf(view).filter { it.isClickable || it is DividedView || it is SeekBar }
    }.filter { it.isShown }

    @Test
    fun `golden pictures are drawn again`() {
        press(R.id.tab_proof)
        for (card in find<ViewGroup>(R.id.proofs).children()) {
            val details = card.findViewById<TextView>(R.id.details).text
            assertTrue("$details", "Quantized inputs: equal" in details)
            assertFalse("$details", "Latents" in details)
            assertNotEquals("Not equal.", card.findViewById<TextView>(R.id.verdict).text.toString())
        }
    }

    private companion object {
        const val SIZE_AS_IT_IS = 4
    }
}
