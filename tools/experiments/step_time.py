"""Does the training loop cost more than one written by hand for the same networks?

Two ways to train the networks of a recipe, same batch, same non-saturating loss, same fused Adam,
one drawing of the generator for both gradients, as in TensorFlow's DCGAN tutorial:

- the trainer: ``GANTrainer.train`` as stages use it, stability checks and history included;
- by hand: a ``tf.function`` with nothing in it but the step.

``plain`` has no regularizer (the trainer keeps its moving average); ``full`` adds R1 at
every eighth step, a moving average of the weights and the shift augmentation on both sides. Both
loops take turns, a block of steps each, in one process; the verdict is the median of the blocks'
ratios. Seconds of CPU suffer less from neighbours than seconds on the wall, so both are shown; the
exit code goes by ``--clock``.

    python -m tools.experiments.step_time [RECIPE] [--blocks 9] [--steps 100] [--json]

Exit code 1 if the plain trainer takes more than 1.05 times as long as the loop by hand.

Its figures stand in docs/decisions.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras
from rich.table import Table

from deploy.errors import PocketganError
from pipeline.consoles import console
from pipeline.data.dataset import Dataset
from pipeline.determinism import prepare
from pipeline.networks.pixels import pixel_range
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.networks.settings import ImageShape
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.run import Run
from pipeline.training.history import HistoryRow
from pipeline.training.objectives.generation import Generation
from pipeline.training.randomness import Prior
from pipeline.training.settings import TrainSettings
from pipeline.training.trainer import GANTrainer
from tools.console import run_as_program

ALLOWED = 1.05
WARM_UP = 1
"""Blocks at the start that do not count: their graphs are traced first."""
R1_EVERY = 8
R1 = 0.1
EMA = 0.995
REACH = 0.125  # of the side, by which the augmentation moves a picture


class Seconds(NamedTuple):
    """One block of steps, on the wall's clock and summed over this process's threads."""

    wall: float
    cpu: float


CLOCKS = Seconds._fields


@dataclass(frozen=True, kw_only=True)
class LoopComparison:
    """Clock → median milliseconds a step, and the median of the blocks' ratios, trainer to hand."""

    loop: str
    blocks: int
    steps_a_block: int
    trainer_ms: dict[str, float]
    hand_ms: dict[str, float]
    ratio: dict[str, float]


@dataclass(frozen=True)
class Networks:
    """Fresh networks of the recipe, and what both loops have to know of them."""

    generator: tf_keras.Model
    discriminator: tf_keras.Model
    latent: int
    classes: int


def build(recipe: Recipe, classes: int) -> Networks:
    """The recipe's networks, from its seed."""
    prepare(recipe.seed)
    image = ImageShape(
        recipe.data.image_size, recipe.data.channels, classes, recipe.data.image_width
    )
    generator = build_generator(recipe.generator, image)
    discriminator = build_discriminator(recipe.discriminator, image)
    return Networks(generator, discriminator, recipe.generator.latent, classes)


# ---------------------------------------------------------------------- by hand


