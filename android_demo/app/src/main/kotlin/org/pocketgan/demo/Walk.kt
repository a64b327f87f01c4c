package org.pocketgan.demo

import android.view.Choreographer

/**
 * Walks between two latents, a picture a frame: by hand, or by itself to and fro.
 *
 * The main thread asks for a picture only when the last one is shown, so that both can use the same
 * arrays and a slow device skips frames.
 */
class Walk(
    private val studio: Studio,
    private val view: PictureView,
    private val moved: (Float) -> Unit,
    private val counted: (Int) -> Unit,
) : Choreographer.FrameCallback {
    private class Path(val request: SheetRequest, val generator: Generator) {
        val spec = generator.model.latent
        val from = request.latent(spec, 0)
        val to = request.latent(spec, 1)
        val latent = FloatArray(spec.width)
        val colours = generator.picture()
    }

    private var request: SheetRequest? = null
    private var path: Path? = null
    private var failed = false
    private var busy = false
    private var asked = false
    private var lastFrame = 0L
    private var step = 1
    private var frames = 0
    private var counting = 0L

    /** The place on the way, from 0 to 1. */
    var share = 0f
        private set
    var playing = false
        private set

    private val work = Runnable {
        failed = runCatching(::drawPicture).isFailure // the sheet says why
        studio.post(shown)
    }
    private val shown = Runnable {
        busy = false
        if (!failed) path?.let { view.show(it.colours, it.generator.width, it.generator.height) }
        frames += 1
        if (asked) draw()
    }

    /** From the first picture of a sheet to its second. */
    fun between(request: SheetRequest) {
        this.request = request
        draw()
    }

    fun moveTo(share: Float) {
        this.share = share
        draw()
    }

    fun play() {
        if (playing) return
        playing = true
        lastFrame = 0
        counting = 0
        Choreographer.getInstance().postFrameCallback(this)
    }

    fun pause() {
        playing = false
        Choreographer.getInstance().removeFrameCallback(this)
    }

    override fun doFrame(now: Long) {
        if (!playing) return
        if (lastFrame != 0L) advance((now - lastFrame) / NS_PER_WALK)
        lastFrame = now
        count(now)
        draw()
        Choreographer.getInstance().postFrameCallback(this)
    }

    private fun advance(way: Float) {
        share += step * way
        if (share !in 0f..1f) step = -step
        share = share.coerceIn(0f, 1f)
        moved(share)
    }

    private fun count(now: Long) {
        if (counting == 0L || now - counting >= NS_PER_SECOND) {
            if (counting != 0L) counted((frames * NS_PER_SECOND / (now - counting)).toInt())
            counting = now
            frames = 0
        }
    }

    private fun draw() {
        asked = busy
        if (busy || request == null) return
        busy = true
        studio.execute(work)
    }

    private fun drawPicture() {
        val wanted = request ?: return
        val generator = studio.generator(wanted.variant, wanted.settings)
        val current = path?.takeIf { it.request == wanted && it.generator === generator }
            ?: Path(wanted, generator).also { path = it }
        current.spec.walk(current.from, current.to, share, current.latent)
        generator.draw(current.latent, current.colours)
    }

    private companion object {
        const val NS_PER_WALK = 2e9f
        const val NS_PER_SECOND = 1_000_000_000L
    }
}
