package org.pocketgan.demo

import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.CheckBox
import android.widget.GridLayout
import android.widget.LinearLayout
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.Switch
import android.widget.TableLayout
import android.widget.TextView
import android.widget.ToggleButton
import java.io.File
import java.time.Duration
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
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
import org.robolectric.shadows.ShadowDialog

/** Buttons pressed, choices made, the device turned, the process ended: what a person sees. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h891dp-mdpi")
class ScreensTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private var controller = start()
    private val activity get() = controller.get()

    private fun start(state: Bundle? = null): ActivityController<MainActivity> =
        Robolectric.buildActivity(MainActivity::class.java)
            .run { if (state == null) setup() else setup(state) }
            .also { settle(it.get()) }

    private fun <T : View> find(id: Int): T = activity.findViewById(id)

    private fun text(id: Int) = find<TextView>(id).text.toString()

    private fun press(id: Int) {
        find<View>(id).performClick()
        settle(activity)
    }

    private fun choose(id: Int, position: Int) {
        find<Spinner>(id).setSelection(position)
        settle(activity)
    }

    /** What the pictures of a grid show. */
    private fun shown(id: Int): List<List<Int>> = find<GridLayout>(id).children().map(::pixels)

    private fun pixels(view: View): List<Int> {
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(bitmap))
        return IntArray(view.width * view.height)
            .also { bitmap.getPixels(it, 0, view.width, 0, 0, view.width, view.height) }.toList()
    }

    @Test
    fun `pictures are drawn at once, with their speed`() {
        val pictures = shown(R.id.sheet)
        assertEquals(16, pictures.toSet().size)
        assertTrue(pictures.all { it.toSet().size > 20 })
        assertTrue(text(R.id.speed), Regex(".+ ms a picture · .+ pictures a second") matches text(R.id.speed))
        assertEquals(View.GONE, find<View>(R.id.trouble).visibility)
    }

    @Test
    fun `new pictures come by button and by shaking`() {
        val first = shown(R.id.sheet)
        press(R.id.new_pictures)
        val second = shown(R.id.sheet)
        assertNotEquals(first, second)

        var shaken = 0
        val shake = Shake(activity) { shaken += 1 }
        shake.feel(floatArrayOf(0f, 9.8f, 0f), 1_000_000_000) // it lies still
        shake.feel(floatArrayOf(20f, 20f, 0f), 2_000_000_000)
        shake.feel(floatArrayOf(20f, 20f, 0f), 2_100_000_000) // the same shake
        shake.feel(floatArrayOf(20f, 20f, 0f), 3_000_000_000)
        assertEquals(2, shaken)
    }

    @Test
    fun `a class is chosen for all pictures`() {
        assertEquals(11, find<Spinner>(R.id.label).count)
        assertNotEquals(1, descriptions().map { it.substringAfter("class") }.toSet().size)
        choose(R.id.label, 4)
        assertEquals(setOf(" 3"), descriptions().map { it.substringAfter("class") }.toSet())
    }

    private fun descriptions() =
        find<GridLayout>(R.id.sheet).children().map { it.contentDescription.toString() }

    @Test
    fun `a slider a direction changes what is drawn, and stays when the device is turned`() {
        File(tests, "bundles").copyRecursively(temporary.root, overwrite = true)
        for (variant in listOf("int8", "float32")) {
            val card = File(temporary.root, "$variant/model.json")
            val model = JSONObject(card.readText()).put("version", 2)
            val vector = JSONArray(List(6) { if (it == 2) 1.0 else 0.0 })
            val direction = JSONObject().put("name", "slant").put("vector", vector)
            model.getJSONObject("latent").put("directions", JSONArray(listOf(direction)))
            card.writeText(model.toString())
        }
        app.shelf = FolderShelf(temporary.root)
        controller.pause().stop().destroy()
        controller = start()
        val straight = shown(R.id.sheet)
        assertEquals("slant", find<View>(R.id.amount).contentDescription)
        find<SeekBar>(R.id.amount).progress = 40
        settle(activity)
        val slanted = shown(R.id.sheet)
        // A latent that lies at its int8 limit already goes no further.
        assertTrue(straight.zip(slanted).count { (a, b) -> a != b } >= 12)
        controller.recreate()
        settle(activity)
        assertEquals(slanted, shown(R.id.sheet))
        find<SeekBar>(R.id.amount).progress = 20
        settle(activity)
        assertEquals(straight, shown(R.id.sheet))
    }

    @Test
    fun `each picture and control says what it is`() {
        val silent = controls(find(android.R.id.content)).filter { view ->
            view.contentDescription == null && (view as? TextView)?.text.isNullOrEmpty() &&
                activity.window.decorView.labelFor(view) == null
        }
        assertEquals(emptyList<View>(), silent)
    }

    private fun controls(view: View): List<View> = when (view) {
        is Spinner -> listOf(view)
        is android.view.ViewGroup -> view.children().flatMap(::controls)
        else -> listOf(view).filter { it.isClickable || it is PictureView }
    }.filter { it.isShown }

    @Test
    fun `a variant is chosen and compared with the other`() {
        val int8 = shown(R.id.sheet)
        assertEquals(View.GONE, find<View>(R.id.comparison).visibility)
        press(R.id.compare)
        assertEquals("Difference to float32", find<Switch>(R.id.compare).text)
        val words = Regex("Largest difference \\d+ levels of 255, mean .+")
        assertTrue(text(R.id.difference), words.containsMatchIn(text(R.id.difference)))
        assertEquals(View.VISIBLE, find<View>(R.id.comparison).visibility)

        val float32 = shown(R.id.comparison).take(8)
        choose(R.id.variant, 1)
        assertEquals("Difference to int8", find<Switch>(R.id.compare).text)
        assertNotEquals(int8, shown(R.id.sheet))
        assertNotEquals(float32, shown(R.id.comparison).take(8))
    }

    @Test
    fun `the slider walks and play runs by itself`() {
        val start = pixels(find(R.id.walk_picture))
        find<SeekBar>(R.id.walk).progress = 500
        settle(activity)
        val middle = pixels(find(R.id.walk_picture))
        find<SeekBar>(R.id.walk).progress = 1000
        settle(activity)
        assertEquals(3, setOf(start, middle, pixels(find(R.id.walk_picture))).size)

        pauseFrames()
        press(R.id.play)
        repeat(25) { settle(activity) }
        assertNotEquals(1000, find<SeekBar>(R.id.walk).progress)
        assertTrue(text(R.id.frames), Regex("\\d\\d frames a second") matches text(R.id.frames))
        press(R.id.play)
        val stopped = find<SeekBar>(R.id.walk).progress
        shadowOf(activity.mainLooper).idleFor(Duration.ofMillis(100))
        assertEquals(stopped, find<SeekBar>(R.id.walk).progress)
    }

    @Test
    fun `a picture is enlarged by a tap and stays so when the device is turned`() {
        find<GridLayout>(R.id.sheet).getChildAt(2).performClick()
        assertTrue(ShadowDialog.getLatestDialog().isShowing)
        controller.recreate()
        settle(activity)
        val dialog = ShadowDialog.getLatestDialog() as android.app.AlertDialog
        assertTrue(dialog.isShowing)
        dialog.getButton(android.app.AlertDialog.BUTTON_POSITIVE).performClick()
        settle(activity)
        assertFalse(dialog.isShowing)
    }

    @Test
    @Config(qualifiers = "w891dp-h411dp-land-mdpi")
    fun `an enlarged picture fits a device that lies on its side`() {
        find<GridLayout>(R.id.sheet).getChildAt(0).performClick()
        settle(activity)
        val dialog = ShadowDialog.getLatestDialog() as android.app.AlertDialog
        val picture = find(dialog.window!!.decorView)!!
        assertTrue("${picture.height}", picture.height in 100..411)
        assertTrue(dialog.getButton(android.app.AlertDialog.BUTTON_POSITIVE).isShown)
    }

    private fun find(view: View): PictureView? = view as? PictureView
        ?: (view as? android.view.ViewGroup)?.children()?.firstNotNullOfOrNull(::find)

    @Test
    fun `turning the device keeps pictures, choices and the open interpreter`() {
        choose(R.id.label, 6)
        find<SeekBar>(R.id.walk).progress = 250
        settle(activity)
        val before = shown(R.id.sheet)
        val open = app.runtime.opened
        controller.recreate()
        settle(activity)
        assertEquals(before, shown(R.id.sheet))
        assertEquals(6, find<Spinner>(R.id.label).selectedItemPosition)
        assertEquals(250, find<SeekBar>(R.id.walk).progress)
        assertEquals("no interpreter is opened anew", open, app.runtime.opened)
    }

    @Test
    fun `after the process has died the same pictures are drawn`() {
        choose(R.id.variant, 1)
        choose(R.id.label, 2)
        val before = shown(R.id.sheet)
        val state = Bundle()
        controller.saveInstanceState(state).pause().stop().destroy()
        controller = start(state)
        assertEquals(before, shown(R.id.sheet))
        assertEquals(1, find<Spinner>(R.id.variant).selectedItemPosition)
    }

    @Test
    fun `the interpreters are closed with the activity`() {
        press(R.id.compare)
        assertEquals(2, app.runtime.open)
        controller.pause().stop().destroy()
        val end = System.nanoTime() + 5_000_000_000
        while (app.runtime.open > 0 && System.nanoTime() < end) Thread.sleep(5)
        assertEquals(0, app.runtime.open)
    }

    @Test
    fun `a GPU that is not there is said and done without`() {
        press(R.id.gpu)
        assertTrue(find<CheckBox>(R.id.gpu).isChecked)
        assertTrue(text(R.id.trouble), "the CPU draws instead: this machine has no GPU" in text(R.id.trouble))
        assertEquals(16, shown(R.id.sheet).toSet().size)
        press(R.id.gpu)
        assertEquals(View.GONE, find<View>(R.id.trouble).visibility)
    }

    @Test
    fun `a benchmark fills its table and can be shared`() {
        press(R.id.tab_benchmark)
        assertFalse(find<Button>(R.id.share).isEnabled)
        press(R.id.run)
        waitForBenchmark()
        val table = find<TableLayout>(R.id.figures)
        assertEquals(listOf("", "int8", "float32"), cells(table, 0))
        assertEquals("p90", cells(table, 4)[0])
        assertTrue(cells(table, 4)[1].endsWith(" ms"))

        press(R.id.share)
        val chooser = shadowOf(activity).nextStartedActivity
        @Suppress("DEPRECATION")
        val sent = chooser.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals(Intent.ACTION_SEND, sent.action)
        val shared = JSONArray(sent.getStringExtra(Intent.EXTRA_TEXT))
        assertEquals("float32", shared.getJSONObject(1).getString("variant"))

        val state = Bundle()
        controller.saveInstanceState(state).pause().stop().destroy()
        controller = start(state)
        assertEquals("its figures outlive the process", cells(table, 4), cells(find(R.id.figures), 4))
    }

    @Test
    fun `a benchmark goes on while the device is turned, and stops when told`() {
        press(R.id.tab_benchmark)
        find<CheckBox>(R.id.sustained).isChecked = true
        find<View>(R.id.run).performClick()
        controller.recreate()
        assertTrue(activity.benchmark.running)
        assertEquals("Stop", text(R.id.run))
        find<View>(R.id.run).performClick()
        waitForBenchmark()
        assertEquals("Stopped.", text(R.id.status))
        assertEquals("Run", text(R.id.run))
    }

    private fun waitForBenchmark() {
        val end = System.nanoTime() + 30_000_000_000
        while (activity.benchmark.running && System.nanoTime() < end) settle(activity)
        settle(activity)
        assertFalse(activity.benchmark.running)
    }

    private fun cells(table: TableLayout, row: Int) =
        (table.getChildAt(row) as android.view.ViewGroup).children().map { (it as TextView).text.toString() }

    @Test
    fun `golden vectors are proven for each bundle`() {
        press(R.id.tab_proof)
        val cards = find<LinearLayout>(R.id.proofs).children()
        assertEquals(2, cards.size)
        for (card in cards) {
            val details = card.findViewById<TextView>(R.id.details).text
            assertTrue("$details", "Latents from seeds: equal" in details)
            assertTrue("$details", "Quantized inputs: equal" in details)
            assertNotEquals("", card.findViewById<TextView>(R.id.verdict).text.toString())
            assertTrue(card.findViewById<GridLayout>(R.id.pictures).childCount >= 8)
        }
    }

    @Test
    fun `a broken bundle is told on every screen and the app lives`() {
        File(tests, "bundles").copyRecursively(temporary.root, overwrite = true)
        val file = File(temporary.root, "int8/generator.tflite")
        file.writeBytes(file.readBytes().copyOf(1000))
        app.shelf = FolderShelf(temporary.root)
        controller.pause().stop().destroy()
        controller = start()
        val words = "generator.tflite has 1000 bytes"
        assertTrue(text(R.id.trouble), words in text(R.id.trouble))
        assertEquals(View.INVISIBLE, find<View>(R.id.sheet).visibility)
        choose(R.id.variant, 1) // the other bundle is whole
        assertEquals(View.VISIBLE, find<View>(R.id.sheet).visibility)
        assertEquals(View.GONE, find<View>(R.id.trouble).visibility)
        assertEquals(16, shown(R.id.sheet).toSet().size)

        press(R.id.tab_benchmark)
        press(R.id.run)
        waitForBenchmark()
        assertTrue(text(R.id.trouble), words in text(R.id.trouble))

        press(R.id.tab_proof)
        val card = find<LinearLayout>(R.id.proofs).getChildAt(0)
        assertTrue(words in card.findViewById<TextView>(R.id.trouble).text)
    }

    @Test
    fun `an app without bundles says how it is built`() {
        app.shelf = FolderShelf(temporary.root)
        controller.pause().stop().destroy()
        controller = start()
        val said = find<android.view.ViewGroup>(R.id.screen).getChildAt(0) as TextView
        assertTrue(said.text.toString(), "make android" in said.text)
        assertNotNull(activity)
    }
}
