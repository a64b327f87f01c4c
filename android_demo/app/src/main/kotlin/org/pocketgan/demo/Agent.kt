package org.pocketgan.demo

import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.security.MessageDigest
import java.util.concurrent.CancellationException
import java.util.zip.DeflaterOutputStream
import kotlin.math.roundToInt

/** How far a measurement is: what it does, and which part of that is done, from 0 to 1. */
fun interface Progress {
    fun report(stage: Stage, share: Float)

    enum class Stage { LOAD, WARM_UP, RUNS, SUSTAIN, OUTPUTS }
}

/**
 * Measures one model by the method of `deploy/agent.py`: MLPerf's single stream, one inference at a
 * time, the clock around the inference alone.
 *
 * Interrupting the thread ends a measurement with a CancellationException.
 */
class Agent(
    private val runtime: Runtime,
    private val device: String,
    private val machine: Machine = Machine(),
    /** What the system warns of, such as heat; asked before and after. */
    private val warnings: () -> List<String> = { emptyList() },
    private val progress: Progress = Progress { _, _ -> },
) {
    /** The fields of a Measurement but its subject: of [job], which speaks of [file], [latents]. */
    fun measure(job: Job, file: ByteBuffer, latents: Latents?): Map<String, Any?> {
        progress.report(Progress.Stage.LOAD, 0f)
        val before = machine.conditions()
        val warned = warnings().toMutableList()
        val memory = Memory(machine)

        val start = System.nanoTime()
        runtime.open(file, job.settings).use { session ->
            val initNs = System.nanoTime() - start
            val feeds = Feeds(session, latents, job.seed)
            feeds.set(0)
            val firstNs = session.run()
            val affordable = affordableRuns(firstNs, job.budgetSeconds)
            warmUp(session, minOf(job.warmup.toLong(), (affordable * WARMUP_SHARE).toLong()).toInt())
            val peakKb = memory.peakKb() // before the samples below need memory of their own

            val runs = minOf(job.runs.toLong(), maxOf(affordable, FEWEST_RUNS)).toInt()
            val samples = timeRuns(session, runs)
            val overhead = Statistics.median(LongArray(runs) { timeNothing() })
            val sustained = job.sustainSeconds?.let { sustain(session, it) }
            val after = machine.conditions()
            warned += warnings()
            memory.warning?.let(warned::add)

            val outputs = Outputs(session, job.keepOutputs)
            for (turn in 0 until feeds.count) {
                progress.report(Progress.Stage.OUTPUTS, turn.toFloat() / feeds.count)
                feeds.set(turn)
                session.run()
                outputs.add()
            }
            return mapOf(
                "device" to device,
                "cpu" to machine.cpu(),
                "runtime" to runtime.name,
                "runtime_version" to runtime.version,
                "init_ms" to initNs / Statistics.NS_PER_MS,
                "first_ms" to firstNs / Statistics.NS_PER_MS,
                "overhead_ns" to overhead.takeIf { it > 0 },
                "samples_ns" to samples.takeIf { job.keepSamples }?.toList(),
                "peak_rss_kb" to peakKb,
                "output_sha256" to outputs.sha256(),
                "outputs" to outputs.packed(),
                "sustained" to sustained,
                "before" to before,
                "after" to after,
                "absent" to absent(memory.takeIf { peakKb == null }, overhead),
                "warnings" to warned.distinct(),
                "error" to null,
            ) + Statistics.summarize(samples)
        }
    }

    private fun absent(memory: Memory?, overhead: Long): Map<String, String> {
        val counts = listOf("instructions", "dot_products", "loads", "stores")
            .associateWith { "counted on emulated ARM cores only" }
        return counts + listOfNotNull(
            "arena_bytes" to "this runtime's Java interface does not tell",
            "delegated" to "this runtime's Java interface does not tell",
            "spread" to "needs more than one round",
            memory?.let { "peak_rss_kb" to it.reason },
            ("overhead_ns" to "below what this device's clock can tell").takeIf { overhead <= 0 },
        )
    }

    /** How many runs as long as the first one, mostly the longest, fit into the budget. */
    private fun affordableRuns(firstNs: Long, seconds: Double?): Long =
        if (seconds == null) Long.MAX_VALUE else (seconds * 1e9 / maxOf(firstNs, 1)).toLong()

    private fun timeRuns(session: Session, runs: Int): LongArray {
        val samples = LongArray(runs)
        for (run in 0 until runs) {
            samples[run] = session.run()
            if (run % LOOK_EVERY == 0) look(Progress.Stage.RUNS, run.toFloat() / runs)
        }
        return samples
    }

    private fun timeNothing(): Long {
        val start = System.nanoTime()
        return System.nanoTime() - start
    }

    /** Run until a block of runs is no longer faster than the one before, or [limit] times. */
    private fun warmUp(session: Session, limit: Int) {
        var before = Double.POSITIVE_INFINITY
        for (start in 0 until limit step WARMUP_BLOCK) {
            look(Progress.Stage.WARM_UP, start.toFloat() / limit)
            val block = LongArray(minOf(WARMUP_BLOCK, limit - start)) { session.run() }
            val median = Statistics.median(block).toDouble()
            if (median > before * (1 - WARMUP_GAIN)) return
            before = median
        }
    }

    /** Run without a pause; the medians of the first and the last stretch. */
    private fun sustain(session: Session, seconds: Double): Map<String, Any> {
        val stretch = seconds / maxOf(4, (seconds / STRETCH_S).toInt())
        val stretches = (seconds / stretch).roundToInt()
        val medians = ArrayList<Double>()
        var runs = 0L
        for (number in 0 until stretches) {
            val samples = runFor(session, stretch) { look(Progress.Stage.SUSTAIN, (number + it) / stretches) }
            medians += Statistics.median(samples) / Statistics.NS_PER_MS
            runs += samples.size
        }
        return mapOf(
            "seconds" to seconds,
            "stretch_s" to stretch,
            "runs" to runs,
            "first_ms" to medians.first(),
            "last_ms" to medians.last(),
        )
    }

    /** Nanoseconds from each inference to the next, for [seconds]; of one inference at least. */
    private fun runFor(session: Session, seconds: Double, look: (Float) -> Unit): LongArray {
        var samples = LongArray(1024)
        var count = 0
        val begin = System.nanoTime()
        val length = (seconds * 1e9).toLong()
        var now = begin
        while (now - begin < length || count == 0) {
            session.run()
            val start = now
            now = System.nanoTime()
            if (count == samples.size) samples = samples.copyOf(2 * count)
            samples[count++] = now - start
            if (count % LOOK_EVERY == 0) look((now - begin).toFloat() / length)
        }
        return samples.copyOf(count)
    }

    private fun look(stage: Progress.Stage, share: Float) {
        if (Thread.interrupted()) throw CancellationException()
        progress.report(stage, share)
    }

    companion object {
        /** Inputs drawn where none are given: outputs are compared on all of them. */
        const val RANDOM_INPUTS = 4
        /** However slow a model is, the clock sees it this often. */
        private const val FEWEST_RUNS = 8L

        /** Of the budget, for the warm-up. */
        private const val WARMUP_SHARE = 0.25
        private const val WARMUP_BLOCK = 32
        private const val WARMUP_GAIN = 0.02
        private const val STRETCH_S = 30.0
        private const val LOOK_EVERY = 64
    }
}

