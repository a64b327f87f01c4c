package org.pocketgan.demo

import android.view.View
import android.view.ViewGroup
import android.widget.GridLayout
import android.widget.LinearLayout
import android.widget.TextView

/** Does this device draw what the desktop drew? The golden vectors of each bundle say. */
class ProofScreen(activity: MainActivity, parent: ViewGroup) :
    Screen(activity, R.layout.screen_proof, parent) {
    private val studio = activity.studio
    private val proofs = view.findViewById<LinearLayout>(R.id.proofs)

    init {
        view.findViewById<View>(R.id.check).setOnClickListener { check() }
        check()
    }

    private fun check() {
        proofs.removeAllViews()
        for (variant in studio.bundles.variants()) {
            val card = activity.layoutInflater.inflate(R.layout.proof, proofs, false)
            proofs.addView(card)
            card.findViewById<TextView>(R.id.title).text = variant
            studio.submit({ prove(variant) }) { result ->
                result.fold({ show(card, it) }) {
                    card.findViewById<TextView>(R.id.trouble).tell(describe(it))
                }
            }
        }
    }

    private fun prove(variant: String): Proof =
        Proof.of(studio.generator(variant, Settings(threads = 1)), studio.bundles, variant)

    private fun show(card: View, proof: Proof) {
        card.findViewById<TextView>(R.id.verdict).text = verdict(proof)
        card.findViewById<TextView>(R.id.details).text = listOfNotNull(
            line(R.string.proof_outputs, describe(proof.outputs, proof.model.output)),
            proof.plain?.let { line(R.string.proof_plain, describe(it, proof.model.output)) },
            proof.latents?.let { line(R.string.proof_seeds, describe(it, null)) },
            line(R.string.proof_inputs, describe(proof.inputs, proof.model.input)),
            string(R.string.proof_golden_by, proof.model.goldenRuntime),
        ).joinToString("\n")
        val grid = card.findViewById<GridLayout>(R.id.pictures)
        val shown = minOf(proof.count, grid.columnCount)
        show(grid, proof, proof.drawn.take(shown), R.string.proof_drawn_here)
        if (!proof.outputs.equal) show(grid, proof, proof.golden.take(shown), R.string.proof_golden)
    }

    private fun show(grid: GridLayout, proof: Proof, pictures: List<IntArray>, name: Int) {
        val pixels = proof.model.pixels()
        grid.addPictures(pictures.size).zip(pictures).forEachIndexed { number, (view, colours) ->
            view.show(colours, pixels.width, pixels.height)
            view.contentDescription = line(name, (number + 1).toString())
        }
    }

    private fun verdict(proof: Proof): String = when {
        proof.outputs.equal -> string(R.string.proof_equal, proof.count)
        proof.plain?.equal == true -> string(R.string.proof_equal_plain, proof.count)
        proof.model.output.type == ElementType.FLOAT32 && proof.outputs.largest < ROUNDING ->
            string(R.string.proof_rounding, proof.count)
        else -> string(R.string.proof_unequal)
    }

    private fun line(name: Int, value: String) = string(R.string.proof_line, string(name), value)

    /** [spec] is null for real numbers. */
    private fun describe(found: Agreement, spec: TensorSpec?): String {
        if (found.equal) return string(R.string.proof_same)
        val distance = if (spec == null || spec.type == ElementType.FLOAT32) {
            string(R.string.proof_real, String.format("%.2g", found.largest))
        } else {
            string(R.string.proof_steps, found.largest.toInt())
        }
        return string(R.string.proof_differs, distance, found.differing, found.values)
    }

    private companion object {
        const val ROUNDING = 1e-4
    }
}
