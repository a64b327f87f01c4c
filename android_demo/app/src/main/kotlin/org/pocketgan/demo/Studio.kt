package org.pocketgan.demo

import android.os.Handler
import android.os.Looper
import java.io.Closeable
import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.FutureTask

/**
 * The one thread that draws, and the generators open on it. It survives rotation; the activity that
 * ends for good closes it.
 */
class Studio(val bundles: Bundles, val runtime: Runtime) : Closeable {
    private val thread = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())
    private val generators = HashMap<String, Generator>()
    private var settings: Settings? = null

    /**
     * Do [work] on the studio's thread, then [done] with what came of it on the main thread. Nothing
     * happens once the studio is closed.
     */
    fun <T> submit(work: () -> T, done: (Result<T>) -> Unit): Future<*> {
        val task = Runnable {
            val result = runCatching(work)
            main.post { done(result) }
        }
        return FutureTask(task, null).also(::execute)
    }

    /** As [submit], for a frame: [work] is made once. */
    fun execute(work: Runnable) {
        if (!thread.isShutdown) thread.execute(work)
    }

    fun post(work: Runnable) = main.post(work)

    /** The open generator of a variant. On the studio's thread only. */
    fun generator(variant: String, settings: Settings): Generator {
        if (settings != this.settings) closeAll()
        this.settings = settings
        return generators.getOrPut(variant) { Generator.open(bundles, variant, runtime, settings) }
    }

    private fun closeAll() {
        generators.values.forEach(Generator::close)
        generators.clear()
    }

    override fun close() {
        thread.execute(::closeAll)
        thread.shutdown()
    }
}
