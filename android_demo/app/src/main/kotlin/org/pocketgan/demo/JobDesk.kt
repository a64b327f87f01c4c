package org.pocketgan.demo

import java.io.File
import java.io.FileInputStream
import java.io.FileOutputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/**
 * Takes jobs in and lays answers out, in two folders that adb reaches. `android_demo/README.md`
 * describes the protocol.
 */
class JobDesk(folder: File, private val bundles: Bundles, private val agent: Agent) {
    private val jobs = File(folder, "jobs")
    private val results = File(folder, "results")

    init {
        jobs.mkdirs()
        results.mkdirs()
    }

    /** Carry out the job [text], or that in the file [jobFile]; gives the file of the answer. */
    fun answer(id: String?, text: String?, jobFile: String?): File {
        if (id != null && !ID.matches(id)) {
            return write(REFUSED, mapOf("error" to "id: not 1 to 64 of A-Z a-z 0-9 _ -"))
        }
        var subject = emptyMap<String, Any>()
        val answer = try {
            val json = Job.read(jobText(text, jobFile))
            subject = Job.subject(json)
            figures(Job.parse(json))
        } catch (error: Exception) { // whatever a runtime raises belongs in the answer
            mapOf("error" to describe(error))
        } catch (error: OutOfMemoryError) {
            mapOf("error" to describe(error))
        } catch (error: LinkageError) {
            mapOf("error" to describe(error))
        }
        return write(id ?: DEFAULT_ID, subject + answer)
    }

    private fun figures(job: Job): Map<String, Any?> {
        val latents = job.latents?.let { Latents.parse(plain(it).readBytes()) }
        return agent.measure(job, open(job), latents)
    }

    private fun jobText(text: String?, jobFile: String?): String = when {
        text != null && jobFile != null -> throw BadInput("give job or job_file, not both")
        text != null -> text
        jobFile != null -> plain(jobFile).readText()
        else -> throw BadInput("no job was given: put it into job, or its file's name into job_file")
    }

    /** The job's file, mapped. */
    private fun open(job: Job): ByteBuffer {
        val file = if (job.path.startsWith(BUNDLE)) {
            val variant = job.path.removePrefix(BUNDLE)
            if (variant !in bundles.variants()) {
                throw BadInput("path: no bundle $variant in this app: it has ${bundles.variants()}")
            }
            bundles.map(variant, bundles.model(variant))
        } else {
            map(plain(job.path))
        }
        if (sha256(file) != job.sha256) {
            throw BadInput("${job.path} is not the file of the job: its sha256 differs")
        }
        return file
    }

    private fun map(file: File): ByteBuffer = FileInputStream(file).channel.use {
        if (it.size() !in 1..Int.MAX_VALUE) throw BadInput("${file.name} has ${it.size()} bytes")
        it.map(FileChannel.MapMode.READ_ONLY, 0, it.size())
    }

    /** A file of the folder of jobs, by its name alone. */
    private fun plain(name: String): File {
        if (!NAME.matches(name)) throw BadInput("\"$name\" is not the plain name of a file")
        val file = File(jobs, name)
        if (!file.isFile || !file.canonicalPath.startsWith(jobs.canonicalPath + File.separator)) {
            throw BadInput("no such file: $file")
        }
        return file
    }

    /** The answer appears whole or not at all. */
    private fun write(id: String, answer: Map<String, Any?>): File {
        val file = File(results, "$id.json")
        val aside = File(results, ".$id.json.partial")
        FileOutputStream(aside).use {
            it.write(toJson(SCHEMA + answer).toString().toByteArray())
            it.fd.sync()
        }
        if (!aside.renameTo(file)) throw IOException("cannot write $file")
        return file
    }

    private companion object {
        const val BUNDLE = "bundle:"
        val SCHEMA = mapOf("schema_version" to Job.SCHEMA_VERSION)
        const val DEFAULT_ID = "job"
        const val REFUSED = "refused"
        val ID = Regex("[A-Za-z0-9_-]{1,64}")
        val NAME = Regex("[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
    }
}
