"""GANTrainer: the one training loop. What is trained, and for what, its objective knows."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.arrays import Tensor
from pipeline.graphs import tf_graph
from pipeline.training.history import (
    STEP_METRICS,
    Checkpoint,
    HistoryRow,
    TrainingHistory,
    load_checkpoint,
)
from pipeline.training.losses import Verdict
from pipeline.training.monitor import mean_distance, new_events, reference_distance
from pipeline.training.objective import Objective
from pipeline.training.randomness import Purpose, StepSeeds
from pipeline.training.weights import DroppedWeights, MovingAverage, weight_penalty

OnRow = Callable[[HistoryRow, np.ndarray], None]
"""Called with each new row of the history and the frame uint8 [N, H, W, C] of that step."""

MAX_ROLLBACKS = 3


class GANTrainer:
    """Trains the networks of an objective by its settings.

    Raises PocketganError where the objective's real pictures are all the same.
    """

    def __init__(self, objective: Objective, seed: int) -> None:
        self.objective = objective
        self.settings = settings = objective.settings
        self._seed = seed
        adam = tf_keras.optimizers.legacy.Adam
        self._generator_optimizer = adam(settings.generator_rate, settings.beta1)
        self._discriminator_optimizer = adam(settings.discriminator_rate, settings.beta1)
        self._generator_optimizer._create_all_weights(objective.generator_variables)
        self._discriminator_optimizer._create_all_weights(objective.discriminator_variables)
        self.average = MovingAverage(objective.generator_variables, settings.ema)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._rate_scale = tf.Variable(1.0, trainable=False)
        self._real_distance = reference_distance(objective.real_pictures, seed)

    # ------------------------------------------------------------------ one step

    @tf_graph
    def step(self, *, regularize: bool, phase: int = 0) -> Tensor:
        """``critic_steps`` updates of the discriminators and one of the generators.

        ``regularize`` (whether ``Objective.regularizes_at`` this step) and ``phase`` (what
        ``Objective.enter`` gives) are Python values: each pair of them makes its own graph. Gives
        float32 [6], the STEP_METRICS.
        """
        objective, settings = self.objective, self.settings
        self._set_rates()
        for sub_step in range(1, settings.critic_steps):
            seeds = StepSeeds(self._seed, self._step, sub_step)
            batch = objective.batch(seeds)
            fakes = objective.generate(batch)
            _, gradients = self._judge(batch, fakes, seeds, regularize=regularize)
            self._update_discriminators(gradients)

        seeds = StepSeeds(self._seed, self._step)
        batch = objective.batch(seeds)
        variables, weights = objective.generator_variables, settings.generator_weights
        dropped = DroppedWeights(variables, weights.drop, seeds(Purpose.GENERATOR_DROP))
        # Both sides' gradients come from one forward pass, so both are taken at the same weights.
        with tf.GradientTape() as tape:
            with dropped:
                fakes = objective.generate(batch)
            verdict, gradients = self._judge(batch, fakes, seeds, regularize=regularize)
            loss = objective.generator_loss(batch, fakes, verdict)
            loss += weight_penalty(variables, weights)
        of_loss = _gradients(tape, loss, variables)
        generator_gradients = dropped.to_original(variables, of_loss, weights)
        self._update_discriminators(gradients)
        self._generator_optimizer.apply_gradients(zip(generator_gradients, variables, strict=True))
        self.average.update(self._step)
        self._step.assign_add(1)
        return _step_metrics(verdict, loss, objective.adversarial_loss.accuracy(verdict))

    def _judge(
        self, batch: Any, fakes: Any, seeds: StepSeeds, *, regularize: bool
    ) -> tuple[Verdict, list[Tensor]]:
        """The discriminators' verdict and the gradients of their loss."""
        variables = self.objective.discriminator_variables
        weights = self.settings.discriminator_weights
        dropped = DroppedWeights(variables, weights.drop, seeds(Purpose.DISCRIMINATOR_DROP))
        with tf.GradientTape() as tape:
            with dropped:
                verdict = self.objective.judge(batch, fakes, seeds, regularize=regularize)
            loss = verdict.loss + weight_penalty(variables, weights)
        gradients = dropped.to_original(variables, _gradients(tape, loss, variables), weights)
        return replace(verdict, loss=loss), gradients

    def _update_discriminators(self, gradients: list[Tensor]) -> None:
        variables = self.objective.discriminator_variables
        if not variables:
            return
        self._discriminator_optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self.objective.constrain_discriminators()

    def _set_rates(self) -> None:
        """Half a cosine from the full learning rate to its final share (Loshchilov 2017, eq. 5)."""
        settings = self.settings
        progress_share = tf.cast(self._step, tf.float32) / settings.steps
        wave = 0.5 * (1.0 + tf.cos(math.pi * progress_share))
        share = self._rate_scale * (settings.final_rate + (1.0 - settings.final_rate) * wave)
        self._generator_optimizer.learning_rate.assign(settings.generator_rate * share)
        self._discriminator_optimizer.learning_rate.assign(settings.discriminator_rate * share)

    # ------------------------------------------------------------------ all steps

    def train(
        self, checkpoint: Path, description: str, on_row: OnRow = lambda row, frame: None
    ) -> TrainingHistory:
        """Take all steps, or those that are left after ``checkpoint``; the averages are adopted.

        Raises PocketganError when the training diverges again after MAX_ROLLBACKS rollbacks. On
        KeyboardInterrupt the last healthy state is saved before it is passed on.
        """
        state = load_checkpoint(checkpoint)
        if state is not None and self._fits(state):
            self._restore(state)
            progress.console.print(f"{description}: resumed at step {state.step}")
        else:
            state = self._state(
                TrainingHistory(frames=[self.objective.frame(self.fixed_pictures())])
            )
        saved = time.monotonic()
        with progress.bar() as bar:
            task = bar.add_task(description, total=self.settings.steps, completed=state.step)
            try:
                while state.step < self.settings.steps:
                    state = self._advance(state, on_row, after_step=lambda: bar.advance(task))
                    bar.update(task, completed=state.step)
                    if time.monotonic() - saved >= self.settings.checkpoint_seconds:
                        state.save(checkpoint)
                        saved = time.monotonic()
            except KeyboardInterrupt:
                state.save(checkpoint)
                raise
        self.average.adopt()
        return state.history

    def _advance(
        self, state: Checkpoint, on_row: OnRow, after_step: Callable[[], None]
    ) -> Checkpoint:
        """Train up to the next check of the monitor, or roll back if the numbers went wrong."""
        settings, history = self.settings, state.history
        until = min(state.step + settings.check_every, settings.steps)
        metrics = []
        for step in range(state.step, until):
            phase = self.objective.enter(step)
            metrics.append(self.step(regularize=self.objective.regularizes_at(step), phase=phase))
            after_step()
        pictures = self.fixed_pictures()
        row = HistoryRow(
            step=until,
            **dict(zip(STEP_METRICS, np.mean(metrics, axis=0).tolist(), strict=True)),
            diversity=mean_distance(pictures) / self._real_distance,
            rate=float(self._generator_optimizer.learning_rate),
        )
        if not (row.finite and self._finite()):
            return self._roll_back(state, until)
        rows = [*history.rows, row]
        # Warnings are about discriminators: without one there is nothing to warn of.
        watched = bool(self.objective.discriminators)
        saturates = self.objective.adversarial_loss.saturates
        ratio = settings.collapse_ratio
        events = new_events(rows, ratio, saturates=saturates) if watched else []
        for event in events:
            progress.console.print(event, style="yellow")
        frame = self.objective.frame(pictures)
        on_row(row, frame)
        due = len(history.frames) * settings.steps / max(1, settings.film_frames - 1)
        frames = [*history.frames, frame] if until >= due else history.frames
        return self._state(
            TrainingHistory(rows, [*history.events, *events], frames),
            rate_scale=state.rate_scale,
            rollbacks=state.rollbacks,
        )

    def _roll_back(self, state: Checkpoint, at: int) -> Checkpoint:
        if state.rollbacks == MAX_ROLLBACKS:
            raise PocketganError(
                f"training diverged (NaN or infinite) between steps {state.step} and {at}, and "
                f"again after {MAX_ROLLBACKS} rollbacks with half the learning rate each.",
                "Lower generator_rate and discriminator_rate, or add r1 or label_smoothing.",
            )
        self._restore(state)
        scale = state.rate_scale / 2
        self._rate_scale.assign(scale)
        event = f"step {at}: NaN or infinite; back to step {state.step} with half the learning rate"
        progress.console.print(event, style="red")
        history = replace(state.history, events=[*state.history.events, event])
        return self._state(history, rate_scale=scale, rollbacks=state.rollbacks + 1)

    def fixed_pictures(self) -> np.ndarray:
        """The averaged generators' pictures of the objective's fixed inputs: uint8 [N, H, W, C]."""
        with self.average.applied():
            return self.objective.fixed_pictures()

    @contextmanager
    def ended(self) -> Iterator[None]:
        """The generators are as they would be if the training ended here; afterwards as before."""
        variables = [v for network in self.objective.generators for v in network.variables]
        own = [variable.numpy() for variable in variables]
        self.average.adopt()
        self.recalibrate()
        try:
            yield
        finally:
            for variable, value in zip(variables, own, strict=True):
                variable.assign(value)

    def recalibrate(self, batches: int = 64) -> None:
        """Let batch-norm statistics and fake-quantization ranges settle on the averaged weights.

        The averages never met the statistics that the training weights left behind.
        """
        for number in range(batches):
            self._recalibrate(tf.constant(number))

    @tf_graph
    def _recalibrate(self, number: Tensor) -> None:
        self.objective.recalibrate(number)

    # ------------------------------------------------------------------ state

    def _variables(self) -> list[Any]:
        objective = self.objective
        networks = (*objective.generators, *objective.discriminators)
        return [
            self._step,
            *(variable for network in networks for variable in network.variables),
            *objective.state,
            *self.average.shadows,
            *self._generator_optimizer.variables(),
            *self._discriminator_optimizer.variables(),
        ]

    def _finite(self) -> bool:
        """Whether the state may be kept: a step's metrics describe the weights before it."""
        return all(bool(np.isfinite(v.numpy()).all()) for v in self._variables())

    def _state(
        self, history: TrainingHistory, rate_scale: float = 1.0, rollbacks: int = 0
    ) -> Checkpoint:
        return Checkpoint(
            variables=[np.array(variable.numpy()) for variable in self._variables()],
            step=int(self._step),
            rate_scale=rate_scale,
            rollbacks=rollbacks,
            history=history,
        )

    def _fits(self, state: Checkpoint) -> bool:
        shapes = [tuple(variable.shape) for variable in self._variables()]
        return shapes == [value.shape for value in state.variables]

    def _restore(self, state: Checkpoint) -> None:
        self._rate_scale.assign(state.rate_scale)
        for variable, value in zip(self._variables(), state.variables, strict=True):
            variable.assign(value)


def _gradients(tape: Any, loss: Tensor, variables: list[Any]) -> list[Tensor]:
    """Of what the loss does not depend on, as of layers that are not grown into yet, they are 0."""
    gradients: list[Tensor] = tape.gradient(loss, variables, unconnected_gradients="zero")
    return gradients


def _step_metrics(verdict: Verdict, generator_loss: Tensor, accuracy: Tensor) -> Tensor:
    """float32 [6] in the order of STEP_METRICS; ``HistoryRow`` explains them."""
    real, fake = verdict.real_logits, verdict.fake_logits
    return tf.stack(
        [
            verdict.loss,
            generator_loss,
            tf.reduce_mean(real),
            tf.reduce_mean(fake),
            accuracy,
            tf.math.reduce_std(tf.concat([real, fake], axis=0)),
        ]
    )
