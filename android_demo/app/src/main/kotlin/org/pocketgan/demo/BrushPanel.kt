package org.pocketgan.demo

import android.os.Bundle
import android.view.View
import android.widget.SeekBar
import android.widget.Spinner

/** What a finger does on the picture, on a screen that includes the layout `brush`. */
class BrushPanel(
    private val view: View,
    state: Bundle?,
    private val picture: DividedView,
    private val darkroom: Darkroom,
    private val changed: () -> Unit,
) {
    private val width = view.findViewById<SeekBar>(R.id.brush_width)
    private var use = state?.getInt(USE) ?: MOVES_LINE

    init {
        if (darkroom.strokes.isEmpty()) darkroom.strokes = saved(state)
        width.progress = state?.getInt(WIDTH) ?: USUAL_WIDTH
        width.follow { choose() }
        picture.painted = { paint(darkroom.strokes + it) }
        click(R.id.hide_middle) { paint(darkroom.strokes + MIDDLE) }
        click(R.id.undo) { paint(darkroom.strokes.dropLast(1)) }
        click(R.id.show_all) { paint(emptyList()) }
    }

    /** Offer the brush, or take it away. */
    fun show(isOffered: Boolean) {
        view.findViewById<View>(R.id.brush).visibility = if (isOffered) View.VISIBLE else View.GONE
        if (!isOffered) {
            picture.brush = null
            return
        }
        val finger = view.findViewById<Spinner>(R.id.finger)
        if (finger.adapter == null) {
            val uses = listOf(R.string.moves_line, R.string.hides, R.string.uncovers)
            finger.offer(uses.map(view.context::getString), use) {
                use = it
                choose()
            }
        }
        choose()
        val isPainted = darkroom.strokes.isNotEmpty()
        for (id in listOf(R.id.undo, R.id.show_all)) view.findViewById<View>(id).isEnabled = isPainted
    }

    private fun choose() {
        picture.brush =
            if (use == MOVES_LINE) null
            else Stroke(hides = use == HIDES, width = maxOf(1, width.progress) / 100f)
    }

    private fun paint(strokes: List<Stroke>) {
        darkroom.strokes = strokes
        changed()
    }

    private fun click(id: Int, action: () -> Unit) =
        view.findViewById<View>(id).setOnClickListener { action() }

    fun save(state: Bundle) {
        state.putInt(USE, use)
        state.putInt(WIDTH, width.progress)
        state.putSerializable(STROKES, ArrayList(darkroom.strokes))
    }

    private companion object {
        const val USE = "brush"
        const val WIDTH = "brush width"
        const val STROKES = "strokes"

        // Of the choices of what a finger does.
        const val MOVES_LINE = 0
        const val HIDES = 1

        /** Percent of the photo's shorter side. */
        const val USUAL_WIDTH = 15

        /** For who cannot paint. */
        val MIDDLE = Stroke(hides = true, width = 0.35f).to(0.5f, 0.5f)

        @Suppress("DEPRECATION") // its successor is of Android 13
        fun saved(state: Bundle?): List<Stroke> =
            (state?.getSerializable(STROKES) as? List<*>).orEmpty().filterIsInstance<Stroke>()
    }
}
