package org.pocketgan.demo

import kotlin.math.PI
import kotlin.math.acos
import kotlin.math.cos
import kotlin.math.ln
import kotlin.math.sin
import kotlin.math.sqrt

/** What is added to a latent, times a number from about -2 to 2, to change one thing in it. */
class Direction(val name: String, val vector: FloatArray)

/** An input vector: [length] numbers of a normal prior, then the class, one-hot. */
data class LatentSpec(
    val length: Int,
    val classNames: List<String>,
    val directions: List<Direction> = emptyList(),
) : Reads {
    val width get() = length + classNames.size

    /** The vector of a seed, as `model.json` says it in "seeding": one seed, one picture. */
    fun draw(seed: Long, label: Int): FloatArray {
        val numbers = SplitMix64(seed)
        val vector = FloatArray(width)
        for (k in 0 until length) {
            val radius = sqrt(-2 * ln(1 - numbers.uniform()))
            vector[k] = (radius * cos(2 * PI * numbers.uniform())).toFloat()
        }
        if (classNames.isNotEmpty()) vector[length + label] = 1f
        return vector
    }

    /** Go [amounts] along the directions, as many as there are numbers. */
    fun steer(vector: FloatArray, amounts: List<Float>) {
        for ((direction, amount) in directions.zip(amounts)) {
            for (k in 0 until length) vector[k] += amount * direction.vector[k]
        }
    }

    /**
     * The vector at [share] of the way from [from] to [to], into [into]. The prior's part goes
     * along an arc: the middle of a straight line is shorter than any latent the network has seen.
     */
    fun walk(from: FloatArray, to: FloatArray, share: Float, into: FloatArray) {
        var product = 0.0
        var fromSquare = 0.0
        var toSquare = 0.0
        for (k in 0 until length) {
            product += from[k] * to[k]
            fromSquare += from[k] * from[k]
            toSquare += to[k] * to[k]
        }
        val angle = acos((product / sqrt(fromSquare * toSquare)).coerceIn(-1.0, 1.0))
        val straight = sin(angle) < 1e-3 // the same direction, or none
        val a = if (straight) 1.0 - share else sin((1 - share) * angle) / sin(angle)
        val b = if (straight) share.toDouble() else sin(share * angle) / sin(angle)
        for (k in 0 until length) into[k] = (a * from[k] + b * to[k]).toFloat()
        for (k in length until width) into[k] = (1 - share) * from[k] + share * to[k]
    }
}

/** SplitMix64 (Steele, Lea & Flood 2014). */
class SplitMix64(private var state: Long) {
    fun next(): Long {
        state += -0x61c8864680b583ebL
        var z = state
        z = (z xor (z ushr 30)) * -0x40a7b892e31b1a47L
        z = (z xor (z ushr 27)) * -0x6b2fb644ecceee15L
        return z xor (z ushr 31)
    }

    /** A number in [0, 1). */
    fun uniform(): Double = (next() ushr 11) * TWO_TO_MINUS_53
}

private const val TWO_TO_MINUS_53 = 1.0 / (1L shl 53)
