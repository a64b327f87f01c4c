package org.pocketgan.demo

import android.content.Context
import android.content.Intent
import android.os.Looper
import java.io.File
import java.util.Base64
import java.util.zip.InflaterInputStream
import kotlin.math.abs
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** A job comes in, an answer lies there: each of them, for Python to check against the schema. */
@RunWith(RobolectricTestRunner::class)
class JobTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val app = context as TestApplication
    private val folder = context.getExternalFilesDir(null)!!
    private val jobs = File(folder, "jobs")
    private val results = File(folder, "results")
    private val model = app.bundles.model("int8")

    @Before
    fun bringFile() {
        jobs.mkdirs()
        File(tests, "bundles/int8/generator.tflite").copyTo(File(jobs, "int8.tflite"), overwrite = true)
    }

    private fun job(vararg changes: Pair<String, Any?>) = JSONObject(
        mapOf(
            "schema_version" to 2,
            "target" to "android",
            "variant" to "int8",
            "sha256" to model.sha256,
            "bytes" to model.bytes,
            "bytes_gzip" to model.bytesGzip,
            "bytes_zstd" to model.bytesZstd,
            "threads" to 1,
            "delegate" to "xnnpack",
            "path" to "bundle:int8",
            "warmup" to 64,
            "runs" to 128,
            "seed" to 7,
            "latents" to JSONObject.NULL,
            "keep_samples" to false,
            "keep_outputs" to false,
            "count" to false,
            "sustain_s" to JSONObject.NULL,
        ),
    ).also { json -> changes.forEach { (name, value) -> json.put(name, value) } }

    private fun answer(id: String?, job: String?, jobFile: String? = null): JSONObject {
        val file = JobDesk(folder, app.bundles, Agent(app.runtime, "a phone"))
            .answer(id, job, jobFile)
        assertEquals(results, file.parentFile)
        assertEquals("nothing is left open", 0, app.runtime.open)
        return JSONObject(file.readText())
    }

    private fun error(job: JSONObject): String = answer("refused-job", job.toString()).getString("error")

    @Test
    fun `a bundle is measured as the agent measures`() {
        for (variant in app.bundles.variants()) {
            val file = app.bundles.model(variant)
            val job = job(
                "variant" to variant,
                "path" to "bundle:$variant",
                "sha256" to file.sha256,
                "bytes" to file.bytes,
                "keep_outputs" to true,
                "keep_samples" to true,
                "sustain_s" to 0.2,
            )
            val answer = answer("whole-$variant", job.toString())
            leave("whole-$variant.json", answer.toString().toByteArray())
            assertTrue("$answer", answer.isNull("error"))
            assertEquals(128, answer.getInt("runs"))
            assertEquals(128, answer.getJSONArray("samples_ns").length())
            assertEquals("a phone", answer.getString("device"))
            assertTrue(answer.getDouble("p50_ms") <= answer.getDouble("p90_ms"))
            assertTrue(answer.getJSONObject("sustained").getInt("runs") > 1)
            if (variant == "int8") assertNearAgents(answer) // floats differ in their last bits
        }
    }

    /** The same random inputs, drawn by another version of the runtime. */
    private fun assertNearAgents(answer: JSONObject) {
        val expected = goldenJson("int8").getJSONArray("outputs").getJSONObject(0)
        val found = answer.getJSONArray("outputs").getJSONObject(0)
        assertEquals(expected.getJSONArray("shape").toString(), found.getJSONArray("shape").toString())
        assertEquals(expected.getString("dtype"), found.getString("dtype"))
        val pairs = unpack(expected).zip(unpack(found))
        assertTrue(pairs.count { (a, b) -> a != b } < 0.02 * pairs.size)
        assertTrue(pairs.maxOf { (a, b) -> abs(a - b) } <= 3)
        assertFalse("all of one value", pairs.all { (a, _) -> a == pairs[0].first })
    }

    private fun unpack(output: JSONObject): List<Byte> =
        InflaterInputStream(Base64.getDecoder().decode(output.getString("data")).inputStream())
            .readBytes().toList()

    @Test
    fun `a pushed file with pushed latents is measured`() {
        val header = "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 16), }".padEnd(117) + "\n"
        val latents = File(tests, "bundles/int8/golden/latents.f32").readBytes()
        val magic = "\u0093NUMPY\u0001\u0000v\u0000".toByteArray(Charsets.ISO_8859_1)
        File(jobs, "latents.npy").writeBytes(magic + header.toByteArray() + latents)
        val job = job("path" to "int8.tflite", "latents" to "latents.npy", "keep_outputs" to true)
        File(jobs, "one.json").writeText(job.toString())
        val answer = answer("pushed", null, "one.json")
        leave("pushed.json", answer.toString().toByteArray())
        assertEquals("[8,28,28,1]", answer.getJSONArray("outputs").getJSONObject(0).get("shape").toString())

        val plain = File(tests, "bundles/int8/golden/plain.bin").readBytes().toList()
        val pairs = plain.zip(unpack(answer.getJSONArray("outputs").getJSONObject(0)))
        assertTrue(pairs.maxOf { (a, b) -> abs(a - b) } <= 2)
    }

    @Test
    fun `a budget is kept, with eight runs at least`() {
        val answer = answer("budget", job("budget_s" to 1e-9, "runs" to 1000).toString())
        assertEquals(8, answer.getInt("runs"))
    }

    @Test
    fun `the benchmark's own measurements fit the schema`() {
        val studio = Studio(app.bundles, app.runtime)
        val benchmark = Benchmark(studio, Device(context), null)
        benchmark.run(app.bundles.variants(), Settings(1), null)
        while (benchmark.running) {
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
        studio.close()
        assertEquals(null, benchmark.trouble)
        leave("benchmark.json", benchmark.json().toByteArray())
        assertEquals(2, JSONArray(benchmark.json()).length())
    }

    @Test
    fun `a job that is not right is refused with a reason`() {
        val wrong = listOf(
            job("schema_version" to 1) to "schema version 2 only",
            job("schema_version" to "2") to "schema version 2 only",
            job("colour" to "red", "size" to 3) to "unknown fields: colour, size",
            job().apply { remove("runs") } to "lacks runs",
            job("threads" to 0) to "threads: 0 is not a whole number from 1 to 64",
            job("threads" to 100_000) to "threads: 100000 is not",
            job("threads" to 1.5) to "threads: 1.5 is not",
            job("threads" to "1") to "threads: 1 is not",
            job("runs" to 0) to "runs: 0 is not",
            job("runs" to 1_000_000_000_000) to "runs: 1000000000000 is not",
            job("warmup" to -1) to "warmup: -1 is not",
            job("seed" to 4294967296) to "seed: 4294967296 is not",
            job("seed" to 4294967293) to "seed: 4294967293 is not",
            job("sustain_s" to 1e9) to "sustain_s: not a number of seconds",
            job("sustain_s" to "long") to "sustain_s: not a number of seconds",
            job("budget_s" to 0) to "budget_s: not a number of seconds",
            job("count" to true) to "count: only an emulator counts",
            job("keep_outputs" to 1) to "keep_outputs: neither true nor false",
            job("delegate" to "nnapi") to "neither xnnpack nor none",
            job("sha256" to "0".repeat(63)) to "not 64 hexadecimal digits",
            job("sha256" to "0".repeat(64)) to "its sha256 differs",
            job("path" to "x".repeat(201)) to "over 200 characters",
            job("path" to "bundle:none") to "no bundle none in this app: it has [int8, float32]",
            job("path" to "bundle:../int8") to "no bundle ../int8",
            job("path" to "../results/refused.json") to "not the plain name of a file",
            job("path" to "/system/etc/hosts") to "not the plain name of a file",
            job("path" to "..") to "not the plain name of a file",
            job("path" to ".hidden") to "not the plain name of a file",
            job("path" to "none.tflite") to "no such file",
            job("path" to 5) to "path: not a text",
            job("latents" to "../latents.npy") to "not the plain name of a file",
            job("latents" to "int8.tflite") to "latents must be a .npy file",
        )
        for ((job, words) in wrong) assertTrue("${error(job)} should say: $words", words in error(job))
    }

    @Test
    fun `a refused job is answered with its subject`() {
        val answer = answer("refused-job", job("threads" to 100_000).toString())
        leave("refused.json", answer.toString().toByteArray())
        assertEquals(model.sha256, answer.getString("sha256"))
        assertEquals("the job is no JSON object", answer("x", "[1]").getString("error").take(25))
        assertEquals("no job was given", answer(null, null).getString("error").take(16))
        assertTrue("not both" in answer("x", "{}", "one.json").getString("error"))
    }

    @Test
    fun `a link out of the folder is not followed`() {
        val outside = File(folder, "outside.tflite").apply { writeText("secret") }
        java.nio.file.Files.createSymbolicLink(File(jobs, "link.tflite").toPath(), outside.toPath())
        assertTrue("no such file" in error(job("path" to "link.tflite")))
    }

    @Test
    fun `a truncated file is refused`() {
        val content = File(jobs, "int8.tflite").readBytes().copyOf(5000)
        File(jobs, "cut.tflite").writeBytes(content)
        val digest = sha256(java.nio.ByteBuffer.wrap(content))
        val said = error(job("path" to "cut.tflite", "sha256" to digest))
        assertTrue(said, "no model" in said)
        File(jobs, "empty.tflite").writeBytes(ByteArray(0))
        assertTrue("has 0 bytes" in error(job("path" to "empty.tflite")))
    }

    @Test
    fun `an answer is never named outside its folder`() {
        for (id in listOf("../evil", "a/b", "", "x".repeat(65), "a.b")) {
            answer(id, job().toString())
            assertTrue("not 1 to 64" in JSONObject(File(results, "refused.json").readText()).getString("error"))
        }
        assertFalse(File(folder, "evil.json").exists())
        assertEquals(emptyList<String>(), results.list()!!.filter { it.startsWith(".") })
    }

    @Test
    fun `an intent runs a job and ends`() {
        val intent = Intent().putExtra("id", "from-adb").putExtra("job", job().toString())
        val controller = Robolectric.buildActivity(JobActivity::class.java, intent).setup()
        val end = System.nanoTime() + 20_000_000_000
        while (!controller.get().isFinishing && System.nanoTime() < end) {
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
        controller.pause().stop().destroy()
        assertTrue(controller.get().isFinishing)
        val answer = JSONObject(File(results, "from-adb.json").readText())
        leave("from-adb.json", answer.toString().toByteArray())
        assertTrue("$answer", answer.isNull("error"))
    }
}
