"""Fine-tuning without a discriminator: what Keras' ``fit`` can do with a generator.

There are no labels for pictures that were never drawn, so the teacher's picture of the same input
is the target: TF-MOT's guides fine-tune with ``fit``, and this is what there is to fit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from pipeline import progress
from pipeline.artifacts import PAIRS, read_distillation_set
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.stage import StageContext
from pipeline.stages.inputs import prior, reads_pictures
from pipeline.training.randomness import Purpose, draw_latents, seed_pair

FINAL_RATE = 0.1
"""Share of the learning rate left at the end of a half cosine, as in adversarial training."""
MOMENTS = 64
"""Random streams a step, as in adversarial training: both read the same latents in one order."""


def distil(
    model: tf_keras.Model,
    teacher: tf_keras.Model,
    *,
    ctx: StageContext,
    steps: int,
    rate: float,
    description: str,
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    seed: int | None = None,
) -> None:
    """Train a model [N, …] → [N, H, W, C] for so many steps on the teacher's pictures.

    Mean squared error; batches of the run's size, of latents drawn from its prior, or of pairs that
    its stage teacher left; Adam, its rate falling to a tenth along a half cosine. ``seed``: of the
    batches, by default the run's.
    """
    draw, first = _examples(ctx, teacher), ctx.recipe.seed if seed is None else seed

    def example(step: Any) -> tuple[Any, Any]:
        return draw(seed_pair(first, Purpose.LATENT, step * MOMENTS))

    schedule = tf_keras.optimizers.schedules.CosineDecay(rate, steps, alpha=FINAL_RATE)
    model.compile(tf_keras.optimizers.Adam(schedule), "mse")
    with progress.bar() as bar:
        task = bar.add_task(description, total=steps)
        advance = tf_keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: bar.advance(task)
        )
        model.fit(
            tf.data.Dataset.range(steps).map(example), verbose=0, callbacks=[advance, *callbacks]
        )


def _examples(ctx: StageContext, teacher: tf_keras.Model) -> Callable[[Any], tuple[Any, Any]]:
    """A function of a seed, int64 [2]: what is read, and the teacher's picture of it."""
    batch, drawn_from = ctx.recipe.train.batch, prior(ctx)
    if "teacher" in ctx.stage.needs and reads_pictures(ctx):
        pairs = read_distillation_set(ctx.inputs["teacher"], PAIRS)
        tensors = pairs.on_device(read_saved_teacher(ctx.inputs["teacher"]).pixels)

        def stored(seed: Any) -> tuple[Any, Any]:
            inputs, _, pictures = tensors.sample(seed, batch)
            return inputs, pictures

        return stored

    def drawn_anew(seed: Any) -> tuple[Any, Any]:
        latents, _ = draw_latents(seed, batch, drawn_from)
        return latents, teacher(latents, training=False)

    return drawn_anew
