package org.pocketgan.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import java.io.IOException
import java.io.InputStream

/**
 * The chosen photo, and what becomes of it; it survives rotation. All on the main thread but the
 * work itself.
 */
class Darkroom(private val studio: Studio, private val photo: Photo) {
    /** Two results of one photo, held against each other. */
    class Comparison(val bitmap: Bitmap, val difference: Difference)

    private class Order(val wanted: List<FilterRequest>) {
        @Volatile
        var cancelled = false
    }

    private var order: Order? = null
    private var wanted = emptyList<FilterRequest>()

    /** The photo as it was last read, and at which size. On the studio's thread only. */
    private var source: Pair<Int, Bitmap>? = null
    private val results = LinkedHashMap<FilterRequest, Filtered>()

    var observer: () -> Unit = {}

    /** What was painted over the photo, in order. [develop] is told of it by what is wanted. */
    var strokes = emptyList<Stroke>()
    val isEmpty get() = !photo.isThere
    var before: Bitmap? = null
        private set
    var comparison: Comparison? = null
        private set
    var running = false
        private set
    var share = 0f
        private set
    var isStopped = false
        private set
    var trouble: String? = null
        private set

    operator fun get(request: FilterRequest): Filtered? = results[request]

    /** Another photo. [open] is called on the studio's thread. */
    fun take(open: () -> InputStream?) {
        studio.submit({ replace(open) }) { result ->
            result.onSuccess {
                forget()
                strokes = emptyList()
                develop(wanted.map { it.copy(strokes = strokes) })
            }
            result.onFailure { trouble = describe(it) }
            observer()
        }
    }

    private fun replace(open: () -> InputStream?) {
        val stream = try {
            open()
        } catch (error: SecurityException) {
            throw BadInput("The app that offered this picture does not let it be read.")
        } catch (_: IOException) {
            null
        } ?: throw BadInput("This picture cannot be opened. Choose another one.")
        stream.use(photo::keep)
        source = null
    }

    private fun forget() {
        cancel()
        results.clear()
        before = null
        comparison = null
    }

    /** Draw what is [wanted], the first of them first; what is not wanted any longer is dropped. */
    fun develop(wanted: List<FilterRequest>) {
        this.wanted = wanted
        if (isEmpty || wanted == order?.wanted) return
        cancel()
        if (wanted.size < 2 || wanted.any { it !in results }) comparison = null
        results.keys.retainAll(wanted)
        trouble = null
        isStopped = false
        Order(wanted).also { order = it }.let(::next)
    }

    fun stop() {
        if (!running) return
        order?.cancelled = true
        isStopped = true
    }

    /** Begin again what was stopped. */
    fun resume() {
        cancel()
        develop(wanted)
    }

    private fun cancel() {
        order?.cancelled = true
        order = null
        running = false
    }

    private fun next(order: Order) {
        val request = order.wanted.firstOrNull { it !in results }
        running = request != null || (order.wanted.size > 1 && comparison == null)
        share = 0f
        observer()
        if (request != null) {
            submit(order, { read(request) }) { (bitmap, mask, covered) ->
                before = covered
                observer()
                submit(order, { filter(order, request, bitmap, mask) }) {
                    if (it == null) end() else {
                        results[request] = it
                        next(order)
                    }
                }
            }
        } else if (running) {
            submit(order, { compare(order.wanted.map(results::getValue)) }) {
                comparison = it
                next(order)
            }
        }
    }

    private fun end() {
        running = false
        observer()
    }

    /** What comes of an order that has been replaced is dropped. */
    private fun <T> submit(order: Order, work: () -> T, done: (T) -> Unit) {
        studio.submit({ if (order.cancelled) null else Result.success(work()) }) { result ->
            if (order !== this.order) return@submit
            result.onFailure { trouble = describe(it) }
            val value = if (order.cancelled) null else result.getOrNull()
            if (value == null) end() else done(value.getOrThrow())
        }
    }

    /** The photo, what is hidden of it, and how it then looks. */
    private fun read(request: FilterRequest): Triple<Bitmap, Bitmap?, Bitmap> {
        val bitmap = read(request.side)
        try {
            val mask = maskOf(request.strokes, bitmap.width, bitmap.height)
                ?: return Triple(bitmap, null, bitmap)
            val covered = bitmap.copy(Bitmap.Config.ARGB_8888, true)
            val colour = studio.bundles.model(request.variant).picture.hiddenColour
            Canvas(covered).drawBitmap(mask, 0f, 0f, Paint().apply { color = colour })
            return Triple(bitmap, mask, covered)
        } catch (_: OutOfMemoryError) {
            throw BadInput(TOO_LARGE)
        }
    }

    private fun read(side: Int): Bitmap {
        source?.let { (size, bitmap) -> if (size == side) return bitmap }
        val bitmap = try {
            photo.read(side)
        } catch (_: OutOfMemoryError) {
            throw BadInput(TOO_LARGE)
        }
        source = side to bitmap
        return bitmap
    }

    private fun filter(order: Order, request: FilterRequest, bitmap: Bitmap, mask: Bitmap?): Filtered? {
        var told = 0
        return Filter(studio.generator(request.variant, request.settings)).apply(bitmap, mask) { share ->
            val percent = (100 * share).toInt()
            if (percent > told) {
                told = percent
                studio.post {
                    if (order === this.order) {
                        this.share = share
                        observer()
                    }
                }
            }
            !order.cancelled
        }
    }

    private fun compare(both: List<Filtered>): Comparison {
        val (a, b) = both.map { it.bitmap }
        if (a.width != b.width || a.height != b.height) {
            throw BadInput("The two variants draw pictures of different sizes.")
        }
        val shown = Bitmap.createBitmap(a.width, a.height, Bitmap.Config.ARGB_8888)
        return Comparison(shown, Difference.of(a, b, shown))
    }
    private companion object {
        const val TOO_LARGE = "This device has not enough memory to open the picture. Choose a smaller size."
    }
}