def loop_by_hand(
    networks: Networks, dataset: Dataset, *, batch: int, rate: float, full: bool
) -> Callable[[int], None]:
    """Takes so many steps when called; nothing of the pipeline's training is used here."""
    generator, discriminator = networks.generator, networks.discriminator
    pictures, one_hot = real_pictures(networks, dataset)
    g_adam = tf_keras.optimizers.legacy.Adam(rate, 0.5)
    d_adam = tf_keras.optimizers.legacy.Adam(rate, 0.5)
    augment: Callable[[Any], Any] = shifted if full else lambda images: images
    shadows = [tf.Variable(weight) for weight in generator.trainable_variables]
    cross_entropy = tf_keras.losses.BinaryCrossentropy(from_logits=True)

    def score(images: Any, classes: Any) -> Any:
        return discriminator([images, classes] if networks.classes else images, training=True)

    @tf.function
    def step(*, penalize: bool) -> tuple[Any, Any]:
        chosen = tf.random.uniform([batch], maxval=len(dataset.train), dtype=tf.int32)
        real, real_classes = augment(tf.gather(pictures, chosen)), tf.gather(one_hot, chosen)
        noise = tf.random.normal([batch, networks.latent])
        labels_drawn = tf.random.uniform([batch], maxval=max(1, networks.classes), dtype=tf.int32)
        classes = tf.one_hot(labels_drawn, networks.classes)
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = augment(generator(tf.concat([noise, classes], 1), training=True))
            real_logits, fake_logits = score(real, real_classes), score(fake, classes)
            g_loss = cross_entropy(tf.ones_like(fake_logits), fake_logits)
            d_loss = cross_entropy(tf.ones_like(real_logits), real_logits)
            d_loss += cross_entropy(tf.zeros_like(fake_logits), fake_logits)
            if penalize:
                d_loss += r1_penalty(score, real, real_classes)
        g_weights, d_weights = generator.trainable_variables, discriminator.trainable_variables
        g_gradients, d_gradients = (
            g_tape.gradient(g_loss, g_weights),
            d_tape.gradient(d_loss, d_weights),
        )
        g_adam.apply_gradients(zip(g_gradients, g_weights, strict=True))
        d_adam.apply_gradients(zip(d_gradients, d_weights, strict=True))
        if full:
            for shadow, weight in zip(shadows, g_weights, strict=True):
                shadow.assign(EMA * shadow + (1 - EMA) * weight)
        return g_loss, d_loss

    def run(steps: int) -> None:
        losses = [step(penalize=full and number % R1_EVERY == 0) for number in range(steps)]
        np.mean(losses, axis=0)

    return run


def real_pictures(networks: Networks, dataset: Dataset) -> tuple[tf.Tensor, tf.Tensor]:
    """Training pictures [N, H, W, C] in the generator's range, and their classes one-hot [N, K]."""
    low, high = pixel_range(networks.generator)
    pictures = tf.constant(dataset.train * np.float32((high - low) / 255) + np.float32(low))
    labels = tf.constant(dataset.train_labels if networks.classes else np.zeros(len(pictures)))
    return pictures, tf.one_hot(tf.cast(labels, tf.int32), networks.classes)


def r1_penalty(score: Callable[[Any, Any], Any], real: Any, classes: Any) -> Any:
    """Half the mean squared slope of the score at real pictures, for R1_EVERY steps at once."""
    with tf.GradientTape() as tape:
        tape.watch(real)
        total = tf.reduce_sum(score(real, classes))
    slope = tf.square(tape.gradient(total, real))
    return R1 * R1_EVERY / 2 * tf.reduce_mean(tf.reduce_sum(slope, [1, 2, 3]))


