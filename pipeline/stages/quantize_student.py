"""Round a student to few bits while the training goes on, in rounds that keep its bytes."""

import gzip
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.artifacts import (
    DISCRIMINATOR,
    GENERATOR,
    PAIRS,
    REFERENCE,
    STUDENT_FACTS,
    folded_generator,
    load_network,
    read_distillation_set,
    training_log,
    write_quantized,
)
from pipeline.compression.bits import (
    RoundingCosts,
    choose_bits,
    expected_bytes,
    layer_bits,
    least_bytes,
    per_weight,
    sensitivities,
)
from pipeline.compression.fake_quantization import quantization_aware, round_biases, unrounded
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.int8_layers import FULL_BITS
from pipeline.compression.prune import kernel_sparsity
from pipeline.determinism import prepare
from pipeline.networks.pixels import to_uint8
from pipeline.search import work
from pipeline.search.budget import KILO
from pipeline.search.candidates import decibels
from pipeline.search.scorers import draw_pictures, pixel_scorer
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training
from pipeline.stages.inputs import generator_inputs
from pipeline.stages.prospects import COMPARED_ON_THE_WAY, Prospects, train_and_look_ahead
from pipeline.stages.provenance import with_provenance
from pipeline.stages.student import student_trainer
from pipeline.tflite.convert import to_int8_student
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.history import TrainingHistory
from pipeline.training.objectives.generation import Generation
from pipeline.training.objectives.translation import PairedTranslation
from pipeline.training.randomness import Purpose
from pipeline.training.settings import TrainSettings, WeightSettings
from pipeline.training.trainer import GANTrainer
from pipeline.variants import SHIPPED

ROUNDS = 2
"""Where bytes are limited: after each the file is weighed, and bits are chosen anew."""
MOST_ROUNDS = 5
"""Those that follow because the file is still too large are half as long."""

PRICED = 256
"""Latents by which it is judged what a layer can bear."""
FILLED = 0.97
"""Share of a limit that is aimed at."""
ATTEMPTS = 3


def _check_bits(ctx: StageContext) -> None:
    """PocketganError for bits of all weights: those of a student are a choice of the search."""
    bits = ctx.recipe.quantize.bits
    if bits != FULL_BITS:
        raise PocketganError(
            f"quantize.bits: {bits} would change nothing: a student's bits are searched.",
            f"Leave it out, and set search.bits to [{bits}].",
        )


@stage(
    "quantize",
    needs=("teacher", "student"),
    settings=(*training.ADVERSARIAL, "teacher", "budget", "student", "quantize", "convert"),
    reads_pictures=True,
    check=_check_bits,
)
def quantize_student(ctx: StageContext) -> Outcome:
    """Write the student's folded float start, its rounded weights, history and film.

    One round of training, or so many that the file keeps its limit.
    """
    settings = ctx.recipe.quantize
    prepare(ctx.recipe.seed)
    start = fold_batch_norm(load_network(ctx.inputs["student"] / GENERATOR))
    start.save(folded_generator(ctx.folder, SHIPPED))
    path = ctx.inputs["student"] / DISCRIMINATOR
    discriminator = load_network(path) if path.exists() else None
    pairs = _targets(ctx, start, PAIRS)
    objective = Generation if pairs.input_pixels is None else PairedTranslation
    log = training_log(ctx.folder, SHIPPED, variant=SHIPPED, caption=objective.caption)
    held = _targets(ctx, start, REFERENCE, COMPARED_ON_THE_WAY)
    history, sentence = TrainingHistory(), ""
    rounds = "" if ctx.recipe.budget.max_gzip_kb is None else f" of {ROUNDS} to {MOST_ROUNDS}"

    def learn(aware: tf_keras.Model, steps: int, number: int) -> None:
        nonlocal history, sentence
        trainer = _trainer(ctx, aware, discriminator=discriminator, steps=steps, pairs=pairs)
        later, sentence = train_and_look_ahead(
            trainer,
            ctx.scratch / f"{SHIPPED}-{number}.npz",
            description=f"quantize {SHIPPED}" + (rounds and f", round {number + 1}{rounds}"),
            on_row=log.after(history),
            prospects=_prospects(ctx, aware, held),
        )
        history = history.followed_by(later)

    rounded = learn_rounded(ctx, start, steps=rounding_steps(ctx), learn=learn)
    write_quantized(rounded.aware, rounded.bits, ctx.folder, SHIPPED)
    log.close(history)
    sizes = {"gzip_bytes": rounded.gzip_bytes} if rounded.gzip_bytes else {}
    zeros = round(kernel_sparsity(rounded.start), 6)
    metrics = {"zeros": zeros, "distill": settings.distill, "steps": history.steps, **sizes}
    events = [f"{SHIPPED}: {event}" for event in (*history.events, sentence)]
    return Outcome({SHIPPED: metrics}, events)


