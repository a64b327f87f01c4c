package org.pocketgan.demo

import org.json.JSONException
import org.json.JSONObject

/** What this device is asked: the Job of `deploy/jobs.py`, schema version 2. */
data class Job(
    val sha256: String,
    val settings: Settings,
    val path: String,
    val warmup: Int,
    val runs: Int,
    val seed: Long,
    val latents: String?,
    val keepSamples: Boolean,
    val keepOutputs: Boolean,
    val sustainSeconds: Double?,
    /** Fewer timed runs if all would take longer than this. */
    val budgetSeconds: Double? = null,
) {
    companion object {
        const val SCHEMA_VERSION = 2
        const val MOST_RUNS = 1_000_000
        const val MOST_WARMUP = 100_000
        const val MOST_THREADS = 64
        const val LONGEST_S = 3600.0
        private const val MOST_BYTES = Int.MAX_VALUE.toLong() // a flatbuffer reaches no further
        private const val TEXT_LENGTH = 200

        private val SHA256 = Regex("[0-9a-f]{64}")
        private val SUBJECT = listOf(
            "target", "variant", "sha256", "bytes", "bytes_gzip", "bytes_zstd", "threads", "delegate",
        )
        private val REQUIRED = SUBJECT + listOf("schema_version", "path", "warmup", "runs")
        private val OPTIONAL =
            listOf("seed", "latents", "keep_samples", "keep_outputs", "count", "sustain_s", "budget_s")

        /** @throws BadInput the text is no JSON object. */
        fun read(text: String): JSONObject = try {
            JSONObject(text)
        } catch (error: JSONException) {
            throw BadInput("the job is no JSON object: ${error.message}")
        }

        /** What the answer to a job repeats of it, be the job refused or not. */
        fun subject(json: JSONObject): Map<String, Any> =
            SUBJECT.filter(json::has).associateWith(json::get)

        /** @throws BadInput what is wrong with the job. */
        fun parse(json: JSONObject): Job {
            if (json.opt("schema_version") != SCHEMA_VERSION) {
                throw BadInput("this app reads jobs of schema version $SCHEMA_VERSION only")
            }
            val names = json.keys().asSequence().toSet()
            refuse("lacks", REQUIRED - names)
            refuse("has unknown fields:", names - REQUIRED.toSet() - OPTIONAL.toSet())
            return Fields(json).job()
        }

        private fun refuse(what: String, names: Collection<String>) {
            if (names.isNotEmpty()) throw BadInput("the job $what ${names.sorted().joinToString()}")
        }
    }

    /** A job's fields, each within its limits. */
    private class Fields(private val json: JSONObject) {
        fun job(): Job {
            if (flag("count")) throw BadInput("count: only an emulator counts instructions")
            listOf("target", "variant").forEach(::text)
            listOf("bytes", "bytes_gzip", "bytes_zstd").forEach { whole(it, 0, MOST_BYTES) }
            return Job(
                sha256 = sha256(),
                settings = Settings(whole("threads", 1, MOST_THREADS.toLong()).toInt(), delegate()),
                path = text("path"),
                warmup = whole("warmup", 0, MOST_WARMUP.toLong()).toInt(),
                runs = whole("runs", 1, MOST_RUNS.toLong()).toInt(),
                seed = if (given("seed")) whole("seed", 0, LARGEST_SEED) else 0,
                latents = if (given("latents")) text("latents") else null,
                keepSamples = flag("keep_samples"),
                keepOutputs = flag("keep_outputs"),
                sustainSeconds = if (given("sustain_s")) seconds("sustain_s") else null,
                budgetSeconds = if (given("budget_s")) seconds("budget_s") else null,
            )
        }

        private fun sha256(): String {
            val digits = text("sha256")
            if (!SHA256.matches(digits)) throw BadInput("sha256: not 64 hexadecimal digits")
            return digits
        }

        private fun delegate(): Delegate = when (val name = text("delegate")) {
            "xnnpack" -> Delegate.XNNPACK
            "none" -> Delegate.NONE
            else -> throw BadInput("delegate: \"$name\" is neither xnnpack nor none")
        }

        private fun given(name: String) = json.has(name) && !json.isNull(name)

        private fun text(name: String): String {
            val value = json.get(name) as? String ?: throw BadInput("$name: not a text")
            if (value.length > TEXT_LENGTH) throw BadInput("$name: over $TEXT_LENGTH characters")
            return value
        }

        private fun flag(name: String): Boolean =
            if (!json.has(name)) false
            else json.get(name) as? Boolean ?: throw BadInput("$name: neither true nor false")

        private fun whole(name: String, least: Long, most: Long): Long {
            val value = json.get(name)
            val number = (value as? Int)?.toLong() ?: value as? Long
            if (number == null || number !in least..most) {
                throw BadInput("$name: $value is not a whole number from $least to $most")
            }
            return number
        }

        private fun seconds(name: String): Double {
            val value = (json.get(name) as? Number)?.toDouble() ?: Double.NaN
            if (!(value > 0 && value <= LONGEST_S)) {
                throw BadInput("$name: not a number of seconds above 0, at most $LONGEST_S")
            }
            return value
        }

        private companion object {
            // The feeds after the first are of the seeds that follow.
            const val LARGEST_SEED = MersenneTwister.LARGEST_SEED - Agent.RANDOM_INPUTS + 1
        }
    }
}
