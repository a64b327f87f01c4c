"""A first usable file, written while the student still learns: a better one follows."""

import tf_keras

from pipeline import progress
from pipeline.atomic import write_bytes
from pipeline.compression.fold import fold_batch_norm
from pipeline.networks.pixels import PixelRange
from pipeline.stage import StageContext
from pipeline.stages.inputs import generator_inputs
from pipeline.stages.provenance import with_provenance
from pipeline.tflite.convert import to_int8_post_training
from pipeline.training.randomness import Purpose

CALIBRATION = 128
"""Inputs that the ranges are read off."""


def write_first_file(ctx: StageContext, student: tf_keras.Model, pixels: PixelRange) -> None:
    """Write the student as it is, rounded without training, to ``first.tflite`` beside the stages.

    It draws int8 pictures with black and white at ``pixels``. ``remove_first_file`` takes it away
    when the shipped file is there.
    """
    inputs = generator_inputs(ctx, Purpose.CALIBRATION, CALIBRATION)
    bare = to_int8_post_training(fold_batch_norm(student), inputs)
    content = with_provenance(bare, ctx, "first", pixels)
    write_bytes(ctx.first_file, content)
    progress.console.print(
        f"A first file to try: {ctx.first_file} ({len(content):,} bytes); a smaller and better one "
        "follows"
    )


def remove_first_file(ctx: StageContext) -> None:
    """Once there is a better one."""
    ctx.first_file.unlink(missing_ok=True)