def shifted(pictures: Any) -> Any:
    """Each picture [N, H, W, C] moved by up to an eighth of its side, its border repeated."""
    count, height, width, _ = pictures.shape
    reach = round(height * REACH)
    down = tf.random.uniform([count, 1], -reach, reach + 1, tf.int32)
    right = tf.random.uniform([count, 1], -reach, reach + 1, tf.int32)
    rows = tf.clip_by_value(tf.range(height) + down, 0, height - 1)
    columns = tf.clip_by_value(tf.range(width) + right, 0, width - 1)
    return tf.gather(tf.gather(pictures, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


# ---------------------------------------------------------------------- the trainer


def rules(train: TrainSettings, *, full: bool, blocks: int, steps: int) -> TrainSettings:
    """Settings of the trainer with what the loop by hand has, for so many blocks of steps."""
    return TrainSettings(
        steps=blocks * steps,
        check_every=steps,
        checkpoint_seconds=10**6,  # saving is no part of a step
        batch=train.batch,
        generator_rate=train.generator_rate,
        discriminator_rate=train.generator_rate,
        r1=R1 if full else 0.0,
        r1_every=R1_EVERY,
        augment=["shift"] if full else [],
        ema=EMA,
        collapse_ratio=0.0,  # no warnings
    )


def take_turns(
    trainer: GANTrainer, by_hand: Callable[[int], None], steps: int
) -> list[tuple[Seconds, Seconds]]:
    """Seconds of each block of the trainer and of the one by hand right after it."""
    pairs: list[tuple[Seconds, Seconds]] = []
    started = _now()

    def after_block(row: HistoryRow, frame: np.ndarray) -> None:
        nonlocal started
        between = _now()
        by_hand(steps)
        ended = _now()
        pairs.append((_from(started, between), _from(between, ended)))
        started = _now()

    with tempfile.TemporaryDirectory() as folder:
        trainer.train(Path(folder) / "checkpoint.npz", "trainer and loop by hand", after_block)
    return pairs


def _now() -> Seconds:
    return Seconds(time.perf_counter(), time.process_time())


def _from(start: Seconds, end: Seconds) -> Seconds:
    return Seconds(end.wall - start.wall, end.cpu - start.cpu)


def trainer_of(
    networks: Networks, dataset: Dataset, *, classes: int, settings: TrainSettings, seed: int
) -> GANTrainer:
    """As the stage train has it, of a generator that draws from latents."""
    objective = Generation(
        networks.generator,
        networks.discriminator,
        pictures=dataset.train,
        labels=dataset.train_labels,
        prior=Prior.even(networks.latent, classes),
        pixels=pixel_range(networks.generator),
        settings=settings,
        seed=seed,
    )
    return GANTrainer(objective, seed)


def compare(
    recipe: Recipe, dataset: Dataset, *, full: bool, blocks: int, steps: int
) -> LoopComparison:
    """Train the recipe's networks both ways, in turns."""
    classes = len(dataset.classes) if recipe.generator.conditional else 0
    theirs, ours = (build(recipe, classes) for _ in range(2))
    settings = rules(recipe.train, full=full, blocks=blocks + WARM_UP, steps=steps)
    by_hand = loop_by_hand(
        theirs, dataset, batch=settings.batch, rate=settings.generator_rate, full=full
    )
    trainer = trainer_of(ours, dataset, classes=classes, settings=settings, seed=recipe.seed)
    pairs = take_turns(trainer, by_hand, steps)[WARM_UP:]

    trainer_seconds, hand_seconds = (np.array(turns) for turns in zip(*pairs, strict=True))
    trainer_ms, hand_ms = (
        dict(zip(CLOCKS, np.median(seconds, axis=0) * 1000 / steps, strict=True))
        for seconds in (trainer_seconds, hand_seconds)
    )
    ratio = dict(zip(CLOCKS, np.median(trainer_seconds / hand_seconds, axis=0), strict=True))
    return LoopComparison(
        loop="full" if full else "plain",
        blocks=blocks,
        steps_a_block=steps,
        trainer_ms=trainer_ms,
        hand_ms=hand_ms,
        ratio=ratio,
    )


# ---------------------------------------------------------------------- output


def render(comparisons: list[LoopComparison]) -> Table:
    """A row a variant and clock."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("Loop")
    table.add_column("Clock")
    for heading in ("trainer\nms a step", "by hand\nms a step", "ratio"):
        table.add_column(heading, justify="right")
    for it in comparisons:
        for clock in CLOCKS:
            trainer, hand, ratio = it.trainer_ms[clock], it.hand_ms[clock], it.ratio[clock]
            table.add_row(it.loop, clock, f"{trainer:.2f}", f"{hand:.2f}", f"{ratio:.3f}")
    return table


def main() -> int:
    """Measure plain and full; 1 if the plain trainer is too slow."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", nargs="?", default="digits", help="whose networks (digits)")
    parser.add_argument("--blocks", type=int, default=9, help="turns that count, each loop (9)")
    parser.add_argument("--steps", type=int, default=100, help="steps a block (100)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="of the verdict")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    options = parser.parse_args()
    if options.blocks < 1 or options.steps < 1:
        raise PocketganError("--blocks and --steps must be positive.", "Leave them out, perhaps.")
    recipe = load_recipe(options.recipe)
    dataset = Run(recipe, Path("runs")).dataset
    comparisons = [
        compare(recipe, dataset, full=full, blocks=options.blocks, steps=options.steps)
        for full in (False, True)
    ]
    if options.json:
        print(json.dumps([asdict(comparison) for comparison in comparisons], indent=1))
    else:
        console().print(render(comparisons))
    return int(comparisons[0].ratio[options.clock] > ALLOWED)


if __name__ == "__main__":
    run_as_program(main)