/** What is set before each inference: rows of latents, or random bytes. */
private class Feeds(private val session: Session, private val latents: Latents?, private val seed: Long) {
    val count = latents?.rows ?: Agent.RANDOM_INPUTS

    init {
        if (latents != null) check(latents)
    }

    private fun check(latents: Latents) {
        val input = session.inputs.singleOrNull()
            ?: throw BadInput("latents serve a file with one input; it has ${session.inputs.size}")
        if (latents.length != input.elements || input.shape[0] != 1) {
            throw BadInput("latents of length ${latents.length} do not fit the input ${input.shape}")
        }
        if (input.type != ElementType.FLOAT32 && input.scale == 0.0) {
            throw BadInput("latents are real numbers; the input takes ${input.type.numpyName}")
        }
    }

    fun set(turn: Int) {
        if (latents != null) {
            session.inputs[0].encode(latents.row(turn), session.inputBuffers[0])
        } else {
            val numbers = MersenneTwister(seed + turn)
            session.inputs.zip(session.inputBuffers).forEach { (spec, buffer) -> numbers.fill(spec, buffer) }
        }
    }
}

/** sha256 over the bytes of all outputs; and the outputs themselves, as many as are worth it. */
private class Outputs(private val session: Session, private val keep: Boolean) {
    private val digest = MessageDigest.getInstance("SHA-256")
    private val kept = session.outputs.map { ByteArrayOutputStream() }
    private var rounds = 0
    private var size = 0

    fun add() {
        val values = session.outputs.zip(session.outputBuffers).map { (spec, buffer) ->
            ByteArray(spec.bytes).also { buffer.duplicate().apply { rewind() }.get(it) }
        }
        values.forEach(digest::update)
        val bytes = values.sumOf { it.size }
        if (keep && bytes <= (if (size > 0) KEPT_BYTES else MOST_KEPT_BYTES) - size) {
            values.zip(kept).forEach { (value, all) -> all.write(value) }
            size += bytes
            rounds += 1
        }
    }

    fun sha256(): String = digest.digest().hex()

    fun packed(): List<Map<String, Any>>? = if (rounds == 0) null else {
        session.outputs.zip(kept).map { (spec, all) ->
            val shape = spec.shape.ifEmpty { listOf(1) }
            mapOf(
                "name" to spec.name,
                "dtype" to spec.type.numpyName,
                "shape" to listOf(rounds * shape[0]) + shape.drop(1),
                "data" to pack(all.toByteArray()),
            )
        }
    }

    /** base64 of zlib. */
    private fun pack(content: ByteArray): String {
        val packed = ByteArrayOutputStream()
        DeflaterOutputStream(packed).use { it.write(content) }
        return android.util.Base64.encodeToString(packed.toByteArray(), android.util.Base64.NO_WRAP)
    }

    private companion object {
        const val KEPT_BYTES = 1 shl 20
        const val MOST_KEPT_BYTES = 64 shl 20
    }
}

/** How far memory grows above what the app had before. */
class Memory(private val machine: Machine) {
    val warning: String?
    private val idleKb: Long?

    init {
        System.gc()
        val reset = machine.resetPeak()
        idleKb = machine.peakKb()
        warning = "peak memory is a lower bound: the app's own peak could not be reset"
            .takeIf { !reset && idleKb != null }
    }

    val reason
        get() = if (idleKb == null) "this system shows no VmHWM in /proc/self/status"
        else "no growth above the idle app was seen"

    fun peakKb(): Long? {
        val peak = machine.peakKb()
        return if (peak == null || idleKb == null || peak <= idleKb) null else peak - idleKb
    }
}
