package org.pocketgan.demo

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** What the app needs of a bundle's `model.json`; `docs/bundle.md` describes the file. */
data class Model(
    val name: String,
    val variant: String,
    val sha256: String,
    val bytes: Long,
    val bytesGzip: Long,
    val bytesZstd: Long,
    val input: TensorSpec,
    val output: TensorSpec,
    val latent: LatentSpec,
    val low: Double,
    val high: Double,
    val goldenCount: Int,
    /** The golden outputs of a runtime without XNNPACK are there too. */
    val goldenPlain: Boolean,
    val goldenRuntime: String,
) {
    fun pixels() = Pixels(output, low, high)

    companion object {
        private const val SCHEMA = "pocketgan.bundle"
        private val VERSIONS = setOf(1, 2)

        /** @throws BadInput which field is at fault. */
        fun parse(text: String): Model {
            try {
                val json = JSONObject(text)
                val (schema, version) = json.getString("schema") to json.getInt("version")
                if (schema != SCHEMA || version !in VERSIONS) {
                    val known = VERSIONS.joinToString(" and ")
                    throw BadInput("model.json is a $schema $version, this app reads $SCHEMA $known")
                }
                if (json.opt("latent") == JSONObject.NULL) {
                    throw BadInput("model.json: this generator reads pictures, this app draws latents")
                }
                return read(json).also(::check)
            } catch (error: JSONException) {
                throw BadInput("model.json: ${error.message}")
            }
        }

        private fun read(json: JSONObject): Model {
            val file = json.getJSONObject("file")
            val latent = json.getJSONObject("latent")
            val pixels = json.getJSONObject("pixels")
            val golden = json.getJSONObject("golden")
            return Model(
                name = json.getString("name"),
                variant = json.getString("variant"),
                sha256 = file.getString("sha256"),
                bytes = file.getLong("bytes"),
                bytesGzip = file.getLong("bytes_gzip"),
                bytesZstd = file.getLong("bytes_zstd"),
                input = tensor("input", json.getJSONObject("input")),
                output = tensor("output", json.getJSONObject("output")),
                latent = LatentSpec(latent.getInt("length"), classNames(latent)),
                low = pixels.getDouble("low"),
                high = pixels.getDouble("high"),
                goldenCount = golden.getInt("count"),
                goldenPlain = golden.has("plain"),
                goldenRuntime = golden.getString("runtime"),
            )
        }

        private fun tensor(place: String, json: JSONObject): TensorSpec {
            val dtype = json.getString("dtype")
            val type = ElementType.of(dtype)
            if (type !in setOf(ElementType.FLOAT32, ElementType.INT8, ElementType.INT16)) {
                throw BadInput("model.json: $place is of type $dtype: not float32, int8 or int16")
            }
            val scale = json.getDouble("scale")
            if ((scale == 0.0) != (type == ElementType.FLOAT32)) {
                throw BadInput("model.json: $place is $dtype with scale $scale")
            }
            val shape = json.getJSONArray("shape")
            return TensorSpec(
                json.getString("name"),
                type!!,
                List(shape.length(), shape::getInt),
                scale,
                json.getInt("zero_point"),
            )
        }

        private fun classNames(latent: JSONObject): List<String> {
            val names = latent.getJSONArray("class_names")
            if (names.length() != latent.getInt("classes")) {
                throw BadInput("model.json: ${names.length()} class_names, not as many as classes")
            }
            if (latent.getString("prior") != "normal") {
                throw BadInput("model.json: the prior is ${latent.getString("prior")}, not normal")
            }
            return List(names.length(), names::getString)
        }

        private fun check(model: Model) {
            if (model.input.shape != listOf(1, model.latent.width)) {
                throw BadInput(
                    "model.json: input.shape is ${model.input.shape}, " +
                        "the latent asks for [1, ${model.latent.width}]"
                )
            }
            val shape = model.output.shape
            if (shape.size != 4 || shape[0] != 1 || shape[3] !in setOf(1, 3)) {
                throw BadInput("model.json: output.shape is $shape, not [1, height, width, 1 or 3]")
            }
            if (shape.any { it !in 1..LARGEST_SIDE }) {
                throw BadInput("model.json: output.shape is $shape, no picture is that large")
            }
            if (model.low >= model.high) throw BadInput("model.json: pixels.low is not below high")
            if (model.goldenCount !in 1..MOST_GOLDEN) {
                throw BadInput("model.json: golden.count is ${model.goldenCount}")
            }
        }

        private const val LARGEST_SIDE = 4096
        private const val MOST_GOLDEN = 1024
    }
}
