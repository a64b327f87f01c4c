package org.pocketgan.demo

/** Figures of many runs, by the method of `deploy/agent.py`. */
object Statistics {
    const val NS_PER_MS = 1e6

    /**
     * Nearest rank: the smallest sample that [percent] % of all do not exceed. [ordered] ascends
     * and is not empty.
     */
    fun percentile(ordered: LongArray, percent: Int): Long {
        val rank = (ordered.size.toLong() * percent + 99) / 100
        return ordered[maxOf(rank.toInt(), 1) - 1]
    }

    fun median(samples: LongArray): Long = percentile(samples.sortedArray(), 50)

    /** A measurement's time fields, in ms, from the nanoseconds of each run. */
    fun summarize(samples: LongArray): Map<String, Any> {
        val ordered = samples.sortedArray()
        val sum = ordered.sum().toDouble()
        return mapOf(
            "p50_ms" to percentile(ordered, 50) / NS_PER_MS,
            "p90_ms" to percentile(ordered, 90) / NS_PER_MS,
            "p99_ms" to percentile(ordered, 99) / NS_PER_MS,
            "mean_ms" to sum / ordered.size / NS_PER_MS,
            "min_ms" to ordered[0] / NS_PER_MS,
            "runs" to ordered.size,
            "per_second" to 1e9 * ordered.size / sum,
        )
    }
}
