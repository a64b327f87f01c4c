package org.pocketgan.demo

import java.nio.ByteBuffer

/**
 * numpy's frozen `RandomState(seed)`: MT19937 (Matsumoto & Nishimura 1998) and the two draws that
 * `deploy/agent.py` makes of it, so that a phone is fed with the very bytes a desktop is.
 */
class MersenneTwister(seed: Long) {
    private val state = IntArray(SIZE)
    private var position = SIZE

    init {
        state[0] = seed.toInt()
        for (i in 1 until SIZE) {
            state[i] = 1812433253 * (state[i - 1] xor (state[i - 1] ushr 30)) + i
        }
    }

    fun next32(): Int {
        if (position == SIZE) refill()
        var y = state[position++]
        y = y xor (y ushr 11)
        y = y xor ((y shl 7) and 0x9d2c5680.toInt())
        y = y xor ((y shl 15) and 0xefc60000.toInt())
        return y xor (y ushr 18)
    }

    private fun refill() {
        for (i in 0 until SIZE) {
            val y = (state[i] and Int.MIN_VALUE) or (state[(i + 1) % SIZE] and Int.MAX_VALUE)
            val twisted = (y ushr 1) xor (if (y and 1 == 0) 0 else 0x9908b0df.toInt())
            state[i] = state[(i + SHIFT) % SIZE] xor twisted
        }
        position = 0
    }

    /** `random_sample()`: a number in [0, 1) of 53 bits. */
    fun uniform(): Double {
        val high = next32() ushr 5
        val low = next32() ushr 6
        return (high * 67108864.0 + low) / 9007199254740992.0
    }

    /** `randint(low, low + 2^bits)`: the low bits of one word. */
    fun integer(low: Long, bits: Int): Long = low + (next32() and ((1 shl bits) - 1))

    /** One input over the whole range of what it can hold, as `random_feed` of the agent. */
    fun fill(spec: TensorSpec, target: ByteBuffer) {
        target.rewind()
        repeat(spec.elements) {
            when (spec.type) {
                ElementType.FLOAT32 -> target.putFloat((uniform() * 2 - 1).toFloat())
                ElementType.INT8, ElementType.UINT8, ElementType.INT16 ->
                    spec.put(integer(spec.type.min, 8 * spec.type.size), target)
                else -> spec.put(integer(0, 1), target)
            }
        }
        target.rewind()
    }

    companion object {
        const val LARGEST_SEED = (1L shl 32) - 1
        private const val SIZE = 624
        private const val SHIFT = 397
    }
}
