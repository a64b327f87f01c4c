package org.pocketgan.demo

import java.io.File
import java.nio.ByteBuffer
import java.security.MessageDigest
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** The app's numbers are the agent's: golden files that `tools/android_golden.py` made of it. */
@RunWith(RobolectricTestRunner::class)
class NumbersTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val golden = goldenJson("numbers")

    private fun JSONArray.objects() = List(length(), ::getJSONObject)

    @Test
    fun `random inputs are numpy's`() {
        for (case in golden.getJSONArray("random").objects()) {
            val type = ElementType.of(case.getString("dtype"))!!
            val numbers = MersenneTwister(case.getLong("seed"))
            val content = listOf(listOf(1, 700), listOf(3, 5))
                .map { TensorSpec("x", type, it) }
                .map { spec -> spec.buffer().also { numbers.fill(spec, it) }.bytes() }
                .reduce(ByteArray::plus)
            assertEquals("$case", case.getString("first"), content.take(32).toByteArray().hex())
            val digest = MessageDigest.getInstance("SHA-256").digest(content).hex()
            assertEquals("$case", case.getString("sha256"), digest)
        }
    }

    @Test
    fun `values are quantized as numpy rounds and clips them`() {
        for (case in golden.getJSONArray("encode").objects()) {
            val values = case.getJSONArray("values")
            val spec = TensorSpec(
                "x",
                ElementType.of(case.getString("dtype"))!!,
                listOf(1, values.length()),
                case.getDouble("scale"),
                case.getInt("zero_point"),
            )
            val buffer = spec.buffer()
            spec.encode(FloatArray(values.length()) { values.getDouble(it).toFloat() }, buffer)
            assertEquals("$case", case.getString("bytes"), buffer.bytes().hex())
        }
    }

    @Test
    fun `percentiles and means are the agent's`() {
        for (case in golden.getJSONArray("statistics").objects()) {
            val samples = case.getJSONArray("samples")
            val found = Statistics.summarize(LongArray(samples.length(), samples::getLong))
            val summary = case.getJSONObject("summary")
            assertEquals(summary.keys().asSequence().toSet(), found.keys)
            for ((name, value) in found) {
                val expected = summary.getDouble(name)
                assertEquals(name, expected, (value as Number).toDouble(), 1e-12 * expected)
            }
        }
    }

    @Test
    fun `the processor's name is the agent's`() {
        val cases = golden.getJSONArray("cpu")
        for (case in List(cases.length(), cases::getJSONArray)) {
            File(temporary.root, "proc").mkdirs()
            File(temporary.root, "proc/cpuinfo").writeText(case.getString(0))
            assertEquals(case.getString(1), Machine(temporary.root).cpu())
        }
    }

    @Test
    fun `what the system does not tell is null`() {
        val machine = Machine(temporary.root)
        assertNull(machine.cpu())
        assertNull(machine.peakKb())
        assertEquals(setOf(null), machine.conditions().values.toSet())
    }

    @Test
    fun `conditions are the fastest core and the hottest sensor`() {
        mapOf(
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq" to "600000",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq" to "1800000",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor" to "schedutil",
            "sys/class/thermal/thermal_zone0/type" to "battery",
            "sys/class/thermal/thermal_zone0/temp" to "90000",
            "sys/class/thermal/thermal_zone1/type" to "cpu-thermal",
            "sys/class/thermal/thermal_zone1/temp" to "41500",
        ).forEach { (path, content) ->
            File(temporary.root, path).apply { parentFile!!.mkdirs() }.writeText("$content\n")
        }
        val expected = mapOf("governor" to "schedutil", "mhz" to 1800.0, "celsius" to 41.5)
        assertEquals(expected, Machine(temporary.root).conditions())
    }

    @Test
    fun `pixels are rounded half to even and clipped`() {
        val int8 = TensorSpec("image", ElementType.INT8, listOf(1, 1, 4, 1), 0.5, 0)
        val drawn = int8.buffer().apply { put(byteArrayOf(-128, 0, 1, 127)) }
        val colours = IntArray(4)
        Pixels(int8, -1.0, 1.0).paint(drawn, colours) // 127.5 and 191.25
        assertEquals(listOf(0, 128, 191, 255), colours.map { it and 0xff })

        val float = TensorSpec("image", ElementType.FLOAT32, listOf(1, 1, 1, 3))
        val rgb = float.buffer().apply { floatArrayOf(-1f, 0.5f, 9f).forEach(::putFloat) }
        val colour = IntArray(1)
        Pixels(float, -1.0, 1.0).paint(rgb, colour)
        assertEquals(colour(0, 191, 255), colour[0])
    }

    @Test
    fun `a difference is amplified and counted`() {
        val shown = IntArray(2)
        val found = Difference.of(
            intArrayOf(colour(10, 10, 10), colour(0, 0, 0)),
            intArrayOf(colour(13, 10, 10), colour(0, 0, 90)),
            shown,
        )
        assertEquals(Difference(90, 93 / 6.0), found)
        assertEquals(listOf(colour(24, 0, 0), colour(0, 0, 255)), shown.toList())
    }

    @Test
    fun `a walk keeps the length of its latents and ends at both`() {
        val spec = LatentSpec(64, listOf("a", "b"))
        val from = spec.draw(1, 0)
        val to = spec.draw(2, 1)
        val middle = FloatArray(spec.width)
        fun length(vector: FloatArray) = Math.sqrt(vector.take(64).sumOf { it.toDouble() * it })
        for ((share, end) in mapOf(0f to from, 1f to to)) {
            spec.walk(from, to, share, middle)
            for (place in middle.indices) assertEquals(end[place], middle[place], 1e-6f)
        }
        spec.walk(from, to, 0.5f, middle)
        assertEquals((length(from) + length(to)) / 2, length(middle), 0.5)
        assertEquals(listOf(0.5f, 0.5f), middle.drop(64))
    }

    @Test
    fun `a npy file is read as numpy writes it`() {
        val header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117) + "\n"
        val content = "\u0093NUMPY\u0001\u0000v\u0000".toByteArray(Charsets.ISO_8859_1) +
            header.toByteArray() + latentBytes(6)
        val latents = Latents.parse(content)
        assertEquals(listOf(3f, 4f, 5f), latents.row(1).toList())
        assertEquals(2, latents.rows)
        val infinite = content.dropLast(4).toByteArray() + byteArrayOf(0, 0, 0x80.toByte(), 0x7f)
        assertEquals(
            "latents must be finite numbers",
            runCatching { Latents.parse(infinite) }.exceptionOrNull()?.message,
        )
        for (broken in listOf(content.dropLast(1), content.drop(1), content.take(9), emptyList())) {
            assertEquals(
                "latents must be a .npy file, float32 [N, L], N ≥ 1",
                runCatching { Latents.parse(broken.toList().toByteArray()) }
                    .exceptionOrNull()?.message,
            )
        }
    }

    @Test
    fun `figures have three digits that count`() {
        val shown = listOf(3120.4, 12.44, 1.371, 0.4126, 0.04126).map(::figure)
        assertEquals(listOf("3,120", "12.4", "1.37", "0.413", "0.0413"), shown)
    }

    private fun latentBytes(count: Int): ByteArray =
        TensorSpec("", ElementType.FLOAT32, listOf(count)).run {
            buffer().also { encode(FloatArray(count) { it.toFloat() }, it) }.bytes()
        }
}

fun ByteBuffer.bytes(): ByteArray = ByteArray(capacity()).also { duplicate().apply { rewind() }.get(it) }

fun JSONObject.map(): Map<String, Any> = keys().asSequence().associateWith(::get)