class RoundedStudent(NamedTuple):
    """A student after its training with rounded weights."""

    aware: tf_keras.Model
    """Quantization-aware, its biases rounded too."""
    bits: dict[str, float]
    """Of the weights, by layer."""
    start: tf_keras.Model
    """The same folded, its weights before their rounding."""
    gzip_bytes: list[int]
    """Of the file after each round; empty where bytes are not limited."""


def learn_rounded(
    ctx: StageContext,
    start: tf_keras.Model,
    *,
    steps: int,
    learn: Callable[[tf_keras.Model, int, int], None],
) -> RoundedStudent:
    """Round a folded student to its bits while it learns: once, or so often as its limit demands.

    ``learn``: train this quantization-aware model for so many steps, in the round of that number.
    """
    limit_kb = ctx.recipe.budget.max_gzip_kb
    limit = None if limit_kb is None else round(limit_kb * KILO)
    calibration = generator_inputs(ctx, Purpose.CALIBRATION, ctx.recipe.quantize.calibration)
    rounds = list[RoundBytes]()
    while more := next_round(steps, limit, rounds):
        target = None if limit is None else target_bytes(limit, rounds)
        bits = bits_for(ctx, start, calibration, target)
        aware = quantization_aware(start, calibration, bits)
        learn(aware, more, len(rounds))
        round_biases(aware)
        start = unrounded(aware, start)
        rounds.append(RoundBytes(target or 0, gzip_bytes(ctx, aware) if limit else 0))
    sizes = [file.written for file in rounds] if limit else []
    return RoundedStudent(aware, bits, start, sizes)


def rounding_steps(ctx: StageContext) -> int:
    """Updates while weights are rounded: those of the recipe, or as many as there is time for."""
    return _steps_of(ctx)(ctx.recipe.quantize.steps, ctx.recipe.budget)


def _steps_of(ctx: StageContext) -> work.StepsOf:
    macs = STUDENT_FACTS.read(ctx.inputs["student"]).tried.cost.macs
    batch = ctx.recipe.train.batch
    return partial(work.affordable_steps, macs=macs, batch=batch, share=work.QUANTIZE)


def _prospects(ctx: StageContext, aware: tf_keras.Model, held: DistillationSet) -> Prospects:
    """How a round is rated: by the distance to what the student keeps to, on ``held`` inputs."""
    recipe, latent = ctx.recipe, held.input_pixels is None
    target = "what it drew before it was rounded" if latent else "the teacher's pictures"
    pixels = STUDENT_FACTS.read(ctx.inputs["student"]).pixels
    wanted = recipe.quantize.steps
    return Prospects(
        what="rounding" if recipe.budget.max_gzip_kb is None else "rounding, last round",
        rate=partial(pixel_scorer(held), aware, pixels),
        text=lambda score: f"{decibels(score):.1f} dB to {target}",
        more=work.doubling("quantize.steps", wanted, recipe.budget, _steps_of(ctx)),
    )


def _targets(
    ctx: StageContext, start: tf_keras.Model, part: str, count: int | None = None
) -> DistillationSet:
    """What the student keeps to: of latents what it drew before it was rounded, which has come
    nearer to real pictures than its teacher; of pictures what its teacher makes of them.
    """
    pairs = read_distillation_set(ctx.inputs["teacher"], part).first(count)
    if pairs.input_pixels is not None:
        return pairs
    pixels = STUDENT_FACTS.read(ctx.inputs["student"]).pixels
    return replace(pairs, pictures=to_uint8(draw_pictures(start, pairs.inputs), pixels))


