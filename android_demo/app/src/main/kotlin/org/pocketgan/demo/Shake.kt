package org.pocketgan.demo

import android.content.Context
import android.hardware.Sensor
import android.hardware.SensorEvent
import android.hardware.SensorEventListener
import android.hardware.SensorManager
import kotlin.math.sqrt

/** Tells when the device is shaken. */
class Shake(context: Context, private val shaken: () -> Unit) : SensorEventListener {
    private val sensors = context.getSystemService(Context.SENSOR_SERVICE) as SensorManager
    private var last = 0L

    fun start() {
        sensors.getDefaultSensor(Sensor.TYPE_ACCELEROMETER)?.let {
            sensors.registerListener(this, it, SensorManager.SENSOR_DELAY_UI)
        }
    }

    fun stop() = sensors.unregisterListener(this)

    override fun onSensorChanged(event: SensorEvent) = feel(event.values, event.timestamp)

    fun feel(values: FloatArray, now: Long) {
        val pull = sqrt(values.sumOf { it.toDouble() * it }) / SensorManager.GRAVITY_EARTH
        if (pull > ENOUGH && now - last > PAUSE_NS) {
            last = now
            shaken()
        }
    }

    override fun onAccuracyChanged(sensor: Sensor?, accuracy: Int) = Unit

    private companion object {
        const val ENOUGH = 2.2 // in g
        const val PAUSE_NS = 700_000_000L
    }
}
