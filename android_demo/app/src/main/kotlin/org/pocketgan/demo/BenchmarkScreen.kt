package org.pocketgan.demo

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.view.WindowManager
import android.widget.Button
import android.widget.CheckBox
import android.widget.ProgressBar
import android.widget.Spinner
import android.widget.TableLayout
import android.widget.TableRow
import android.widget.TextView
import org.json.JSONObject

/** Each variant's speed on this device, as the harness measures it elsewhere. */
class BenchmarkScreen(activity: MainActivity, parent: ViewGroup, state: Bundle?) :
    Screen(activity, R.layout.screen_benchmark, parent) {
    private val benchmark = activity.benchmark
    private val device = Device(activity)
    private val threads = threadChoices()
    private var thread = state?.getInt(THREADS) ?: 0
    private val sustained = view.findViewById<CheckBox>(R.id.sustained)
    private val run = view.findViewById<Button>(R.id.run)
    private val share = view.findViewById<Button>(R.id.share)
    private val progress = view.findViewById<ProgressBar>(R.id.progress)
    private val table = view.findViewById<TableLayout>(R.id.figures)

    init {
        text(R.id.about).text = string(R.string.benchmark_about, Benchmark.RUNS)
        view.findViewById<Spinner>(R.id.threads).offer(threads.map(Int::toString), thread) {
            thread = it
        }
        sustained.text = string(R.string.sustained, Benchmark.SUSTAIN_S)
        sustained.isChecked = state?.getBoolean(SUSTAINED) ?: false
        run.setOnClickListener { if (benchmark.running) benchmark.stop() else begin() }
        share.setOnClickListener { share() }
    }

    override fun start() {
        benchmark.observer = ::show
        show()
    }

    override fun stop() {
        benchmark.observer = {}
        hold(false)
    }

    override fun save(state: Bundle) {
        state.putInt(THREADS, thread)
        state.putBoolean(SUSTAINED, sustained.isChecked)
    }

    private fun begin() = benchmark.run(
        activity.studio.bundles.variants(),
        Settings(threads[thread]),
        Benchmark.SUSTAIN_S.toDouble().takeIf { sustained.isChecked },
    )

    private fun share() {
        val send = Intent(Intent.ACTION_SEND)
            .setType("text/plain")
            .putExtra(Intent.EXTRA_TEXT, benchmark.json())
        activity.startActivity(Intent.createChooser(send, null))
    }

    private fun show() {
        val running = benchmark.running
        hold(running)
        run.setText(if (running) R.string.stop_benchmark else R.string.run_benchmark)
        share.isEnabled = !running && benchmark.rows.isNotEmpty()
        progress.visibility = if (running) View.VISIBLE else View.INVISIBLE
        progress.progress = (benchmark.share * progress.max).toInt()
        text(R.id.status).text = when {
            running -> string(stageName(benchmark.stage), benchmark.variant)
            benchmark.trouble == "" -> string(R.string.stopped)
            benchmark.rows.isNotEmpty() -> device.name
            else -> ""
        }
        text(R.id.trouble).tell(benchmark.trouble?.ifEmpty { null })
        showFigures()
    }

    /** Keep the screen on, and the clock rate steady on a device that can, while it measures. */
    private fun hold(on: Boolean) {
        val flag = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        activity.window.setFlags(if (on) flag else 0, flag)
        if (device.sustainedMode) {
            activity.window.setSustainedPerformanceMode(on && sustained.isChecked)
        }
    }

    private fun stageName(stage: Progress.Stage) = when (stage) {
        Progress.Stage.LOAD -> R.string.stage_load
        Progress.Stage.WARM_UP -> R.string.stage_warm_up
        Progress.Stage.RUNS -> R.string.stage_runs
        Progress.Stage.SUSTAIN -> R.string.stage_sustain
        Progress.Stage.OUTPUTS -> R.string.stage_outputs
    }

    private fun showFigures() {
        table.removeAllViews()
        val rows = benchmark.rows
        if (rows.isEmpty()) return
        addRow("", rows.map { it.measurement.getString("variant") })
        addTimes(R.string.figure_load, "init_ms")
        addTimes(R.string.figure_first, "first_ms")
        addTimes(R.string.figure_p50, "p50_ms")
        addTimes(R.string.figure_p90, "p90_ms")
        addTimes(R.string.figure_p99, "p99_ms")
        addRow(
            string(R.string.figure_per_second),
            rows.map { figure(it.measurement.getDouble("per_second")) },
        )
        addRow(
            string(R.string.figure_memory),
            rows.map { if (it.pssKb > 0) megabytes(it.pssKb) else string(R.string.unknown) },
        )
        addRow(
            string(R.string.figure_thermal),
            rows.map { it.thermal ?: string(R.string.unknown) },
        )
        val sustained = rows.map { it.measurement.optJSONObject("sustained") }
        if (sustained.any { it != null }) {
            addRow(string(R.string.figure_sustained), sustained.map(::change))
        }
    }

    private fun megabytes(kb: Long) = string(R.string.megabytes, figure(kb / 1024.0))

    private fun change(sustained: JSONObject?): String = if (sustained == null) "" else {
        val (first, last) = listOf("first_ms", "last_ms").map { figure(sustained.getDouble(it)) }
        string(R.string.sustained_change, first, last)
    }

    private fun addTimes(name: Int, field: String) = addRow(
        string(name),
        benchmark.rows.map { string(R.string.ms, figure(it.measurement.getDouble(field))) },
    )

    private fun addRow(name: String, values: List<String>) {
        val row = TableRow(activity)
        (listOf(name) + values).forEach { value ->
            row.addView(TextView(activity, null, 0, R.style.Cell).apply { text = value })
        }
        table.addView(row)
    }

    private companion object {
        const val THREADS = "threads"
        const val SUSTAINED = "sustained"
    }
}