def _trainer(
    ctx: StageContext,
    aware: tf_keras.Model,
    *,
    discriminator: tf_keras.Model | None,
    steps: int,
    pairs: DistillationSet,
) -> GANTrainer:
    return student_trainer(
        ctx,
        aware,
        discriminator=discriminator,
        pairs=pairs,
        distill=ctx.recipe.quantize.distill,
        pixels=STUDENT_FACTS.read(ctx.inputs["student"]).pixels,
        settings=rounding_rules(ctx, steps),
    )


def rounding_rules(ctx: StageContext, steps: int) -> TrainSettings:
    """Settings of a training of so many steps with rounded weights."""
    settings = ctx.recipe.quantize
    rules = training.student_training(ctx, steps, settings.rate, settings.ema)
    return replace(rules, generator_weights=WeightSettings(l1=settings.l1))


def gzip_bytes(ctx: StageContext, aware: tf_keras.Model) -> int:
    """Bytes of the gzipped file that will be written of a quantization-aware student."""
    content = to_int8_student(aware, ctx.recipe.convert.batch)
    pixels = STUDENT_FACTS.read(ctx.inputs["student"]).pixels
    return len(gzip.compress(with_provenance(content, ctx, SHIPPED, pixels), 9))


class RoundBytes(NamedTuple):
    """Gzipped bytes of a round's file: those that bits were fitted to, those that training left."""

    target: int
    written: int


def next_round(steps: int, limit: int | None, rounds: Sequence[RoundBytes]) -> int:
    """Steps of the round after those whose files took so many bytes; 0 when it is enough."""
    if limit is None:
        return 0 if rounds else steps
    if len(rounds) < ROUNDS:
        return math.ceil(steps / ROUNDS)
    if rounds[-1].written <= limit or len(rounds) == MOST_ROUNDS:
        return 0
    return math.ceil(steps / ROUNDS / 2)


def target_bytes(limit: int, earlier: Sequence[RoundBytes]) -> int:
    """Gzipped bytes to fit bits to: training will move weights, and the last round says how far.

    Half of that is expected again: what a first round took off, a second one does not quite.
    """
    drift = math.sqrt(earlier[-1].target / earlier[-1].written) if earlier else 1.0
    return round(limit * FILLED * drift)


def bits_for(
    ctx: StageContext, start: tf_keras.Model, inputs: np.ndarray, target: int | None
) -> dict[str, float]:
    """Bits by layer: what each layer of a student can bear within its budget.

    Layers whose bits the recipe names keep them. ``inputs`` float32 [N, …] is what the folded model
    ``start`` reads. ``target``: gzipped bytes that the file may have, if that is limited.
    """
    settings = ctx.recipe.quantize
    even = layer_bits(start, STUDENT_FACTS.read(ctx.inputs["student"]).tried.bits, settings.layers)
    if set(even.values()) == {FULL_BITS} and (
        # Bits cannot make a file better that is small enough with all of them.
        target is None or gzip_bytes(ctx, quantization_aware(start, inputs[:1], even)) <= target
    ):
        return even
    prices = per_weight(sensitivities(start, inputs[:PRICED]), start)
    for name, bits in settings.layers.items():
        prices[name] = {bits: prices[name][bits]}
    even_bytes = expected_bytes(prices, even)
    if target is None:
        return choose_bits(prices, even_bytes)
    return _fitted(ctx, start, prices=prices, first=even_bytes, limit=target, inputs=inputs)


def _fitted(
    ctx: StageContext,
    start: tf_keras.Model,
    *,
    prices: RoundingCosts,
    first: int,
    limit: int,
    inputs: np.ndarray,
) -> dict[str, float]:
    """Bits with which the gzipped file, written and weighed, is as near below ``limit`` as it can.

    What a file holds besides its weights is known only by writing one. Where that leaves the
    weights too little they take the least they can: training may still make them smaller, and
    where it does not the report says so.
    """
    least = least_bytes(prices)
    bits = choose_bits(prices, first)
    for _ in range(ATTEMPTS):
        written = gzip_bytes(ctx, quantization_aware(start, inputs[:1], bits))
        room = limit - written + expected_bytes(prices, bits)
        closer = choose_bits(prices, max(room, least))
        if closer == bits:
            break
        bits = closer
    return bits
