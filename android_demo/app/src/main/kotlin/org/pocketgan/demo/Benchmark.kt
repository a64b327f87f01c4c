package org.pocketgan.demo

import android.os.Debug
import java.util.concurrent.CancellationException
import java.util.concurrent.Future
import org.json.JSONArray
import org.json.JSONObject

/** Measures variants in turn, and keeps what was found. All on the main thread but the measuring. */
class Benchmark(private val studio: Studio, private val device: Device, saved: String?) {
    /** What a variant gave: its Measurement, and what the schema has no field for. */
    class Row(val measurement: JSONObject, val pssKb: Long, val thermal: String?)

    private var task: Future<*>? = null

    var observer: () -> Unit = {}
    var rows: List<Row> = saved?.let(::restore).orEmpty()
        private set
    var variant = ""
        private set
    var stage = Progress.Stage.LOAD
        private set
    var share = 0f
        private set

    /** Why the last benchmark ended early: in words, or empty where a person stopped it. */
    var trouble: String? = null
        private set
    val running get() = task != null

    /** All measurements, as the harness would write them. */
    fun json(): String = JSONArray(rows.map { it.measurement }).toString(1)

    fun run(variants: List<String>, settings: Settings, sustainSeconds: Double?) {
        if (running) return
        rows = emptyList()
        trouble = null
        next(variants, settings, sustainSeconds)
        observer()
    }

    fun stop() {
        task?.cancel(true)
    }

    private fun next(variants: List<String>, settings: Settings, sustainSeconds: Double?) {
        val name = variants.first()
        task = studio.submit({ measure(name, settings, sustainSeconds) }) { result ->
            result.onSuccess { rows = rows + it }
            result.onFailure { trouble = if (it is CancellationException) "" else describe(it) }
            task = null
            if (result.isSuccess && variants.size > 1) {
                next(variants.drop(1), settings, sustainSeconds)
            }
            observer()
        }
    }

    private fun measure(name: String, settings: Settings, sustainSeconds: Double?): Row {
        val model = studio.bundles.model(name)
        val job = Job(
            model.sha256, settings, "bundle:$name", WARMUP, RUNS, 0, null, false, false, sustainSeconds,
        )
        val agent =
            Agent(studio.runtime, device.name, warnings = device::warnings, progress = progress(name))
        val figures = agent.measure(job, studio.bundles.map(name, model), null)
        val subject = mapOf(
            "schema_version" to Job.SCHEMA_VERSION,
            "target" to "android",
            "variant" to name,
            "sha256" to model.sha256,
            "bytes" to model.bytes,
            "bytes_gzip" to model.bytesGzip,
            "bytes_zstd" to model.bytesZstd,
            "threads" to settings.threads,
            "delegate" to "xnnpack",
        )
        val measurement = toJson(subject + figures) as JSONObject
        return Row(measurement, Debug.getPss(), device.thermalStatus())
    }

    private fun progress(name: String) = Progress { stage, share ->
        studio.post {
            variant = name
            this.stage = stage
            this.share = share
            observer()
        }
    }

    fun saved(): String = JSONArray(
        rows.map { JSONArray(listOf(it.measurement, it.pssKb, it.thermal ?: JSONObject.NULL)) },
    ).toString()

    private fun restore(saved: String): List<Row> {
        val all = JSONArray(saved)
        return List(all.length()) { number ->
            val row = all.getJSONArray(number)
            Row(row.getJSONObject(0), row.getLong(1), row.get(2) as? String)
        }
    }

    companion object {
        const val RUNS = 1024
        const val SUSTAIN_S = 30
        private const val WARMUP = 512
    }
}
