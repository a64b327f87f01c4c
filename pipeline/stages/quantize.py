"""Fold batch norm, round to int8 while the game goes on, with and without pruning."""

import json
import math
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tf_keras

from pipeline.atomic import replaced, write_text
from pipeline.compression.fake_quantization import quantization_aware, round_biases, unrounded
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.prune import kernel_sparsity
from pipeline.data.drawn import LESSONS, read_lessons
from pipeline.determinism import prepare
from pipeline.networks.pixels import to_uint8
from pipeline.run import Outcome, StageContext
from pipeline.search.scorer import drawn
from pipeline.stages import networks
from pipeline.stages.bit_budget import Weighed, aim, bits_for, gzip_bytes, gzip_limit
from pipeline.stages.student import student_pixels
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.log import TrainingLog
from pipeline.training.randomness import Purpose
from pipeline.training.settings import WeightSettings
from pipeline.training.trainer import GANTrainer, TrainingHistory

ROUNDS = 2
"""Where bytes are limited: after each the file is weighed, and bits are chosen anew."""
MOST_ROUNDS = 5
"""Those that follow because the file is still too large are half as long."""


def bases(stages: Container[str]) -> dict[str, str]:
    """Quantized variant → the stage whose generator it starts from."""
    return {"int8": "student"} if "student" in stages else {"int8": "prune", "int8-qat": "train"}


def quantize(ctx: StageContext) -> Outcome:
    """For each quantized variant write its folded float start, its weights, history and film."""
    outcomes = {
        variant: _fine_tune(ctx, variant, ctx.inputs[stage])
        for variant, stage in bases(ctx.inputs).items()
    }
    return Outcome(
        {variant: outcome.metrics for variant, outcome in outcomes.items()},
        [
            f"{variant}: {event}"
            for variant, outcome in outcomes.items()
            for event in outcome.events
        ],
    )


def folded(folder: Path, variant: str) -> Path:
    """Where the stage keeps the folded float generator that a quantized variant starts from."""
    return folder / f"{variant}.folded.keras"


def _weights(folder: Path, variant: str) -> Path:
    return folder / f"{variant}.weights.npz"


def _bits(folder: Path, variant: str) -> Path:
    return folder / f"{variant}.bits.json"


def _save_weights(aware: tf_keras.Model, path: Path) -> None:
    """As arrays in their order. Keras writes HDF5, whose library crashes where the disk is full."""
    with replaced(path) as aside, aside.open("wb") as file:
        np.savez(file, *aware.get_weights())


def load_aware(folder: Path, variant: str) -> tf_keras.Model:
    """The fine-tuned quantization-aware generator of a variant."""
    start = networks.load(folded(folder, variant))
    bits = json.loads(_bits(folder, variant).read_text())
    aware = quantization_aware(start, np.zeros([1, *start.input_shape[1:]], np.float32), bits)
    with np.load(_weights(folder, variant)) as arrays:
        aware.set_weights([arrays[name] for name in arrays.files])
    return aware


def _lessons(ctx: StageContext, start: tf_keras.Model) -> DistillationSet | None:
    """A student keeps to what it drew before it was rounded; others to what the teacher draws."""
    if "student" not in ctx.inputs:
        return None
    inputs = read_lessons(ctx.inputs["teacher"] / LESSONS).inputs
    pictures = to_uint8(drawn(start, inputs), student_pixels(ctx.inputs["student"]))
    return DistillationSet(inputs, pictures, networks.classes(ctx))


def _game(
    ctx: StageContext,
    aware: tf_keras.Model,
    discriminator: tf_keras.Model,
    steps: int,
    lessons: DistillationSet | None,
) -> GANTrainer:
    settings = ctx.recipe.quantize
    if lessons is None:
        rules = networks.fine_tuning(ctx, steps, settings.rate, settings.ema)
        teacher = fold_batch_norm(networks.teacher(ctx).model)
        return networks.game(ctx, aware, discriminator, rules, teacher, settings.distill)
    rules = networks.student_game(ctx, steps, settings.rate, settings.ema)
    rules = replace(rules, generator_weights=WeightSettings(l1=settings.l1))
    pixels = student_pixels(ctx.inputs["student"])
    return networks.game(ctx, aware, discriminator, rules, None, settings.distill, lessons, pixels)


def _fine_tune(ctx: StageContext, variant: str, base: Path) -> Outcome:
    """Rounds of the game: one, or so many that the file keeps its limit."""
    settings, limit = ctx.recipe.quantize, gzip_limit(ctx)
    prepare(ctx.recipe.seed)
    start = fold_batch_norm(networks.load(base / networks.GENERATOR))
    start.save(folded(ctx.folder, variant))
    discriminator = networks.load(base / networks.DISCRIMINATOR)
    seen = networks.inputs(ctx, Purpose.CALIBRATION, settings.calibration)
    lessons = _lessons(ctx, start)
    log = TrainingLog(ctx.folder, variant, f"-{variant}")
    story, weighed = TrainingHistory([], [], []), list[Weighed]()
    while steps := _next_round(settings.steps, limit, weighed):
        aimed = None if limit is None else aim(limit, weighed)
        bits = bits_for(ctx, start, seen, aimed)
        aware = quantization_aware(start, seen, bits)
        game = _game(ctx, aware, discriminator, steps, lessons)
        checkpoint = ctx.scratch / f"{variant}-{len(weighed)}.npz"
        played = game.play(checkpoint, f"quantize {variant}", log.after(story))
        story = story.followed_by(played)
        game.recalibrate()
        round_biases(aware)
        start = unrounded(aware, start)
        weighed.append(Weighed(aimed or 0, gzip_bytes(ctx, aware) if limit else 0))
    write_text(_bits(ctx.folder, variant), json.dumps(bits) + "\n")
    _save_weights(aware, _weights(ctx.folder, variant))
    log.close(story)
    zero = round(kernel_sparsity(start), 6)
    sizes = {"gzip_bytes": [file.bytes for file in weighed]} if limit else {}
    return Outcome({"zeros": zero, "distill": settings.distill, **sizes}, story.events)


def _next_round(steps: int, limit: int | None, weighed: Sequence[Weighed]) -> int:
    """Steps of the round after those whose files weighed so much; 0 when it is enough."""
    if limit is None:
        return 0 if weighed else steps
    if len(weighed) < ROUNDS:
        return math.ceil(steps / ROUNDS)
    if weighed[-1].bytes <= limit or len(weighed) == MOST_ROUNDS:
        return 0
    return math.ceil(steps / ROUNDS / 2)
