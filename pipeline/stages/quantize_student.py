"""Round a student to few bits while the training goes on, in rounds that keep its bytes."""

import math
from collections.abc import Sequence
from dataclasses import replace

import tf_keras

from pipeline.artifacts import (
    DISCRIMINATOR,
    GENERATOR,
    PAIRS,
    folded_generator,
    load_network,
    read_distillation_set,
    read_student_facts,
    training_log,
    write_quantized,
)
from pipeline.compression.fake_quantization import quantization_aware, round_biases, unrounded
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.prune import kernel_sparsity
from pipeline.determinism import prepare
from pipeline.networks.pixels import to_uint8
from pipeline.search.trials import draw_pictures
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training
from pipeline.stages.bit_budget import RoundBytes, bits_for, gzip_bytes, gzip_limit, target_bytes
from pipeline.stages.inputs import class_count, teacher_inputs
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.history import TrainingHistory
from pipeline.training.objectives.generation import Generation
from pipeline.training.randomness import Purpose
from pipeline.training.settings import WeightSettings
from pipeline.training.trainer import GANTrainer
from pipeline.variants import SHIPPED

ROUNDS = 2
"""Where bytes are limited: after each the file is weighed, and bits are chosen anew."""
MOST_ROUNDS = 5
"""Those that follow because the file is still too large are half as long."""


@stage(
    "quantize",
    needs=("teacher", "student"),
    settings=(*training.ADVERSARIAL, "teacher", "budget", "student", "quantize", "convert"),
    reads_pictures=True,
)
def quantize_student(ctx: StageContext) -> Outcome:
    """Write the student's folded float start, its rounded weights, history and film.

    One round of training, or so many that the file keeps its limit.
    """
    settings, limit = ctx.recipe.quantize, gzip_limit(ctx)
    prepare(ctx.recipe.seed)
    start = fold_batch_norm(load_network(ctx.inputs["student"] / GENERATOR))
    start.save(folded_generator(ctx.folder, SHIPPED))
    discriminator = load_network(ctx.inputs["student"] / DISCRIMINATOR)
    calibration = teacher_inputs(ctx, Purpose.CALIBRATION, settings.calibration)
    pairs = _own_pictures(ctx, start)
    caption = Generation.caption
    log = training_log(ctx.folder, SHIPPED, variant=SHIPPED, caption=caption)
    history, rounds = TrainingHistory(), list[RoundBytes]()
    while steps := next_round(settings.steps, limit, rounds):
        target = None if limit is None else target_bytes(limit, rounds)
        bits = bits_for(ctx, start, calibration, target)
        aware = quantization_aware(start, calibration, bits)
        trainer = _trainer(ctx, aware, discriminator=discriminator, steps=steps, pairs=pairs)
        checkpoint = ctx.scratch / f"{SHIPPED}-{len(rounds)}.npz"
        later = trainer.train(checkpoint, f"quantize {SHIPPED}", log.after(history))
        history = history.followed_by(later)
        trainer.recalibrate()
        round_biases(aware)
        start = unrounded(aware, start)
        rounds.append(RoundBytes(target or 0, gzip_bytes(ctx, aware) if limit else 0))
    write_quantized(aware, bits, ctx.folder, SHIPPED)
    log.close(history)
    sizes = {"gzip_bytes": [file.written for file in rounds]} if limit else {}
    metrics = {"zeros": round(kernel_sparsity(start), 6), "distill": settings.distill, **sizes}
    return Outcome({SHIPPED: metrics}, [f"{SHIPPED}: {event}" for event in history.events])


def _own_pictures(ctx: StageContext, start: tf_keras.Model) -> DistillationSet:
    """What the student drew before it was rounded: it keeps to that."""
    inputs = read_distillation_set(ctx.inputs["teacher"] / PAIRS).inputs
    pixels = read_student_facts(ctx.inputs["student"]).pixels
    return DistillationSet(inputs, to_uint8(draw_pictures(start, inputs), pixels), class_count(ctx))


def _trainer(
    ctx: StageContext,
    aware: tf_keras.Model,
    *,
    discriminator: tf_keras.Model,
    steps: int,
    pairs: DistillationSet,
) -> GANTrainer:
    settings = ctx.recipe.quantize
    rules = training.student_training(ctx, steps, settings.rate, settings.ema)
    return training.trainer(
        ctx,
        aware,
        discriminator=discriminator,
        settings=replace(rules, generator_weights=WeightSettings(l1=settings.l1)),
        teacher=pairs,
        distill=settings.distill,
        pixels=read_student_facts(ctx.inputs["student"]).pixels,
    )


def next_round(steps: int, limit: int | None, rounds: Sequence[RoundBytes]) -> int:
    """Steps of the round after those whose files took so many bytes; 0 when it is enough."""
    if limit is None:
        return 0 if rounds else steps
    if len(rounds) < ROUNDS:
        return math.ceil(steps / ROUNDS)
    if rounds[-1].written <= limit or len(rounds) == MOST_ROUNDS:
        return 0
    return math.ceil(steps / ROUNDS / 2)
