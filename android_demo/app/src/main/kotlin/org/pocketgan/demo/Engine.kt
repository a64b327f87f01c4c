package org.pocketgan.demo

import android.os.Bundle
import android.view.View
import android.widget.CheckBox
import android.widget.Spinner

/** The choice of threads and GPU, on a screen that includes the layout `engine`. */
class Engine(view: View, state: Bundle?, changed: () -> Unit) {
    private val threads = threadChoices()
    private var thread = state?.getInt(THREADS) ?: 0
    private var gpu = state?.getBoolean(GPU) ?: false

    val settings
        get() = Settings(threads[thread], if (gpu) Delegate.GPU else Delegate.XNNPACK)

    init {
        view.findViewById<Spinner>(R.id.threads).offer(threads.map(Int::toString), thread) {
            thread = it
            changed()
        }
        view.findViewById<CheckBox>(R.id.gpu).apply {
            isChecked = gpu
            setOnCheckedChangeListener { _, on ->
                gpu = on
                changed()
            }
        }
    }

    fun save(state: Bundle) {
        state.putInt(THREADS, thread)
        state.putBoolean(GPU, gpu)
    }

    private companion object {
        const val THREADS = "threads"
        const val GPU = "gpu"
    }
}
