"""Fine-tuning without a discriminator: what Keras' ``fit`` can do with a generator.

There are no labels for pictures that were never drawn, so the teacher's picture of the same latent
is the target: TF-MOT's guides fine-tune with ``fit``, and this is what there is to fit.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from pipeline import progress
from pipeline.stage import StageContext
from pipeline.stages.inputs import prior
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
) -> None:
    """Train a model [N, L] → [N, H, W, C] for so many steps on the teacher's pictures.

    Mean squared error; batches of the run's size, drawn from its prior; Adam, its rate falling to
    a tenth along a half cosine.
    """
    batch, seed, shape = ctx.recipe.train.batch, ctx.recipe.seed, prior(ctx)

    def example(step: Any) -> tuple[Any, Any]:
        latents, _ = draw_latents(seed_pair(seed, Purpose.LATENT, step * MOMENTS), batch, *shape)
        return latents, teacher(latents, training=False)

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
