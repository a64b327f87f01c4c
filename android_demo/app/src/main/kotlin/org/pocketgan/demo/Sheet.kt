package org.pocketgan.demo

/** What a sheet of pictures is asked for. */
data class SheetRequest(
    val variant: String,
    val settings: Settings,
    /** Picture n is of seed [seed] + n. */
    val seed: Long,
    /** The class of all pictures, or null for one after the other. */
    val label: Int?,
    /** Draw the same latents with this variant too. */
    val other: String?,
    /** How far to go along each of the model's directions; as many as are known. */
    val amounts: List<Float> = emptyList(),
) {
    fun label(picture: Int, classes: Int): Int =
        label ?: if (classes == 0) 0 else ((seed + picture) % classes).toInt()

    fun latent(spec: LatentSpec, picture: Int): FloatArray =
        spec.draw(seed + picture, label(picture, spec.classNames.size)).also { spec.steer(it, amounts) }
}

/** A sheet as it was drawn. */
class Sheet(
    val model: Model,
    val pictures: List<IntArray>,
    val width: Int,
    val height: Int,
    /** Median of one inference, and all that a second gives, conversion to pixels included. */
    val inferenceMs: Double,
    val perSecond: Double,
    /** What was asked for and could not be had. */
    val note: String?,
    val comparison: Comparison?,
) {
    /** The same latents by another variant, and how far its pictures lie from these. */
    class Comparison(
        val pictures: List<IntArray>,
        val differences: List<IntArray>,
        val largest: Int,
        val mean: Double,
    )

    companion object {
        const val PICTURES = 16

        /** On the studio's thread. */
        fun draw(studio: Studio, request: SheetRequest): Sheet {
            val generator = studio.generator(request.variant, request.settings)
            val latents = List(PICTURES) { request.latent(generator.model.latent, it) }
            val pictures = List(PICTURES) { generator.picture() }
            generator.draw(latents[0], pictures[0]) // the first run after opening is no measure
            val inferences = LongArray(PICTURES)
            val start = System.nanoTime()
            for (picture in 0 until PICTURES) {
                inferences[picture] = generator.draw(latents[picture], pictures[picture])
            }
            val whole = System.nanoTime() - start
            return Sheet(
                generator.model,
                pictures,
                generator.width,
                generator.height,
                Statistics.median(inferences) / Statistics.NS_PER_MS,
                1e9 * PICTURES / whole,
                generator.note,
                request.other?.let { compare(studio.generator(it, request.settings), latents, pictures) },
            )
        }

        private fun compare(
            other: Generator,
            latents: List<FloatArray>,
            pictures: List<IntArray>,
        ): Comparison {
            if (other.picture().size != pictures[0].size) {
                throw BadInput("bundle ${other.model.variant} draws pictures of another size")
            }
            val drawn = latents.map { latent -> other.picture().also { other.draw(latent, it) } }
            val shown = drawn.map { IntArray(it.size) }
            val found = List(drawn.size) { Difference.of(pictures[it], drawn[it], shown[it]) }
            return Comparison(drawn, shown, found.maxOf { it.largest }, found.map { it.mean }.average())
        }
    }
}

/** Room for one picture of this generator. */
fun Generator.picture() = IntArray(width * height)
