package org.pocketgan.demo

import android.app.Activity
import android.os.Bundle
import android.util.Log
import android.view.WindowManager
import java.io.IOException
import java.util.concurrent.Executors

/** Carries one job out without hands, leaves the answer where adb can pull it, and ends. */
class JobActivity : Activity() {
    private val worker = Executors.newSingleThreadExecutor()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_job)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        worker.execute {
            carryOut()
            runOnUiThread(::finish)
        }
    }

    private fun carryOut() {
        val folder = getExternalFilesDir(null)
        if (folder == null) {
            Log.e(TAG, "the external storage is not there: no job can be taken")
            return
        }
        val app = application as DemoApplication
        val device = Device(this)
        val agent = Agent(app.runtime, device.name, warnings = device::warnings)
        try {
            val answer = JobDesk(folder, app.bundles, agent).answer(
                intent.getStringExtra("id"),
                intent.getStringExtra("job"),
                intent.getStringExtra("job_file"),
            )
            Log.i(TAG, "answer: $answer")
        } catch (error: IOException) {
            Log.e(TAG, "the answer cannot be written", error)
        }
    }

    override fun onDestroy() {
        worker.shutdownNow()
        super.onDestroy()
    }

    private companion object {
        const val TAG = "pocketgan"
    }
}
