package org.pocketgan.demo

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.RadioGroup
import android.widget.TextView
import java.io.File

/** Draw, Photo, Benchmark and Proof, a tab each; without bundles for it Draw or Photo is not there. */
class MainActivity : Activity() {
    /** What survives rotation: open interpreters, and what is measured or filtered just now. */
    private class Kept(val studio: Studio, val benchmark: Benchmark, val darkroom: Darkroom)

    private lateinit var kept: Kept
    private var states = Bundle()
    private var tab = R.id.tab_draw

    var screen: Screen? = null
        private set
    val studio get() = kept.studio
    val benchmark get() = kept.benchmark
    val darkroom get() = kept.darkroom

    @Suppress("DEPRECATION") // its successor is a library of its own
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        kept = lastNonConfigurationInstance as Kept? ?: keep(savedInstanceState)
        states = savedInstanceState?.getBundle(STATES) ?: Bundle()
        setContentView(R.layout.activity_main)
        tab = offerTabs().let { first -> savedInstanceState?.getInt(TAB) ?: first }
        val tabs = findViewById<RadioGroup>(R.id.tabs)
        tabs.check(tab)
        tabs.setOnCheckedChangeListener { _, chosen ->
            leave()
            tab = chosen
            enter()
            screen?.start()
        }
        enter()
    }

    /** Hides the tab that no bundle is for; gives the first one that is left. */
    private fun offerTabs(): Int {
        val readers = studio.bundles.pictureReaders()
        val isPhotoOnly = readers.isNotEmpty() && readers.size == studio.bundles.variants().size
        findViewById<View>(R.id.tab_draw).visibility = if (isPhotoOnly) View.GONE else View.VISIBLE
        findViewById<View>(R.id.tab_photo).visibility = if (readers.isEmpty()) View.GONE else View.VISIBLE
        return if (isPhotoOnly) R.id.tab_photo else R.id.tab_draw
    }

    private fun keep(state: Bundle?): Kept {
        val app = application as DemoApplication
        val studio = Studio(app.bundles, app.runtime)
        val photo = Photo(File(cacheDir, "photo"))
        if (state == null) photo.remove()
        return Kept(
            studio,
            Benchmark(studio, Device(this), state?.getString(MEASURED)),
            Darkroom(studio, photo),
        )
    }

    private fun enter() {
        val place = findViewById<ViewGroup>(R.id.screen)
        place.removeAllViews()
        if (studio.bundles.variants().isEmpty()) {
            place.addView(TextView(this, null, 0, R.style.Trouble).apply { setText(R.string.no_bundles) })
            return
        }
        val state = states.getBundle(tab.toString())
        screen = when (tab) {
            R.id.tab_benchmark -> BenchmarkScreen(this, place, state)
            R.id.tab_photo -> PhotoScreen(this, place, state)
            R.id.tab_proof -> ProofScreen(this, place)
            else -> DrawScreen(this, place, state)
        }.also { place.addView(it.view) }
    }

    private fun leave() {
        keepState()
        screen?.stop()
        screen = null
    }

    private fun keepState() {
        screen?.let { shown -> states.putBundle(tab.toString(), Bundle().also(shown::save)) }
    }

    override fun onResume() {
        super.onResume()
        screen?.start()
    }

    override fun onPause() {
        screen?.stop()
        super.onPause()
    }

    @Deprecated("its successor is a library of its own")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        screen?.receive(requestCode, resultCode, data)
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        keepState()
        outState.putBundle(STATES, states)
        outState.putInt(TAB, tab)
        outState.putString(MEASURED, benchmark.saved())
    }

    @Deprecated("its successor is a library of its own")
    override fun onRetainNonConfigurationInstance(): Any = kept

    override fun onDestroy() {
        if (!isChangingConfigurations) {
            benchmark.stop()
            darkroom.stop()
            studio.close()
        }
        super.onDestroy()
    }

    private companion object {
        const val STATES = "states"
        const val TAB = "tab"
        const val MEASURED = "measured"
    }
}
