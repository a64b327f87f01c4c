package org.pocketgan.demo

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.net.Uri
import android.os.Bundle
import android.view.KeyEvent
import android.view.MotionEvent
import android.view.View
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

/** Parts of a photo are hidden by finger and keys; the tests' generator darkens what is hidden. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h891dp-mdpi")
class BrushTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private lateinit var controller: ActivityController<MainActivity>
    private val activity get() = controller.get()
    private val darkroom get() = activity.darkroom
    private val picture get() = find<DividedView>(R.id.picture)

    @Before
    fun begin() {
        app.shelf = FolderShelf(File(tests, "holes"))
        controller = start()
        choose(60, 40)
    }

    private fun start(state: Bundle? = null): ActivityController<MainActivity> =
        Robolectric.buildActivity(MainActivity::class.java)
            .run { if (state == null) setup() else setup(state) }
            .also { settle(it.get()) }

    private fun <T : View> find(id: Int): T = activity.findViewById(id)

    private fun finish() {
        settle(activity)
        val end = System.nanoTime() + 60_000_000_000
        while (darkroom.running && System.nanoTime() < end) settle(activity)
        assertFalse(darkroom.running)
        assertEquals(find<TextView>(R.id.trouble).text.toString(), View.GONE, find<View>(R.id.trouble).visibility)
    }

    /** Choose a photo in light grey. */
    private fun choose(width: Int, height: Int) {
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888).apply { eraseColor(Color.LTGRAY) }
        val content = ByteArrayOutputStream().also { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        val uri = Uri.parse("content://pictures/chosen")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri) { ByteArrayInputStream(content.toByteArray()) }
        find<View>(R.id.choose).performClick()
        val asked = shadowOf(activity).nextStartedActivityForResult
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(uri))
        finish()
    }

    private fun press(id: Int) {
        find<View>(id).performClick()
        finish()
    }

    private fun use(finger: Int, percent: Int = 10) {
        find<Spinner>(R.id.finger).setSelection(finger)
        find<SeekBar>(R.id.brush_width).progress = percent
        finish()
    }

    private fun drawView() = picture.draw(Canvas(Bitmap.createBitmap(picture.width, picture.height, Bitmap.Config.ARGB_8888)))

    /** A finger goes through points that are given as shares of the picture. */
    private fun paint(vararg points: Pair<Float, Float>) {
        drawView() // which finds where the picture lies in the view
        val last = points.size - 1
        for ((number, point) in points.withIndex()) {
            val action = if (number == 0) MotionEvent.ACTION_DOWN else MotionEvent.ACTION_MOVE
            touch(action, point)
            if (number == last) touch(MotionEvent.ACTION_UP, point)
        }
        finish()
    }

    private fun touch(action: Int, point: Pair<Float, Float>) {
        val (x, y) = point.first * picture.width to point.second * picture.height
        picture.dispatchTouchEvent(MotionEvent.obtain(0, 0, action, x, y, 0))
    }

    private val result
        get() = darkroom[FilterRequest("int8", Settings(1), 512, darkroom.strokes)]!!.bitmap

    private fun before(x: Int, y: Int) = Color.red(darkroom.before!!.getPixel(x, y))

    private fun after(x: Int, y: Int) = Color.red(result.getPixel(x, y))

    @Test
    fun `nothing is hidden until something is painted`() {
        assertEquals(View.VISIBLE, find<View>(R.id.brush).visibility)
        assertEquals(204, before(30, 20))
        assertTrue(after(30, 20) > 150)
        assertFalse(find<View>(R.id.undo).isEnabled)
    }

    @Test
    fun `a finger hides what it passes, and nothing else`() {
        use(HIDES)
        paint(0.05f to 0.5f, 0.95f to 0.5f)
        for (x in listOf(4, 30, 55)) {
            assertEquals(HIDDEN, before(x, 20))
            assertTrue("${after(x, 20)}", after(x, 20) < 50)
        }
        for (y in listOf(5, 14, 26, 35)) {
            assertEquals(204, before(30, y))
            assertTrue("${after(30, y)}", after(30, y) > 150)
        }
    }

    @Test
    fun `what was hidden is uncovered, undone and all shown again`() {
        use(HIDES, 20)
        paint(0.5f to 0.5f)
        val hidden = darkroom.strokes
        assertEquals(HIDDEN, before(30, 20))
        use(UNCOVERS, 50)
        paint(0.5f to 0.5f)
        assertEquals(204, before(30, 20))
        press(R.id.undo)
        assertEquals(hidden, darkroom.strokes)
        assertEquals(HIDDEN, before(30, 20))
        press(R.id.show_all)
        assertEquals(204, before(30, 20))
        assertFalse(find<View>(R.id.show_all).isEnabled)
    }

    @Test
    fun `the middle is hidden without painting`() {
        press(R.id.hide_middle)
        assertEquals(HIDDEN, before(30, 20))
        assertEquals(204, before(10, 20))
        assertTrue(after(30, 20) < 50)
    }

    @Test
    fun `arrow keys move the brush and space paints`() {
        use(HIDES)
        assertTrue(picture.requestFocusFromTouch())
        repeat(8) { key(KeyEvent.KEYCODE_DPAD_LEFT) }
        assertTrue(darkroom.strokes.isEmpty())
        key(KeyEvent.KEYCODE_SPACE)
        finish()
        assertEquals(HIDDEN, before(6, 20))
        assertEquals(204, before(30, 20))
    }

    private fun key(code: Int) = assertTrue(picture.dispatchKeyEvent(KeyEvent(KeyEvent.ACTION_DOWN, code)))

    @Test
    fun `a finger that moves the line hides nothing`() {
        use(MOVES_LINE)
        paint(0.2f to 0.5f, 0.8f to 0.5f)
        assertTrue(darkroom.strokes.isEmpty())
        assertEquals(0.8f, picture.share, 0.03f)
    }

    @Test
    fun `another size hides the same part`() {
        choose(600, 400)
        use(HIDES, 20)
        paint(0.25f to 0.5f)
        find<Spinner>(R.id.size).setSelection(0)
        finish()
        assertEquals(256, darkroom.before!!.width)
        assertEquals(HIDDEN, before(64, 85))
        assertEquals(204, before(128, 85))
    }

    @Test
    fun `another photo is hidden nowhere`() {
        press(R.id.hide_middle)
        choose(50, 50)
        assertEquals(204, before(25, 25))
        assertNotEquals(0, after(25, 25))
        assertFalse(find<View>(R.id.undo).isEnabled)
    }

    @Test
    fun `what is hidden outlives rotation and the end of the process`() {
        use(HIDES, 20)
        paint(0.25f to 0.5f, 0.3f to 0.5f)
        val strokes = darkroom.strokes
        controller.recreate()
        finish()
        assertEquals(strokes, darkroom.strokes)
        assertEquals(HIDES, find<Spinner>(R.id.finger).selectedItemPosition)
        val state = Bundle()
        controller.saveInstanceState(state).pause().stop().destroy()
        controller = start(state)
        finish()
        assertEquals(strokes, darkroom.strokes)
        assertEquals(HIDDEN, before(15, 20))
    }

    @Test
    fun `a generator without a mask gets no brush`() {
        app.shelf = FolderShelf(File(tests, "pictures"))
        controller.pause().stop().destroy()
        controller = start()
        assertEquals(View.GONE, find<View>(R.id.brush).visibility)
    }

    @Test
    fun `golden pictures and their masks are drawn again`() {
        press(R.id.tab_proof)
        val details = find<TextView>(R.id.details).text
        assertTrue("$details", "Quantized inputs: equal" in details)
        assertNotEquals("Not equal.", find<TextView>(R.id.verdict).text.toString())
    }

    private companion object {
        const val HIDDEN = 128
        const val MOVES_LINE = 0
        const val HIDES = 1
        const val UNCOVERS = 2
    }
}
