"""The one training loop: two networks play against each other.

Dense training, pruning, quantization-aware training and distillation are this same game with
another generator, and perhaps a teacher.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.networks.pixels import PixelRange, to_uint8
from pipeline.training.augment import augment, check_names
from pipeline.training.checkpoint import Checkpoint, load_checkpoint
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.ema import MovingAverage
from pipeline.training.losses import find_loss
from pipeline.training.monitor import HistoryRow, mean_distance, new_events
from pipeline.training.penalties import DroppedWeights, gradient_penalty, r1_penalty, weight_penalty
from pipeline.training.randomness import Purpose, draw_latents, seed_pair
from pipeline.training.settings import TrainSettings

Tensor = Any

FIXED_PICTURES = 64
STEP_FIGURES = (
    "discriminator_loss",
    "generator_loss",
    "real_score",
    "fake_score",
    "accuracy",
    "spread",
)
"""What a step says of itself, in this order."""
MAX_ROLLBACKS = 3


@dataclass(frozen=True)
class Players:
    """The networks of a game.

    ``teacher``, where given, is a frozen generator whose picture of the same latent is a second
    target: ``distill`` times the mean squared difference is added to the generator's loss. With
    ``lessons`` what the generator reads, and that target, come from there.
    """

    generator: tf_keras.Model
    discriminator: tf_keras.Model
    latent: int
    classes: int
    pixels: PixelRange
    teacher: tf_keras.Model | None = None
    distill: float = 0.0
    lessons: DistillationSet | None = None
    adversarial: float = 1.0
    """Weight of what the discriminator says; at 0 it still learns, but the generator is deaf."""


@dataclass(frozen=True)
class TrainingHistory:
    """What a game leaves besides its networks."""

    history: list[HistoryRow]
    events: list[str]
    frames: list[np.ndarray] = field(repr=False)

    @property
    def steps(self) -> int:
        """How long the game was."""
        return self.history[-1].step if self.history else 0

    def followed_by(self, later: "TrainingHistory") -> "TrainingHistory":
        """Both as one; ``later`` counts its steps from 0."""
        history = [replace(row, step=self.steps + row.step) for row in later.history]
        return TrainingHistory(
            [*self.history, *history], [*self.events, *later.events], [*self.frames, *later.frames]
        )


class GANTrainer:
    """An adversarial game on pictures uint8 [N, H, W, C] (and class numbers int64 [N])."""

    def __init__(
        self,
        players: Players,
        pictures: np.ndarray,
        labels: np.ndarray | None,
        settings: TrainSettings,
        seed: int,
    ) -> None:
        check_names(settings.augment)
        if (pictures == pictures[0]).all():
            raise PocketganError(
                f"the {len(pictures)} pictures to train on are all the same.",
                "A GAN learns how pictures differ: add some that do.",
            )
        self.players = players
        self.settings = settings
        self._loss = find_loss(settings.loss)
        self._seed = seed
        self._pictures = tf.constant(pictures)
        self._labels = tf.constant(labels if players.classes else np.zeros(len(pictures)), tf.int32)
        adam = tf_keras.optimizers.legacy.Adam
        self._generator_adam = adam(settings.generator_rate, settings.beta1)
        self._discriminator_adam = adam(settings.discriminator_rate, settings.beta1)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._rate_scale = tf.Variable(1.0, trainable=False)
        self.average = MovingAverage(players.generator.trainable_variables, settings.ema)
        for optimizer, network in (
            (self._generator_adam, players.generator),
            (self._discriminator_adam, players.discriminator),
        ):
            optimizer._create_all_weights(network.trainable_variables)
        lessons = players.lessons
        self._deck = None if lessons is None else lessons.on_device(players.pixels)
        self._fixed_latents, _, _ = self._draw(FIXED_PICTURES, Purpose.FIXED, 0)
        shown = np.random.default_rng(seed).choice(len(pictures), min(1024, len(pictures)), False)
        self._real_distance = mean_distance(pictures[shown])

    # ------------------------------------------------------------------ playing

    def play(
        self,
        checkpoint: Path,
        description: str,
        on_row: Callable[[HistoryRow, np.ndarray], None] = lambda row, frame: None,
    ) -> TrainingHistory:
        """Play all steps, or those that are left after ``checkpoint``; the averages are adopted.

        Raises PocketganError when the game diverges again after MAX_ROLLBACKS rollbacks. On
        KeyboardInterrupt the last healthy state is saved before it is passed on.
        """
        state = load_checkpoint(checkpoint)
        if state is not None and self._fits(state):
            self._restore(state)
            progress.console.print(f"{description}: resumed at step {state.step}")
        else:
            state = self._state(1.0, 0, [], [], [self.draw_fixed()])
        saved = time.monotonic()
        with progress.bar() as bar:
            task = bar.add_task(description, total=self.settings.steps, completed=state.step)
            try:
                while state.step < self.settings.steps:
                    state = self._advance(state, on_row)
                    bar.update(task, completed=state.step)
                    if time.monotonic() - saved >= self.settings.checkpoint_seconds:
                        state.save(checkpoint)
                        saved = time.monotonic()
            except KeyboardInterrupt:
                state.save(checkpoint)
                raise
        self.average.adopt()
        return TrainingHistory(state.history, state.events, state.frames)

    def _advance(
        self, state: Checkpoint, on_row: Callable[[HistoryRow, np.ndarray], None]
    ) -> Checkpoint:
        """Play up to the next look of the monitor, or go back if the numbers went wrong."""
        settings = self.settings
        until = min(state.step + settings.check_every, settings.steps)
        penalized = [settings.r1 > 0 and s % settings.r1_every == 0 for s in range(until)]
        figures = [self.step(penalized[s]) for s in range(state.step, until)]
        frame = self.draw_fixed()
        diversity = mean_distance(frame) / self._real_distance
        rate = float(self._generator_adam.learning_rate)
        means = dict(zip(STEP_FIGURES, np.mean(figures, axis=0).tolist(), strict=True))
        row = HistoryRow(step=until, **means, diversity=diversity, rate=rate)
        if not (row.finite and self._finite()):
            return self._roll_back(state, until)
        history = [*state.history, row]
        events = new_events(history, settings.collapse_ratio)
        for event in events:
            progress.console.print(f"[yellow]{event}[/]")
        on_row(row, frame)
        due = len(state.frames) * settings.steps / max(1, settings.film_frames - 1)
        frames = [*state.frames, frame] if until >= due else state.frames
        return self._state(
            state.rate_scale, state.rollbacks, history, [*state.events, *events], frames
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
        progress.console.print(f"[red]{event}[/]")
        return self._state(
            scale, state.rollbacks + 1, state.history, [*state.events, event], state.frames
        )

    def draw_fixed(self) -> np.ndarray:
        """The averaged generator's pictures of the fixed latents: uint8 [64, H, W, C]."""
        with self.average.applied():
            drawn = self._forward(self._fixed_latents)
        return to_uint8(np.nan_to_num(drawn.numpy()), self.players.pixels)

    @tf.function
    def _forward(self, latents: Tensor) -> Tensor:
        return self.players.generator(latents, training=False)

    def recalibrate(self, batches: int = 64) -> None:
        """Let batch-norm statistics and fake-quantization ranges settle on the averaged weights.

        The averages never met the statistics that the training weights left behind.
        """
        for number in range(batches):
            latents, _, _ = self._draw(self.settings.batch, Purpose.RECALIBRATE, number)
            self._settle(latents)

    @tf.function
    def _settle(self, latents: Tensor) -> Tensor:
        return self.players.generator(latents, training=True)

    # ------------------------------------------------------------------ one step

    @tf.function
    def step(self, penalize: bool) -> Tensor:
        """One update of the generator, and ``critic_steps`` of the discriminator.

        ``penalize`` (R1 at this step) is a Python value: each of the two makes its own graph.
        Gives float32 [6], the STEP_FIGURES (``monitor.HistoryRow`` explains them).
        """
        self._set_rates()
        for extra in range(1, self.settings.critic_steps):
            self._train_critic(self._step * 64 + extra, penalize)
        figures = self._train_both(self._step * 64, penalize)
        self.average.update(self._step)
        self._step.assign_add(1)
        return figures

    def _train_both(self, moment: Tensor, penalize: bool) -> Tensor:
        """Update both networks from one drawing: both gradients are taken at the same weights."""
        variables = self.players.generator.trainable_variables
        latents, classes, target = self._draw(self.settings.batch, Purpose.LATENT, moment)
        drop = self.settings.generator_weights.drop
        dropped = DroppedWeights(
            variables, drop, seed_pair(self._seed, Purpose.GENERATOR_DROP, moment)
        )
        with tf.GradientTape() as tape:
            with dropped:
                fake = self.players.generator(latents, training=True)
            critic = self._judge_pictures(fake, classes, moment, penalize)
            loss = self.players.adversarial * self._loss.generator(critic.fake_logits)
            loss += self._generator_extras(fake, latents, target)
        gradients = dropped.to_original(variables, tape.gradient(loss, variables))
        self._update_critic(critic)
        self._generator_adam.apply_gradients(zip(gradients, variables, strict=True))
        logits = tf.concat([critic.real_logits, critic.fake_logits], axis=0)
        right = tf.concat([critic.real_logits > 0, critic.fake_logits <= 0], axis=0)
        return tf.stack(
            [
                critic.loss,
                loss,
                tf.reduce_mean(critic.real_logits),
                tf.reduce_mean(critic.fake_logits),
                tf.reduce_mean(tf.cast(right, tf.float32)),
                tf.math.reduce_std(logits),
            ]
        )

    def _train_critic(self, moment: Tensor, penalize: bool) -> None:
        latents, classes, _ = self._draw(self.settings.batch, Purpose.LATENT, moment)
        fake = self.players.generator(latents, training=True)
        self._update_critic(self._judge_pictures(fake, classes, moment, penalize))

    def _judge_pictures(
        self, fake: Tensor, classes: Tensor, moment: Tensor, penalize: bool
    ) -> "_Judged":
        """The discriminator's logits of a real and a drawn batch, its loss and its gradients."""
        settings = self.settings
        variables = self.players.discriminator.trainable_variables
        real, real_classes = self._real_batch(moment)
        drop_seed = seed_pair(self._seed, Purpose.DISCRIMINATOR_DROP, moment)
        dropped = DroppedWeights(variables, settings.discriminator_weights.drop, drop_seed)
        real_seed = seed_pair(self._seed, Purpose.AUGMENT_REAL, moment)
        fake_seed = seed_pair(self._seed, Purpose.AUGMENT_FAKE, moment)
        seen_real = augment(real, settings.augment, real_seed)
        seen_fake = augment(fake, settings.augment, fake_seed)

        def score(pictures: Tensor) -> Tensor:
            return self._score(pictures, real_classes)

        with tf.GradientTape() as tape:
            with dropped:
                real_logits = score(seen_real)
                fake_logits = self._score(seen_fake, classes)
                loss = self._loss.discriminator(real_logits, fake_logits, settings.label_smoothing)
                if penalize:
                    strength = settings.r1 * settings.r1_every
                    loss += strength * r1_penalty(score, seen_real)
                if self._loss.lipschitz == "penalty":
                    seed = seed_pair(self._seed, Purpose.INTERPOLATE, moment)
                    slope = gradient_penalty(score, seen_real, tf.stop_gradient(seen_fake), seed)
                    loss += settings.gradient_penalty * slope
            loss += weight_penalty(variables, settings.discriminator_weights)
        gradients = dropped.to_original(variables, tape.gradient(loss, variables))
        return _Judged(loss, gradients, real_logits, fake_logits)

    def _update_critic(self, judged: "_Judged") -> None:
        variables = self.players.discriminator.trainable_variables
        self._discriminator_adam.apply_gradients(zip(judged.gradients, variables, strict=True))
        if self._loss.lipschitz == "clip":
            for variable in variables:
                clip = self.settings.clip
                variable.assign(tf.clip_by_value(variable, -clip, clip))

    def _generator_extras(self, fake: Tensor, latents: Tensor, target: Tensor | None) -> Tensor:
        """Weight penalties and the teacher's picture as a second target."""
        players = self.players
        extras = weight_penalty(
            players.generator.trainable_variables, self.settings.generator_weights
        )
        if target is None and players.teacher is not None:
            target = players.teacher(latents, training=False)
        if target is not None:
            extras += players.distill * tf.reduce_mean(tf.square(fake - target))
        return extras

    def _score(self, pictures: Tensor, classes: Tensor) -> Tensor:
        inputs = [pictures, classes] if self.players.classes else pictures
        return self.players.discriminator(inputs, training=True)

    def _real_batch(self, moment: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures float32 [batch, H, W, C] in the generator's range, and one-hot classes."""
        seed = seed_pair(self._seed, Purpose.BATCH, moment)
        count = self._pictures.shape[0]
        chosen = tf.random.stateless_uniform(
            [self.settings.batch], seed, maxval=count, dtype=tf.int32
        )
        low, high = self.players.pixels
        pictures = tf.cast(tf.gather(self._pictures, chosen), tf.float32)
        classes = tf.one_hot(tf.gather(self._labels, chosen), self.players.classes)
        return pictures * ((high - low) / 255) + low, classes

    def _draw(
        self, count: int, purpose: Purpose, moment: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the generator reads, its one-hot classes, and where known the teacher's pictures."""
        seed = seed_pair(self._seed, purpose, moment)
        if self._deck is not None:
            return self._deck.draw(seed, count)
        return *draw_latents(seed, count, self.players.latent, self.players.classes), None

    def _set_rates(self) -> None:
        """Half a cosine from the full learning rate to its final share (Loshchilov 2017, eq. 5)."""
        settings = self.settings
        done = tf.cast(self._step, tf.float32) / settings.steps
        wave = 0.5 * (1.0 + tf.cos(math.pi * done))
        share = self._rate_scale * (settings.final_rate + (1.0 - settings.final_rate) * wave)
        self._generator_adam.learning_rate.assign(settings.generator_rate * share)
        self._discriminator_adam.learning_rate.assign(settings.discriminator_rate * share)

    # ------------------------------------------------------------------ state

    def _variables(self) -> list[Any]:
        return [
            self._step,
            *self.players.generator.variables,
            *self.players.discriminator.variables,
            *self.average.shadows,
            *self._generator_adam.variables(),
            *self._discriminator_adam.variables(),
        ]

    def _finite(self) -> bool:
        """Whether the state may be kept: a figure tells of the weights before its step only."""
        return all(bool(np.isfinite(v.numpy()).all()) for v in self._variables())

    def _state(
        self,
        rate_scale: float,
        rollbacks: int,
        history: Sequence[HistoryRow],
        events: Sequence[str],
        frames: Sequence[np.ndarray],
    ) -> Checkpoint:
        values = [np.array(variable.numpy()) for variable in self._variables()]
        return Checkpoint(
            values, int(self._step), rate_scale, rollbacks, [*history], [*events], [*frames]
        )

    def _fits(self, state: Checkpoint) -> bool:
        shapes = [tuple(variable.shape) for variable in self._variables()]
        return shapes == [value.shape for value in state.variables]

    def _restore(self, state: Checkpoint) -> None:
        self._rate_scale.assign(state.rate_scale)
        for variable, value in zip(self._variables(), state.variables, strict=True):
            variable.assign(value)


@dataclass(frozen=True)
class _Judged:
    """What the discriminator made of one real and one drawn batch."""

    loss: Tensor
    gradients: Sequence[Tensor]
    real_logits: Tensor
    fake_logits: Tensor
