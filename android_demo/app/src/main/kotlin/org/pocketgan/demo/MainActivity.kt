package org.pocketgan.demo

import android.app.Activity
import android.os.Bundle
import android.view.ViewGroup
import android.widget.RadioGroup
import android.widget.TextView

/** Draw, Benchmark and Proof, a tab each. */
class MainActivity : Activity() {
    /** What survives rotation: open interpreters, and a benchmark that is under way. */
    private class Kept(val studio: Studio, val benchmark: Benchmark)

    private lateinit var kept: Kept
    private var states = Bundle()
    private var tab = R.id.tab_draw

    var screen: Screen? = null
        private set
    val studio get() = kept.studio
    val benchmark get() = kept.benchmark

    @Suppress("DEPRECATION") // its successor is a library of its own
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        kept = lastNonConfigurationInstance as Kept? ?: keep(savedInstanceState)
        states = savedInstanceState?.getBundle(STATES) ?: Bundle()
        tab = savedInstanceState?.getInt(TAB) ?: tab
        setContentView(R.layout.activity_main)
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

    private fun keep(state: Bundle?): Kept {
        val app = application as DemoApplication
        val studio = Studio(app.bundles, app.runtime)
        return Kept(studio, Benchmark(studio, Device(this), state?.getString(MEASURED)))
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
