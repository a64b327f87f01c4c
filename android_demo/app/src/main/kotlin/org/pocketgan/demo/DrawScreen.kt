package org.pocketgan.demo

import android.app.AlertDialog
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.GridLayout
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.Switch
import android.widget.TextView
import android.widget.ToggleButton
import kotlin.math.roundToInt
import kotlin.random.Random

/** Pictures by seed; all that is shown follows from the seed and the choices, which are kept. */
class DrawScreen(activity: MainActivity, parent: ViewGroup, state: Bundle?) :
    Screen(activity, R.layout.screen_draw, parent) {
    private val studio = activity.studio
    private val variants = studio.bundles.run { variants() - pictureReaders() }

    private var seed = state?.getLong(SEED) ?: newSeed()
    private var variant = state?.getInt(VARIANT) ?: 0
    private var label = state?.getInt(LABEL) ?: ANY
    private val amounts = state?.getFloatArray(AMOUNTS)?.toMutableList() ?: mutableListOf()
    private val engine = Engine(view, state) { redraw() }
    private var compare = state?.getBoolean(COMPARE) ?: false
    private var enlarged = state?.getInt(ENLARGED) ?: NONE

    private val sheet = view.findViewById<GridLayout>(R.id.sheet).addPictures(Sheet.PICTURES)
    private val comparison = view.findViewById<GridLayout>(R.id.comparison)
    private val compared = comparison.addPictures(COMPARED)
    private val differences = comparison.addPictures(COMPARED)
    private val slider = view.findViewById<SeekBar>(R.id.walk)
    private val play = view.findViewById<ToggleButton>(R.id.play)

    private val walk = Walk(
        studio,
        view.findViewById(R.id.walk_picture),
        moved = { slider.progress = (it * slider.max).toInt() },
        counted = { text(R.id.frames).text = string(R.string.frames, it) },
    )
    private val shake = Shake(activity) { renew() }
    private var request: SheetRequest? = null
    private var drawing = false
    private var shown: Sheet? = null
    private var dialog: AlertDialog? = null

    init {
        offerChoices()
        sheet.forEachIndexed { picture, view ->
            view.foreground = activity.themed(android.R.attr.selectableItemBackground)
            view.setOnClickListener { enlarge(picture) }
        }
        view.findViewById<View>(R.id.new_pictures).setOnClickListener { renew() }
        slider.follow(grasped = { play.isChecked = false }) {
            if (!walk.playing) walk.moveTo(it.toFloat() / slider.max)
        }
        slider.progress = state?.getInt(SHARE) ?: 0
        play.setOnCheckedChangeListener { _, on -> if (on) walk.play() else walk.pause() }
    }

    private fun offerChoices() {
        view.findViewById<Spinner>(R.id.variant).offer(variants, variant) {
            variant = it
            redraw()
        }
        view.findViewById<Switch>(R.id.compare).apply {
            visibility = if (variants.size > 1) View.VISIBLE else View.GONE
            isChecked = compare
            setOnCheckedChangeListener { _, on ->
                compare = on
                redraw()
            }
        }
        view.findViewById<View>(R.id.label_choice).visibility = View.GONE
    }

    /** Classes are known once a model is. */
    private fun offerLabels(names: List<String>) {
        val spinner = view.findViewById<Spinner>(R.id.label)
        if (names.isEmpty() || spinner.count == names.size + 1) return
        view.findViewById<View>(R.id.label_choice).visibility = View.VISIBLE
        spinner.offer(listOf(string(R.string.any_label)) + names, label + 1) {
            label = it - 1
            redraw()
        }
    }

    /** A slider a direction, once a model is known; the middle changes nothing. */
    private fun offerDirections(directions: List<Direction>) {
        val place = view.findViewById<ViewGroup>(R.id.directions)
        if (place.childCount > 0) return
        while (amounts.size < directions.size) amounts += 0f
        directions.forEachIndexed { number, direction ->
            val row = activity.layoutInflater.inflate(R.layout.direction, place, false)
            row.findViewById<TextView>(R.id.name).text = direction.name
            val slider = row.findViewById<SeekBar>(R.id.amount)
            slider.contentDescription = direction.name
            slider.progress = ((amounts[number] / FARTHEST + 1) / 2 * slider.max).roundToInt()
            slider.follow {
                amounts[number] = (2f * it / slider.max - 1) * FARTHEST
                redraw()
            }
            place.addView(row)
        }
    }

    override fun start() {
        shake.start()
        redraw()
    }

    override fun stop() {
        play.isChecked = false
        shake.stop()
        dialog?.apply {
            setOnDismissListener(null)
            dismiss()
        }
        dialog = null
    }

    override fun save(state: Bundle) {
        state.putLong(SEED, seed)
        state.putInt(VARIANT, variant)
        state.putInt(LABEL, label)
        state.putFloatArray(AMOUNTS, amounts.toFloatArray())
        engine.save(state)
        state.putBoolean(COMPARE, compare)
        state.putInt(ENLARGED, enlarged)
        state.putInt(SHARE, slider.progress)
    }

    private fun renew() {
        seed = newSeed()
        redraw()
    }

    private fun redraw() {
        val other = variants.firstOrNull { it != variants[variant] }
        val wanted = SheetRequest(
            variants[variant],
            engine.settings,
            seed,
            label.takeIf { it != ANY },
            other.takeIf { compare },
            amounts.toList(),
        )
        view.findViewById<Switch>(R.id.compare).text = string(R.string.compare, other.orEmpty())
        if (wanted == request && shown != null) return
        request = wanted
        if (!drawing) draw(wanted)
        walk.between(wanted)
    }

    /** One sheet at a time: what a slider asks for on its way is left out. */
    private fun draw(wanted: SheetRequest) {
        drawing = true
        studio.submit({ Sheet.draw(studio, wanted) }) { drawn ->
            drawing = false
            val now = request
            if (now == wanted || now == null) drawn.fold(::show, ::fail) else draw(now)
        }
    }

    /** Nothing of another variant stays on the screen. */
    private fun fail(error: Throwable) {
        text(R.id.trouble).tell(describe(error))
        seen(false)
    }

    private fun seen(drawn: Boolean) {
        for (id in listOf(R.id.sheet, R.id.speed, R.id.walk_picture)) {
            view.findViewById<View>(id).visibility = if (drawn) View.VISIBLE else View.INVISIBLE
        }
    }

    private fun show(drawn: Sheet) {
        shown = drawn
        seen(true)
        text(R.id.trouble).tell(drawn.note?.let { string(R.string.gpu_fell_back, it) })
        offerLabels(drawn.model.latent.classNames)
        offerDirections(drawn.model.latent.directions)
        sheet.forEachIndexed { picture, view ->
            view.show(drawn.pictures[picture], drawn.width, drawn.height)
            view.contentDescription = describePicture(drawn, picture)
        }
        text(R.id.speed).text =
            string(R.string.speed, figure(drawn.inferenceMs), figure(drawn.perSecond))
        showComparison(drawn)
        if (enlarged != NONE && dialog == null) enlarge(enlarged)
    }

    private fun showComparison(drawn: Sheet) {
        val found = drawn.comparison
        comparison.visibility = if (found == null) View.GONE else View.VISIBLE
        text(R.id.difference).tell(
            found?.let {
                string(R.string.compare_result, it.largest, figure(it.mean), Difference.AMPLIFIED)
            },
        )
        if (found == null) return
        for (picture in 0 until COMPARED) {
            compared[picture].show(found.pictures[picture], drawn.width, drawn.height)
            compared[picture].contentDescription = describePicture(drawn, picture)
            differences[picture].show(found.differences[picture], drawn.width, drawn.height)
            differences[picture].contentDescription =
                string(R.string.difference_picture, picture + 1)
        }
    }

    private fun className(drawn: Sheet, picture: Int): String? {
        val names = drawn.model.latent.classNames
        return names.getOrNull(request?.label(picture, names.size) ?: 0)
    }

    private fun describePicture(drawn: Sheet, picture: Int): String =
        className(drawn, picture)?.let { string(R.string.picture_of_class, picture + 1, it) }
            ?: string(R.string.picture, picture + 1)

    private fun enlarge(picture: Int) {
        val drawn = shown ?: return
        enlarged = picture
        val number = (seed + picture).toString()
        val large = PictureView(activity).apply {
            contentDescription = describePicture(drawn, picture)
            show(drawn.pictures[picture], drawn.width, drawn.height)
            val margin = resources.getDimensionPixelSize(R.dimen.margin)
            setPadding(margin, margin, margin, 0)
        }
        dialog = AlertDialog.Builder(activity)
            .setTitle(
                className(drawn, picture)?.let { string(R.string.enlarged_of_class, number, it) }
                    ?: string(R.string.enlarged, number),
            )
            .setView(large)
            .setPositiveButton(R.string.close, null)
            .setOnDismissListener {
                enlarged = NONE
                dialog = null
            }
            .show()
    }

    private companion object {
        const val SEED = "seed"
        const val VARIANT = "variant"
        const val LABEL = "label"
        const val AMOUNTS = "amounts"
        const val COMPARE = "compare"
        const val ENLARGED = "enlarged"
        const val SHARE = "share"
        const val ANY = -1
        const val NONE = -1
        const val COMPARED = 8

        /** From the middle of a direction's slider to its ends. */
        const val FARTHEST = 2f

        // Numbers that a person can read out.
        fun newSeed() = Random.nextLong(1_000_000)
    }
}

private fun MainActivity.themed(attribute: Int) =
    obtainStyledAttributes(intArrayOf(attribute)).run { getDrawable(0).also { recycle() } }
