"""What others do so that a compressed GAN keeps its variety, as their papers and code say it.

- ``importance_by_latents``: DCP-GAN (Chung 2024, arXiv:2403.13548);
- ``DistributionMatching``: the MMD of NICKEL & DiME (Yeo 2024, arXiv:2405.11614);
- ``SelectiveDiscrimination``: the discriminator of GCC (Li 2021, arXiv:2110.14439).
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.arrays import Tensor
from pipeline.compression.channel_groups import KERNEL_AXES, DependencyGraph
from pipeline.compression.graph import rebuild
from pipeline.graphs import tf_graph
from pipeline.networks.pixels import PixelRange
from pipeline.training.distillation_set import DistillationSet, from_uint8
from pipeline.training.feature_loss import discriminator_maps
from pipeline.training.losses import Verdict
from pipeline.training.objectives.generation import Generation, GenerationBatch
from pipeline.training.randomness import StepSeeds

DIRECTIONS, STRENGTH, AT_ONCE = 10, 2.0, 8
"""Directions in which each batch of so many latents is moved, and how far: in standard deviations
of the prior. DCP-GAN moves by 5 along principal components of a style space, which is not here."""
WEIGHT = 1.0
"""Of the squared MMD in the generator's loss: near the teacher its gradient is then as large as
that of the difference picture by picture, and a quarter of the adversarial one."""
THRESHOLD, RATE = 0.5, 1e-2
"""α below which a channel is off, and Adam's rate for α: GCC's 1e-4 would close none in our steps.
"""
LOOKED_AT = 1024
"""Stored pictures by which features and losses are measured before the training."""


def importance_by_latents(
    model: tf_keras.Model, latents: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """How unequally the channels answer to moves of the latent: a stand-in for the Taylor score.

    For a move d of the ``latents`` float32 [N, L], gᵢ is Σ|∂‖G(z + d) − G(z)‖₁/∂w| over the weights
    w that read a channel, with G(z + d) held; a channel's score is Σ(gᵢ − mean g)² over directions
    and batches (Chung 2024, figure 1, and the authors' code). Entries that are 0 or 1 in all
    latents, as of classes, stay. Gives and raises as ``importance_by_taylor`` does.
    """
    graph = DependencyGraph(model)
    readers = [
        layer for layer in model.layers if type(layer) in KERNEL_AXES and layer.name in graph.reads
    ]
    kernels = [layer.kernel for layer in readers]

    @tf_graph
    def slopes(batch: Any, move: Any) -> Any:
        target = model(batch + move, training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            value = tf.reduce_sum(tf.abs(model(batch, training=False) - target))
        return tape.gradient(value, kernels, unconnected_gradients="zero")

    free = ~np.isin(latents, (0, 1)).all(axis=0)
    random = np.random.default_rng(seed)
    score = np.zeros(graph.count)
    for start in range(0, len(latents), AT_ONCE):
        answers = np.zeros([DIRECTIONS, graph.count])
        for answer in answers:
            direction = np.asarray(random.normal(size=latents.shape[1])) * free
            move = direction * STRENGTH / np.linalg.norm(direction)
            batch = tf.constant(latents[start : start + AT_ONCE], tf.float32)
            for layer, slope in zip(
                readers, slopes(batch, tf.constant(move[None], tf.float32)), strict=True
            ):
                into, _ = KERNEL_AXES[type(layer)]
                others = tuple(axis for axis in range(len(slope.shape)) if axis != into)
                sizes = np.abs(slope.numpy().astype(np.float64)).sum(others)
                answer += np.bincount(graph.reads[layer.name], sizes, graph.count)
        score += np.square(answers - answers.mean(axis=0)).sum(axis=0)
    return {name: score[channels] for name, channels in graph.members.items()}


class DistributionMatching(Generation):
    """Distillation that compares the batches' distributions, too, not only picture with picture.

    WEIGHT times the squared maximum mean discrepancy between the student's and the teacher's
    pictures is added to the generator's loss, in features that stay as they are: the last hidden
    map of the discriminator before this training, each feature with mean 0 and variance 1 over the
    teacher's pictures (Yeo 2024, DiME, whose features are those of published networks).
    """

    def __init__(
        self,
        generator: tf_keras.Model,
        discriminator: tf_keras.Model,
        *,
        teacher: DistillationSet,
        **others: Any,
    ) -> None:
        super().__init__(generator, discriminator, teacher=teacher, **others)
        fixed = tf_keras.models.clone_model(discriminator)
        fixed.set_weights(discriminator.get_weights())
        self._fixed = discriminator_maps(fixed)
        features = self._last_map(*stored(teacher, self._pixels))
        self._mean = tf.reduce_mean(features, axis=0)
        self._scale = tf.math.reduce_std(features, axis=0) + 1e-3

    def generator_loss(self, batch: GenerationBatch, fakes: Tensor, verdict: Verdict) -> Tensor:
        """That of generation, and the discrepancy."""
        students, teachers = (
            (self._last_map(pictures, batch.input_classes) - self._mean) / self._scale
            for pictures in (fakes, batch.targets)
        )
        loss = super().generator_loss(batch, fakes, verdict)
        return loss + WEIGHT * squared_discrepancy(students, teachers)

    def _last_map(self, pictures: Tensor, classes: Tensor) -> Tensor:
        """float32 [N, features]."""
        (*_, last) = tf.nest.flatten(self._fixed(self._judged(pictures, classes)))
        return tf.reshape(last, [tf.shape(last)[0], -1])


def squared_discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """Unbiased squared MMD of features [N, D] and [N, D], which may be pairs (Gretton 2012, lemma
    6, its second form); the kernel is (x·y/D + 1)³ (Bińkowski 2018, section 4).
    """

    def kernel(some: Tensor, others: Tensor) -> Tensor:
        similar = tf.matmul(some, others, transpose_b=True)
        return (similar / tf.cast(tf.shape(some)[1], tf.float32) + 1.0) ** 3

    terms = kernel(first, first) + kernel(second, second) - 2.0 * kernel(first, second)
    count = tf.cast(tf.shape(first)[0], tf.float32)
    # A picture is not compared with itself, nor with its twin.
    return (tf.reduce_sum(terms) - tf.linalg.trace(terms)) / (count * (count - 1.0))


@tf_keras.utils.register_keras_serializable("pocketgan experiments")
class ChannelGate(tf_keras.layers.Layer):  # type: ignore[misc]
    """Maps [N, h, w, C] with the channels whose α is below THRESHOLD set to 0.

    The gradient of a gate to its α is 1 (straight through; Li 2021, section 3.2). α is trained by
    ``SelectiveDiscrimination``, not with the weights.
    """

    def build(self, shape: Any) -> None:
        """α starts at 1: all channels are on."""
        self.alpha = self.add_weight(
            name="alpha", shape=[shape[-1]], initializer="ones", trainable=False
        )
        super().build(shape)

    def call(self, maps: Tensor) -> Tensor:
        gate = tf.cast(self.alpha >= THRESHOLD, tf.float32)
        return maps * (self.alpha + tf.stop_gradient(gate - self.alpha))


def gated(discriminator: tf_keras.Model) -> tf_keras.Model:
    """The same with a gate behind each convolution, all of them open."""
    clones = {
        layer.name: type(layer).from_config(layer.get_config()) for layer in discriminator.layers
    }

    def replace(layer: tf_keras.layers.Layer) -> Any:
        clone = clones[layer.name]
        if type(layer) is not tf_keras.layers.Conv2D:
            return clone
        gate = ChannelGate(name=f"{layer.name}_gate")
        return lambda maps: gate(clone(maps))

    model = rebuild(discriminator, replace)
    for layer in discriminator.layers:
        if layer.get_weights():
            clones[layer.name].set_weights(layer.get_weights())
    return model


class SelectiveDiscrimination(Generation):
    """Adversarial training in which the discriminator has as many channels as it should (GCC).

    Where R1 is computed, the gates' α take a step, the weights held, to make small the
    discriminator's loss plus the difference between two gaps, the student's and the teacher's:
    |L(a fake as a real one) − L(a fake as a fake)| (Li 2021, section 3.2: local capacity and global
    coordination). The teacher is finished here, so that its gap is measured once, on its stored
    pictures before this training; while weights are rounded it is the unrounded student's.
    """

    def __init__(
        self,
        generator: tf_keras.Model,
        discriminator: tf_keras.Model,
        *,
        teacher: DistillationSet,
        **others: Any,
    ) -> None:
        super().__init__(generator, discriminator, teacher=teacher, **others)
        gates = [layer for layer in discriminator.layers if isinstance(layer, ChannelGate)]
        self._alphas = [gate.alpha for gate in gates]
        self._optimizer = tf_keras.optimizers.legacy.Adam(RATE)
        self._optimizer._create_all_weights(self._alphas)
        self.state = self._optimizer.variables()
        logits = self._score(*stored(teacher, self._pixels))
        self._wanted_gap = tf.constant(_gap(logits).numpy())

    def judge(
        self, batch: GenerationBatch, fakes: Tensor, seeds: StepSeeds, *, regularize: bool
    ) -> Verdict:
        """That of generation, by the channels that are on; they are chosen anew before R1."""
        if regularize:
            self._select(batch, tf.stop_gradient(fakes), seeds)
        return super().judge(batch, fakes, seeds, regularize=regularize)

    def _select(self, batch: GenerationBatch, fakes: Tensor, seeds: StepSeeds) -> None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._alphas)
            verdict = super().judge(batch, fakes, seeds, regularize=False)
            loss = verdict.loss + tf.abs(_gap(verdict.fake_logits) - self._wanted_gap)
        slopes = tape.gradient(loss, self._alphas)
        self._optimizer.apply_gradients(zip(slopes, self._alphas, strict=True))
        for alpha in self._alphas:
            alpha.assign(tf.clip_by_value(alpha, 0.0, 1.0))


def stored(pairs: DistillationSet, pixels: PixelRange) -> tuple[Tensor, Tensor]:
    """The first pictures of a teacher in a generator's range, and their one-hot classes."""
    some = pairs.first(LOOKED_AT)
    classes = some.inputs[:, some.inputs.shape[1] - some.classes :]
    return from_uint8(some.pictures, pixels), tf.constant(classes, tf.float32)


def _gap(logits: Tensor) -> Tensor:
    """|L(taken for real) − L(taken for a fake)| of the non-saturating loss: a scalar."""
    return tf.abs(tf.reduce_mean(tf.nn.softplus(-logits) - tf.nn.softplus(logits)))
