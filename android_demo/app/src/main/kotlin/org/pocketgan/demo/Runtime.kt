package org.pocketgan.demo

import java.io.Closeable
import java.nio.ByteBuffer

/** What helps the CPU, or takes its place. */
enum class Delegate { XNNPACK, NONE, GPU }

data class Settings(val threads: Int, val delegate: Delegate = Delegate.XNNPACK)

/** A TFLite runtime. The app has TensorFlow Lite's; tests bring that of their machine. */
interface Runtime {
    val name: String
    val version: String

    /** Open a model, a direct buffer that stays as it is until the session is closed. */
    fun open(model: ByteBuffer, settings: Settings): Session
}

/** An interpreter with its tensors allocated. One thread at a time. */
interface Session : Closeable {
    val inputs: List<TensorSpec>
    val outputs: List<TensorSpec>

    /** Direct buffers, filled by the caller before [run] and read after it. */
    val inputBuffers: List<ByteBuffer>
    val outputBuffers: List<ByteBuffer>

    /** One inference. Gives the nanoseconds of it alone, without copies in and out. */
    fun run(): Long
}
