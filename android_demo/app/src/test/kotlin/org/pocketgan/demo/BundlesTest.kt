package org.pocketgan.demo

import android.content.Context
import java.io.File
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

/** A bundle is read, drawn and proven; a broken one is refused in words. */
@RunWith(RobolectricTestRunner::class)
class BundlesTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val runtime = DesktopRuntime()
    private val bundles by lazy { Bundles(FolderShelf(temporary.root)) }

    @Before
    fun copyBundles() {
        File(tests, "bundles").copyRecursively(temporary.root, overwrite = true)
    }

    private fun open(variant: String = "int8", delegate: Delegate = Delegate.XNNPACK) =
        Generator.open(bundles, variant, runtime, Settings(1, delegate))

    private fun trouble(): String {
        val error = runCatching { open().close() }.exceptionOrNull()
        assertTrue("$error", error is BadInput)
        assertEquals("a refused file leaves nothing open", 0, runtime.open)
        return error!!.message!!
    }

    private fun change(variant: String = "int8", edit: (JSONObject) -> Unit) {
        val card = File(temporary.root, "$variant/model.json")
        card.writeText(JSONObject(card.readText()).also(edit).toString())
    }

    @Test
    fun `the variant to ship comes first`() {
        assertEquals(listOf("int8", "float32"), bundles.variants())
    }

    @Test
    fun `bundles in the app's assets are mapped, not unpacked`() {
        val context: Context = RuntimeEnvironment.getApplication()
        val inAssets = Bundles(AssetShelf(context.assets))
        val file = inAssets.map("int8", inAssets.model("int8"))
        assertTrue(file.isDirect)
    }

    @Test
    fun `golden vectors are drawn again`() {
        for (variant in bundles.variants()) {
            open(variant).use { generator ->
                val proof = Proof.of(generator, bundles, variant)
                assertEquals(8, proof.count)
                assertTrue("$variant: ${proof.latents}", proof.latents!!.equal)
                assertTrue("$variant: ${proof.inputs}", proof.inputs.equal)
                // This machine's TensorFlow Lite draws without XNNPACK, a version before LiteRT's.
                val plain = proof.plain!!
                assertTrue("$variant: $plain", plain.largest <= if (variant == "int8") 2.0 else 1e-6)
                if (variant == "int8") assertTrue("$plain", plain.differing < 0.01 * plain.values)
            }
        }
    }

    @Test
    fun `a changed golden output is found`() {
        val outputs = File(temporary.root, "int8/golden/outputs.bin")
        val content = outputs.readBytes()
        content[1000] = (content[1000] + 5).toByte()
        outputs.writeBytes(content)
        open().use { generator ->
            val found = Proof.of(generator, bundles, "int8").outputs
            assertTrue("$found", found.differing >= 1 && found.largest >= 4)
        }
    }

    @Test
    fun `a missing file is named`() {
        File(temporary.root, "int8/generator.tflite").delete()
        assertTrue(trouble(), trouble().startsWith("bundle int8: cannot read"))
        File(temporary.root, "int8/model.json").delete()
        assertTrue(trouble(), "model.json" in trouble())
    }

    @Test
    fun `a truncated file is refused`() {
        val file = File(temporary.root, "int8/generator.tflite")
        file.writeBytes(file.readBytes().copyOf(1000))
        assertTrue(trouble(), "generator.tflite has 1000 bytes, model.json says" in trouble())
    }

    @Test
    fun `a swapped file is refused`() {
        val file = File(temporary.root, "int8/generator.tflite")
        file.writeBytes(file.readBytes().apply { this[500] = (this[500] + 1).toByte() })
        assertTrue(trouble(), "its sha256 differs" in trouble())
    }

    @Test
    fun `a file of another variant is refused`() {
        val other = File(temporary.root, "float32/generator.tflite")
        other.copyTo(File(temporary.root, "int8/generator.tflite"), overwrite = true)
        change { card ->
            val file = JSONObject(File(temporary.root, "float32/model.json").readText())
            card.put("file", file.getJSONObject("file"))
        }
        assertTrue(trouble(), "the input of generator.tflite is float32" in trouble())
    }

    @Test
    fun `a file that is no model is refused`() {
        val noise = ByteArray(1000) { it.toByte() }
        File(temporary.root, "int8/generator.tflite").writeBytes(noise)
        change {
            it.getJSONObject("file").put("bytes", 1000)
                .put("sha256", sha256(java.nio.ByteBuffer.wrap(noise)))
        }
        assertTrue(trouble(), "the file is no model" in trouble())
    }

    @Test
    fun `a card that contradicts itself is refused`() {
        val edits = mapOf<String, (JSONObject) -> Unit>(
            "reads pocketgan.bundle 1 and 2" to { it.put("version", 3) },
            "a direction has not as many" to {
                val direction = JSONObject().put("name", "x").put("vector", JSONArray(listOf(1.0)))
                it.getJSONObject("latent").put("directions", JSONArray(listOf(direction)))
            },
            "input.shape" to { it.getJSONObject("latent").put("length", 7) },
            "output.shape" to { it.getJSONObject("output").getJSONArray("shape").put(3, 2) },
            "as many as classes" to { it.getJSONObject("latent").put("classes", 3) },
            "not normal" to { it.getJSONObject("latent").put("prior", "uniform") },
            "not below high" to { it.getJSONObject("pixels").put("low", 2) },
            "No value for file" to { it.remove("file") },
            "with scale 0.0" to { it.getJSONObject("input").put("scale", 0) },
            "not float32, int8 or int16" to { it.getJSONObject("input").put("dtype", "text") },
        )
        for ((words, edit) in edits) {
            copyBundles()
            change(edit = edit)
            assertTrue(trouble(), words in trouble())
        }
        File(temporary.root, "int8/model.json").writeText("{")
        assertTrue(trouble(), "model.json" in trouble())
    }

    @Test
    fun `a card of pictures that contradicts itself is refused`() {
        val edits = mapOf<String, (JSONObject) -> Unit>(
            "what is read asks for [1, 16, 16, 4]" to { it.put("mask", true) },
            "what is read asks for [1, 16, 16, 1]" to { it.put("channels", "grey") },
            "not grey or rgb" to { it.put("channels", "cmyk") },
            "picture.tiles do not fit" to { it.getJSONObject("tiles").put("margin", 8) },
            "picture.tiles.scale is not" to { it.getJSONObject("tiles").put("scale", 2) },
        )
        for ((words, edit) in edits) {
            File(tests, "pictures").copyRecursively(temporary.root, overwrite = true)
            change { edit(it.getJSONObject("picture")) }
            assertTrue(trouble(), words in trouble())
        }
    }

    @Test
    fun `without a GPU the CPU draws, and that is said`() {
        open(delegate = Delegate.GPU).use {
            assertEquals("this machine has no GPU", it.note)
            assertNotNull(it.drawn)
        }
    }
}
