package org.pocketgan.demo

/** Something a person can mend: a bundle, a job or a file is not as it should be. */
class BadInput(message: String) : Exception(message)

/** What went wrong, for a person: our own words as they are, others' with their kind before them. */
fun describe(error: Throwable): String {
    val said = error.message ?: "no reason was given"
    val text = if (error is BadInput) said else "${error.javaClass.simpleName}: $said"
    return text.take(ERROR_LENGTH)
}

private const val ERROR_LENGTH = 1000
