package org.pocketgan.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.graphics.Bitmap
import android.os.Build
import android.os.Bundle
import android.provider.MediaStore
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ProgressBar
import android.widget.SeekBar
import android.widget.Spinner
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale

/** A photo, and what a generator that reads pictures makes of it. */
class PhotoScreen(activity: MainActivity, parent: ViewGroup, state: Bundle?) :
    Screen(activity, R.layout.screen_photo, parent) {
    private val studio = activity.studio
    private val darkroom = activity.darkroom
    private val variants = studio.bundles.pictureReaders()
    private val masked = variants.filter { studio.bundles.model(it).picture.mask }

    private var variant = state?.getInt(VARIANT) ?: 0
    private var size = state?.getInt(SIZE) ?: SIDES.indexOf(USUAL_SIDE)
    private var beside = Beside.entries[state?.getInt(BESIDE) ?: 0]
    private val engine = Engine(view, state) { develop() }

    private val picture = view.findViewById<DividedView>(R.id.picture)
    private val divide = view.findViewById<SeekBar>(R.id.divide)
    private val progress = view.findViewById<ProgressBar>(R.id.progress)
    private val run = view.findViewById<Button>(R.id.run)
    private val brush = BrushPanel(view, state, picture, darkroom) { develop() }
    private val gallery = Gallery(activity.contentResolver)

    /** What lies left of the divide; right of it is what the chosen variant drew. */
    private enum class Beside { PHOTO, OTHER, DIFFERENCE }

    private val request get() = FilterRequest(variants[variant], engine.settings, SIDES[size], darkroom.strokes)
    private val other get() = variants.firstOrNull { it != variants[variant] }
    private val result get() = darkroom[request]

    init {
        offerChoices()
        click(R.id.choose) { choose() }
        click(R.id.take) { take() }
        click(R.id.save) { save() }
        click(R.id.share) { share() }
        run.setOnClickListener { if (darkroom.running) darkroom.stop() else darkroom.resume() }
        picture.moved = { divide.progress = (it * divide.max).toInt() }
        divide.follow { picture.share = it.toFloat() / divide.max }
        divide.progress = state?.getInt(DIVIDE) ?: (divide.max / 2)
    }

    private fun click(id: Int, action: () -> Unit) =
        view.findViewById<View>(id).setOnClickListener { action() }

    private fun offerChoices() {
        view.findViewById<Spinner>(R.id.variant).offer(variants, variant) {
            variant = it
            develop()
        }
        val sizes = SIDES.map { if (it == 0) string(R.string.whole) else string(R.string.side, it) }
        view.findViewById<Spinner>(R.id.size).offer(sizes, size) {
            size = it
            develop()
        }
        val compared = view.findViewById<Spinner>(R.id.beside)
        val places = listOf(R.string.photo, R.string.other_variant, R.string.difference)
        compared.offer(places.map(::string).take(if (variants.size > 1) 3 else 1), beside.ordinal) {
            beside = Beside.entries[it]
            develop()
        }
    }

    override fun start() {
        darkroom.observer = ::show
        develop()
    }

    override fun stop() {
        darkroom.observer = {}
    }

    override fun save(state: Bundle) {
        state.putInt(VARIANT, variant)
        state.putInt(SIZE, size)
        state.putInt(BESIDE, beside.ordinal)
        state.putInt(DIVIDE, divide.progress)
        engine.save(state)
        brush.save(state)
    }

    private fun develop() {
        val second = other?.takeIf { beside != Beside.PHOTO }
        darkroom.develop(listOfNotNull(request, second?.let { request.copy(variant = it) }))
        show()
    }

    private fun show() {
        val drawn = result
        val left = when (beside) {
            Beside.PHOTO -> darkroom.before
            Beside.OTHER -> other?.let { darkroom[request.copy(variant = it)] }?.bitmap
            Beside.DIFFERENCE -> darkroom.comparison?.bitmap
        }
        picture.show(left ?: darkroom.before, drawn?.bitmap)
        picture.contentDescription = describePicture(drawn != null, left != null)
        view.findViewById<View>(R.id.shown).visibility = visible(darkroom.before != null)
        text(R.id.hint).visibility = visible(darkroom.isEmpty)
        divide.isEnabled = drawn != null
        text(R.id.trouble).tell(darkroom.trouble ?: drawn?.note?.let { string(R.string.gpu_fell_back, it) })
        showProgress()
        brush.show(variants[variant] in masked)
        text(R.id.facts).tell(facts().joinToString("\n").ifEmpty { null })
        for (id in listOf(R.id.save, R.id.share)) view.findViewById<View>(id).isEnabled = drawn != null
    }

    private fun visible(yes: Boolean) = if (yes) View.VISIBLE else View.GONE

    private fun showProgress() {
        run.setText(if (darkroom.running) R.string.stop_filter else R.string.resume_filter)
        run.visibility = visible(darkroom.running || darkroom.isStopped)
        progress.visibility = visible(darkroom.running)
        progress.progress = (darkroom.share * progress.max).toInt()
    }

    private fun describePicture(isDrawn: Boolean, isCompared: Boolean): String {
        if (!isDrawn) return string(R.string.photo_alone)
        val left = when {
            beside == Beside.PHOTO || !isCompared -> string(R.string.photo)
            beside == Beside.OTHER -> other.orEmpty()
            else -> string(R.string.difference)
        }
        return string(R.string.divided, left, variants[variant])
    }

    private fun facts(): List<String> {
        val compared = other?.takeIf { beside != Beside.PHOTO }
        val both = listOfNotNull(variants[variant], compared).mapNotNull { name ->
            darkroom[request.copy(variant = name)]?.let { facts(name, it) }
        }
        val difference = darkroom.comparison?.difference?.takeIf { compared != null }
        return both + listOfNotNull(
            difference?.let {
                if (beside == Beside.DIFFERENCE) {
                    string(R.string.difference_shown, it.largest, figure(it.mean), Difference.AMPLIFIED)
                } else {
                    string(R.string.difference_facts, it.largest, figure(it.mean))
                }
            },
        )
    }

    private fun facts(name: String, drawn: Filtered): String {
        val tiles = activity.resources.getQuantityString(R.plurals.tiles, drawn.tiles, drawn.tiles)
        val (width, height) = drawn.bitmap.run { width to height }
        val seconds = figure(drawn.seconds)
        val facts = string(R.string.filtered, name, width, height, seconds, tiles, figure(drawn.tileMs))
        val grown = drawn.memoryKb ?: return facts
        return facts + string(R.string.memory_grown, figure(grown / 1024.0))
    }

    private fun choose() {
        val pick = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
            Intent(MediaStore.ACTION_PICK_IMAGES)
        } else {
            Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
        }
        ask(pick.setType("image/*"), CHOOSE)
    }

    /** The camera's app takes the picture, so that this one needs no permission for the camera. */
    private fun take() {
        SharedPictures.file(activity, CAMERA).delete()
        val flags = Intent.FLAG_GRANT_WRITE_URI_PERMISSION or Intent.FLAG_GRANT_READ_URI_PERMISSION
        ask(
            Intent(MediaStore.ACTION_IMAGE_CAPTURE)
                .putExtra(MediaStore.EXTRA_OUTPUT, SharedPictures.uri(activity, CAMERA))
                .addFlags(flags),
            TAKE,
        )
    }

    private fun ask(intent: Intent, code: Int) = try {
        activity.startActivityForResult(intent, code)
    } catch (_: ActivityNotFoundException) {
        text(R.id.trouble).tell(string(R.string.no_app))
    }

    override fun receive(code: Int, result: Int, data: Intent?) {
        if (result != Activity.RESULT_OK) return
        val resolver = activity.contentResolver
        when (code) {
            TAKE -> SharedPictures.file(activity, CAMERA).let { file -> darkroom.take { file.inputStream() } }
            CHOOSE -> data?.data?.let { uri -> darkroom.take { resolver.openInputStream(uri) } }
            SAVE -> data?.data?.let { uri -> write(R.string.saved) { bitmap -> gallery.write(bitmap, uri) } }
        }
    }

    private fun save() {
        if (Gallery.isOpen) {
            write(R.string.saved_to_gallery) { bitmap -> gallery.add(bitmap, name()) }
        } else {
            val create = Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
            ask(create.setType("image/png").putExtra(Intent.EXTRA_TITLE, name()), SAVE)
        }
    }

    private fun share() {
        val file = SharedPictures.file(activity, SHARED)
        write({ bitmap -> file.outputStream().use { Gallery.png(bitmap, it) } }) {
            val uri = SharedPictures.uri(activity, SHARED)
            val send = Intent(Intent.ACTION_SEND)
                .setType("image/png")
                .putExtra(Intent.EXTRA_STREAM, uri)
                .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
            send.clipData = android.content.ClipData.newRawUri(null, uri)
            activity.startActivity(Intent.createChooser(send, null))
        }
    }

    private fun write(words: Int, put: (Bitmap) -> Unit) =
        write(put) { text(R.id.outcome).tell(string(words)) }

    /** Write the result on the studio's thread, which may take seconds. */
    private fun write(put: (Bitmap) -> Unit, done: () -> Unit) {
        val bitmap = result?.bitmap ?: return
        text(R.id.outcome).tell(null)
        studio.submit({ put(bitmap) }) { outcome ->
            outcome.fold({ done() }) { text(R.id.trouble).tell(describe(it)) }
        }
    }

    private fun name() =
        "pocketgan-${SimpleDateFormat("yyyyMMdd-HHmmss", Locale.ROOT).format(Date())}.png"

    private companion object {
        const val VARIANT = "variant"
        const val SIZE = "size"
        const val BESIDE = "beside"
        const val DIVIDE = "divide"
        const val CHOOSE = 1
        const val TAKE = 2
        const val SAVE = 3
        const val CAMERA = "camera.jpg"
        const val SHARED = "pocketgan.png"

        /** Of the longer side, in pixels; 0 is the whole photo. */
        val SIDES = listOf(256, 512, 1024, 2048, 0)
        const val USUAL_SIDE = 512
    }
}
