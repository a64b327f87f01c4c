package org.pocketgan.demo

import android.content.Context
import android.os.Build
import android.os.PowerManager

/** What Android tells of this device. */
class Device(context: Context) {
    private val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager

    val name: String get() = "${Build.MANUFACTURER} ${Build.MODEL} (Android ${Build.VERSION.RELEASE})"

    val sustainedMode: Boolean get() = power.isSustainedPerformanceModeSupported

    /** How hot the device finds itself, in Android's words; null before Android 10. */
    fun thermalStatus(): String? =
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) null
        else THERMAL.getOrElse(power.currentThermalStatus) { "unknown" }

    /** What makes a measurement doubtful. */
    fun warnings(): List<String> = listOfNotNull(
        thermalStatus()?.takeIf { it != THERMAL[0] }?.let { "the device throttles for heat: $it" },
        "the device saves power".takeIf { power.isPowerSaveMode },
    )

    private companion object {
        val THERMAL =
            listOf("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
    }
}
