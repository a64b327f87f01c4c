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
    val reads: Reads,
    val low: Double,
    val high: Double,
    val goldenCount: Int,
    /** The golden outputs of a runtime without XNNPACK are there too. */
    val goldenPlain: Boolean,
    val goldenRuntime: String,
) {
    fun pixels() = Pixels(output, low, high)

    val latent: LatentSpec
        get() = reads as? LatentSpec ?: throw BadInput("bundle $variant reads pictures, not latents")
    val picture: PictureSpec
        get() = reads as? PictureSpec ?: throw BadInput("bundle $variant reads latents, not pictures")

    companion object {
        private const val SCHEMA = "pocketgan.bundle"
        private val VERSIONS = 1..2

        /** @throws BadInput which field is at fault. */
        fun parse(text: String): Model {
            try {
                val json = JSONObject(text)
                val schema = json.getString("schema")
                val version = json.getInt("version")
                if (schema != SCHEMA || version !in VERSIONS) {
                    throw BadInput("model.json is a $schema $version, this app reads $SCHEMA 1 and 2")
                }
                return read(json).also(::check)
            } catch (error: JSONException) {
                throw BadInput("model.json: ${error.message}")
            }
        }

        private fun read(json: JSONObject): Model {
            val file = json.getJSONObject("file")
            val input = tensor("input", json.getJSONObject("input"))
            val picture = json.optJSONObject("picture")
            val pixels = json.getJSONObject("pixels")
            val golden = json.getJSONObject("golden")
            return Model(
                name = json.getString("name"),
                variant = json.getString("variant"),
                sha256 = file.getString("sha256"),
                bytes = file.getLong("bytes"),
                bytesGzip = file.getLong("bytes_gzip"),
                bytesZstd = file.getLong("bytes_zstd"),
                input = input,
                output = tensor("output", json.getJSONObject("output")),
                reads = picture?.let { picture(it, input) } ?: latent(json.getJSONObject("latent")),
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

        private fun latent(json: JSONObject): LatentSpec {
            val directions = json.optJSONArray("directions") ?: JSONArray()
            return LatentSpec(
                json.getInt("length"),
                classNames(json),
                List(directions.length()) { direction(directions.getJSONObject(it)) },
            )
        }

        private fun direction(json: JSONObject): Direction {
            val vector = json.getJSONArray("vector")
            return Direction(
                json.getString("name"),
                FloatArray(vector.length()) { vector.getDouble(it).toFloat() },
            )
        }

        private fun picture(json: JSONObject, input: TensorSpec): PictureSpec {
            val channels = json.getString("channels")
            if (channels !in setOf("grey", "rgb")) {
                throw BadInput("model.json: picture.channels is $channels, not grey or rgb")
            }
            if (input.shape.size != 4 || input.shape.any { it !in 1..LARGEST_SIDE }) {
                throw BadInput("model.json: input.shape is ${input.shape}, no picture")
            }
            return PictureSpec(
                width = input.shape[2],
                height = input.shape[1],
                low = json.getDouble("low"),
                high = json.getDouble("high"),
                colours = if (channels == "grey") 1 else 3,
                mask = json.getBoolean("mask"),
                hidden = if (json.isNull("hidden")) null else json.getInt("hidden"),
                tiles = json.optJSONObject("tiles")?.let { tiles(it, input) },
            )
        }

        private fun tiles(json: JSONObject, input: TensorSpec): Tiles {
            val (scale, multiple, margin) =
                listOf("scale", "multiple", "margin").map(json::getInt)
            val fits = scale >= 1 && multiple >= 1 && margin >= 0
            if (!fits || input.shape.slice(1..2).any { 2 * margin >= it }) {
                throw BadInput("model.json: picture.tiles do not fit input.shape ${input.shape}")
            }
            val seamless = json.getBoolean("seamless")
            return Tiles(input.shape[2], input.shape[1], scale, multiple, margin, seamless)
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
            val shape = model.output.shape
            val asked = when (val reads = model.reads) {
                is LatentSpec -> listOf(1, reads.width)
                is PictureSpec -> listOf(1, reads.height, reads.width, reads.depth)
            }
            if (model.input.shape != asked) {
                throw BadInput("model.json: input.shape is ${model.input.shape}, what is read asks for $asked")
            }
            if (shape.size != 4 || shape[0] != 1 || shape[3] !in setOf(1, 3)) {
                throw BadInput("model.json: output.shape is $shape, not [1, height, width, 1 or 3]")
            }
            if (shape.any { it !in 1..LARGEST_SIDE }) {
                throw BadInput("model.json: output.shape is $shape, no picture is that large")
            }
            val picture = model.reads as? PictureSpec
            if (picture?.mask == true && picture.hidden !in 0..255) {
                throw BadInput("model.json: picture.hidden is ${picture.hidden}, no level")
            }
            val tiles = picture?.tiles
            if (tiles != null && shape.slice(1..2) != listOf(tiles.height, tiles.width).map { it * tiles.scale }) {
                throw BadInput("model.json: picture.tiles.scale is not output.shape over input.shape")
            }
            val directions = (model.reads as? LatentSpec)?.directions.orEmpty()
            if (directions.any { it.vector.size != model.latent.length }) {
                throw BadInput("model.json: a direction has not as many numbers as length says")
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
