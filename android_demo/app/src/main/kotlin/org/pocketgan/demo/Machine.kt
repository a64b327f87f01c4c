package org.pocketgan.demo

import java.io.File
import java.io.IOException

/** What the system tells of processor and memory; null where it does not tell. */
class Machine(private val root: File = File("/")) {
    /** The processor: ARM gives part numbers, big.LITTLE several of them. */
    fun cpu(): String? {
        val info = text("proc/cpuinfo")
        val parts = Regex("^CPU part\\s*: (\\w+)", RegexOption.MULTILINE)
            .findAll(info).map { it.groupValues[1] }.distinct().toList()
        if (parts.isNotEmpty()) {
            return parts.joinToString(" + ") { ARM_PARTS[it] ?: "ARM part $it" }
        }
        return Regex("^model name\\s*: (.+)$", RegexOption.MULTILINE)
            .find(info)?.groupValues?.get(1)?.trim()
    }

    /** Frequency: the highest of the cores. Temperature: the hottest of the processor's sensors. */
    fun conditions(): Map<String, Any?> {
        val cores = folders("sys/devices/system/cpu", Regex("cpu\\d+")).map { "$it/cpufreq" }
        val governors = cores.map { text("$it/scaling_governor") }.filter { it.isNotEmpty() }
        val zones = folders("sys/class/thermal", Regex("thermal_zone\\d+"))
        return mapOf(
            "governor" to governors.distinct().sorted().joinToString(" + ").ifEmpty { null },
            "mhz" to cores.mapNotNull { number("$it/scaling_cur_freq") }.maxOrNull()?.div(1e3),
            "celsius" to zones
                .filter { PROCESSOR_SENSOR.containsMatchIn(text("$it/type")) }
                .mapNotNull { number("$it/temp") }.maxOrNull()?.div(1e3),
        )
    }

    /** Highest resident size of this process so far. */
    fun peakKb(): Long? = Regex("^VmHWM:\\s*(\\d+) kB", RegexOption.MULTILINE)
        .find(text("proc/self/status"))?.groupValues?.get(1)?.toLong()

    /** Let the peak begin anew at the present size; false where the system forbids it. */
    fun resetPeak(): Boolean = try {
        File(root, "proc/self/clear_refs").writeText("5")
        true
    } catch (_: IOException) {
        false
    }

    private fun folders(parent: String, name: Regex): List<String> =
        File(root, parent).list().orEmpty().filter(name::matches).map { "$parent/$it" }

    private fun number(path: String): Double? = text(path).toDoubleOrNull()

    private fun text(path: String): String = try {
        File(root, path).readText().trim()
    } catch (_: IOException) {
        ""
    }

    private companion object {
        // As in deploy/agent.py.
        val PROCESSOR_SENSOR = Regex("cpu|pkg|package|soc|core", RegexOption.IGNORE_CASE)
        val ARM_PARTS = mapOf(
            "0xd03" to "Cortex-A53",
            "0xd05" to "Cortex-A55",
            "0xd07" to "Cortex-A57",
            "0xd08" to "Cortex-A72",
            "0xd09" to "Cortex-A73",
            "0xd0a" to "Cortex-A75",
            "0xd0b" to "Cortex-A76",
            "0xd0c" to "Neoverse-N1",
            "0xd0d" to "Cortex-A77",
            "0xd40" to "Neoverse-V1",
            "0xd41" to "Cortex-A78",
            "0xd44" to "Cortex-X1",
            "0xd46" to "Cortex-A510",
            "0xd47" to "Cortex-A710",
            "0xd49" to "Neoverse-N2",
            "0xc0f" to "Cortex-A15",
        )
    }
}
