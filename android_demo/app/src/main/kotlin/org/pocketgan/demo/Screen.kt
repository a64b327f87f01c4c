package org.pocketgan.demo

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import java.util.Locale

/** What one tab shows. A screen lives from its choice to the next, or to the end of the activity. */
abstract class Screen(protected val activity: MainActivity, layout: Int, parent: ViewGroup) {
    val view: View = activity.layoutInflater.inflate(layout, parent, false)

    /** The screen is seen. */
    open fun start() {}

    open fun stop() {}

    /** What another app answers, which this screen has asked. */
    open fun receive(code: Int, result: Int, data: Intent?) {}

    /** Keep what a new screen needs to look the same. */
    open fun save(state: Bundle) {}

    protected fun text(id: Int): TextView = view.findViewById(id)

    protected fun string(id: Int, vararg values: Any): String = activity.getString(id, *values)
}

/** Offer [names]; [chosen] is called for the one at [position] too. */
fun Spinner.offer(names: List<String>, position: Int, chosen: (Int) -> Unit) {
    val shown = ArrayAdapter(context, android.R.layout.simple_spinner_item, names)
    shown.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item)
    adapter = shown
    setSelection(position.coerceIn(names.indices))
    onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
        override fun onItemSelected(list: AdapterView<*>?, item: View?, place: Int, id: Long) =
            chosen(place)

        override fun onNothingSelected(list: AdapterView<*>?) = Unit
    }
}

/** [moved] is called with each place of the slider; [grasped] when a finger takes hold of it. */
fun SeekBar.follow(grasped: () -> Unit = {}, moved: (Int) -> Unit) =
    setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
        override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) = moved(progress)

        override fun onStartTrackingTouch(bar: SeekBar) = grasped()

        override fun onStopTrackingTouch(bar: SeekBar) = Unit
    })

/** Show a text, or nothing at all. */
fun TextView.tell(message: String?) {
    text = message
    visibility = if (message == null) View.GONE else View.VISIBLE
}

/** Three digits that count: 0.0412, 1.37, 12.4, 3,120. */
fun figure(value: Double): String {
    val decimals = when {
        value >= 100 -> 0
        value >= 10 -> 1
        value >= 1 -> 2
        value >= 0.1 -> 3
        else -> 4
    }
    return String.format(Locale.getDefault(), "%,.${decimals}f", value)
}

/** Threads to choose from: powers of two up to the number of cores. */
fun threadChoices(): List<Int> {
    val cores = java.lang.Runtime.getRuntime().availableProcessors()
    return generateSequence(1) { it * 2 }.takeWhile { it <= cores }.toList()
}
