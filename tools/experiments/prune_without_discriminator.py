"""Does pruning need the discriminator, or would something simpler do?

The generator that a finished run trained loses the same share of weights, layer by layer, four ways
of recovering apart:

- dense: nothing pruned, for reference;
- one shot: all at once, then batch-norm statistics measured anew and no training;
- teacher's pictures: TF-MOT's schedule over as many steps as stage prune takes, learning from the
  dense generator's pictures of the same latents (mean squared error) instead of a discriminator;
- adversarial: what stage prune of the run wrote; ``prune.distill`` of its recipe says how much the
  teacher's pictures count beside the discriminator.

Each becomes a float32 .tflite, batch norms folded as in stage convert, and is measured as in stage
evaluate: the run's judge, the same latents.

    python -m tools.experiments.prune_without_discriminator runs/digits [--json] [--markdown FILE]

Its figures stand in docs/results.md.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tf_keras

from pipeline import progress
from pipeline.artifacts import GENERATOR, load_network
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.prune import Pruning, layer_sparsity
from pipeline.determinism import prepare
from pipeline.native_log import native_log
from pipeline.stage import StageContext
from pipeline.stages.inputs import generator_inputs
from pipeline.tflite.convert import to_float32
from pipeline.training.randomness import Purpose
from pipeline.variants import BASELINE
from tools.console import add_table_options, run_as_program, show_table
from tools.experiments.distil import distil
from tools.experiments.finished_run import Examiner, FileQuality, labelled, open_run, variant
from tools.tables import Table, cell, percent, whole

SETTLING = 64
"""Batches that measure the batch-norm statistics, as many as adversarial training takes."""


def prune_in_one_shot(ctx: StageContext, dense: tf_keras.Model) -> tf_keras.Model:
    """The smallest weights set to zero at once; then only the batch norms see latents."""
    pruning = Pruning(dense, shares(ctx, dense), calls=1, every=1)
    latents = generator_inputs(ctx, Purpose.RECALIBRATE, SETTLING * ctx.recipe.train.batch)
    for batch in progress.track(np.split(latents, SETTLING), "one shot"):
        pruning.model(batch, training=True)
    return pruning.stripped()


def prune_on_pictures(
    ctx: StageContext, dense: tf_keras.Model, rate: float | None
) -> tf_keras.Model:
    """The schedule of stage prune, the teacher's pictures in place of the discriminator."""
    settings = ctx.recipe.prune
    calls = round(settings.ramp * settings.steps)
    pruning = Pruning(dense, shares(ctx, dense), calls, settings.every)
    distil(
        pruning.model,
        dense,
        ctx=ctx,
        steps=settings.steps,
        rate=rate or settings.rate,
        description="teacher's pictures",
    )
    return pruning.stripped()


def shares(ctx: StageContext, dense: tf_keras.Model) -> dict[str, float]:
    """Layer → share of zeros, as the recipe says."""
    settings = ctx.recipe.prune
    return layer_sparsity(
        dense,
        settings.sparsity,
        first=settings.first_layer,
        last=settings.last_layer,
        single=settings.layers,
    )


def compare(ctx: StageContext, rate: float | None, folder: Path) -> dict[str, FileQuality]:
    """Method of pruning → the quality of its file."""
    dense = load_network(ctx.inputs["train"] / GENERATOR)
    files = {"dense": variant(ctx, BASELINE)}
    methods: dict[str, Callable[[], tf_keras.Model]] = {
        "one shot": lambda: prune_in_one_shot(ctx, dense),
        "teacher's pictures": lambda: prune_on_pictures(ctx, dense, rate),
    }
    for name, prune in methods.items():
        prepare(ctx.recipe.seed)
        files[name] = folder / f"{name}.tflite"
        content = to_float32(fold_batch_norm(prune()))
        files[name].write_bytes(labelled(ctx, content, name))
    files["adversarial"] = variant(ctx, "pruned-float32")
    examiner = Examiner(ctx)
    return {name: examiner.examine(file) for name, file in files.items()}


def table(ctx: StageContext, measured: dict[str, FileQuality]) -> Table:
    """A row a method of pruning."""
    recipe = ctx.recipe
    return Table(
        ("Pruned by", "zeros", "gzip", "Fréchet", "recall", "PSNR dB"),
        [
            [
                name,
                cell(it.zeros, percent),
                whole(it.bytes_gzip),
                cell(it.frechet),
                cell(it.recall),
                cell(it.psnr),
            ]
            for name, it in measured.items()
        ],
        [
            f"Run {recipe.name}, seed {recipe.seed}; {recipe.prune.steps} steps of batch "
            f"{recipe.train.batch}; {recipe.evaluate.samples} pictures a file; all float32; "
            f"weight of the teacher's pictures in adversarial training: {recipe.prune.distill:g}."
        ],
    )


def main() -> int:
    """Compare, then print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_table_options(parser)
    parser.add_argument(
        "--rate", type=float, help="learning rate on the teacher's pictures (the recipe's)"
    )
    options = parser.parse_args()
    ctx = open_run(options.run)
    with tempfile.TemporaryDirectory() as name, native_log(Path(name) / "log.txt"):
        measured = compare(ctx, options.rate, Path(name))
    rows = {method: asdict(quality) for method, quality in measured.items()}
    show_table(table(ctx, measured), rows, options)
    return 0


if __name__ == "__main__":
    run_as_program(main)
