"""Progressive growing (Karras 2018): small pictures first, each further size faded in.

The networks are those of ``networks.progressive``. A small picture is drawn from, and judged by,
the maps that it needs, so that most steps cost a part of the last ones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.arrays import Tensor
from pipeline.networks.pixels import to_uint8
from pipeline.networks.progressive import maps_into, maps_of, ways_in, ways_out
from pipeline.training.losses import Verdict
from pipeline.training.objectives.generation import Generation, GenerationBatch
from pipeline.training.randomness import StepSeeds
from pipeline.training.settings import TrainSettings

FADING = 0.5
"""Share of a size's steps in which it is faded in."""


@dataclass(frozen=True, kw_only=True)
class GrowingBatch(GenerationBatch):
    """``real`` is as large as pictures are by now."""

    fade: Tensor
    """0 to 1: how much of the newest size there is in a picture, float32 []."""


@dataclass(frozen=True)
class Schedule:
    """Which size is learnt at which step: ``levels`` of them, the last from ``grown`` on."""

    levels: int
    grown: int

    @property
    def length(self) -> int:
        """Steps of each size but the last."""
        return max(1, self.grown // (self.levels - 1))

    def at(self, step: int) -> tuple[int, bool]:
        """The level, from 1 on, and whether it is being faded in."""
        level = min(self.levels, 1 + step // self.length)
        return level, level > 1 and step < (level - 1 + FADING) * self.length

    def is_finished_by(self, steps: int) -> bool:
        """Whether the last level is faded in within so many steps."""
        return (self.levels - 1 + FADING) * self.length <= steps

    def fade(self, step: Tensor, level: int) -> Tensor:
        """How far a level is faded in at a step."""
        since = tf.cast(step, tf.float32) - (level - 1) * self.length
        return tf.clip_by_value((since + 1.0) / (FADING * self.length), 0.0, 1.0)


def schedule(levels: int, settings: TrainSettings) -> Schedule:
    """Which of so many sizes is learnt when, as the settings say."""
    return Schedule(levels, round(settings.growth * settings.steps))


class Growing(Generation):
    """Latents in, pictures out that grow; both networks come from ``networks.progressive``."""

    def __init__(
        self, generator: tf_keras.Model, discriminator: tf_keras.Model, **generation: Any
    ) -> None:
        super().__init__(generator, discriminator, **generation)
        maps, self._maps_in = maps_of(generator), maps_into(discriminator)
        outs, ins = ways_out(generator), ways_in(discriminator)
        self.generators = (generator, *outs)
        self.discriminators = (discriminator, *ins)
        pictures = [*(out(tensor) for out, tensor in zip(outs, maps, strict=False))]
        pictures.append(generator.output)
        self._at_level = [
            tf_keras.Model(generator.inputs, pictures[max(0, end - 2) : end])
            for end in range(1, len(pictures) + 1)
        ]
        """For each level: inputs → pictures of the size before, if there is one, and of its own."""
        first, *others = discriminator.inputs
        self._ins = [*ins, tf_keras.Model(first, self._maps_in[-1])]
        pairs = zip(self._maps_in[1:], self._maps_in[:-1], strict=True)
        self._halving = [tf_keras.Model(large, small) for large, small in pairs]
        self._rest = [
            tf_keras.Model([tensor, *others], discriminator.output) for tensor in self._maps_in
        ]
        self._schedule = schedule(len(pictures), self.settings)
        self._level, self._fading = 1, False

    def enter(self, step: int) -> int:
        """The level, twice, and one more while it is faded in."""
        self._level, self._fading = self._schedule.at(step)
        return 2 * self._level + self._fading

    def batch(self, seeds: StepSeeds) -> GrowingBatch:
        """Real pictures as large as those by now, faded in likewise."""
        whole = super().batch(seeds)
        fade = self._schedule.fade(seeds.step, self._level)
        real = _shrunk(whole.real, 2 ** (self._schedule.levels - self._level))
        if self._fading:
            real = _blended(_shrunk(real, 2), real, fade)
        return GrowingBatch(**{**vars(whole), "real": real}, fade=fade)

    def generate(self, batch: GenerationBatch) -> Tensor:
        """float32 [N, h, w, C] in the generator's range."""
        assert isinstance(batch, GrowingBatch)
        outputs = self._at_level[self._level - 1](batch.inputs, training=True)
        if self._level == 1:
            return outputs
        before, now = outputs
        return _blended(before, now, batch.fade) if self._fading else now

    def judge(
        self, batch: GenerationBatch, fakes: Tensor, seeds: StepSeeds, *, regularize: bool
    ) -> Verdict:
        """By the discriminator from the map on that pictures of this size become."""
        assert isinstance(batch, GrowingBatch)
        fade = batch.fade
        return self.adversarial_loss.judge(
            batch.real,
            fakes,
            score_real=lambda pictures: self._score_level(pictures, batch.real_classes, fade),
            score_fake=lambda pictures: self._score_level(pictures, batch.input_classes, fade),
            seeds=seeds,
            regularize=regularize,
        )

    def fixed_pictures(self) -> np.ndarray:
        """uint8 [64, H, W, C]: small pictures in large pixels."""
        outputs = self._at_level[self._level - 1](self._fixed_inputs, training=False)
        now = outputs if self._level == 1 else outputs[-1]
        factor = 2 ** (self._schedule.levels - self._level)
        pictures = to_uint8(np.nan_to_num(now.numpy()), self._pixels)
        return pictures.repeat(factor, axis=1).repeat(factor, axis=2)

    def _score_level(self, pictures: Tensor, classes: Tensor, fade: Tensor) -> Tensor:
        place = self._level - 1
        features = self._ins[place](pictures, training=True)
        if self._fading:
            halved = self._halving[place - 1](features, training=True)
            features = self._ins[place - 1](_shrunk(pictures, 2), training=True)
            features += fade * (halved - features)
            place -= 1
        more = [classes] if self._judges_classes else []
        return self._rest[place]([features, *more], training=True)


def _shrunk(pictures: Tensor, factor: int) -> Tensor:
    """The means of squares of pixels."""
    return tf.nn.avg_pool2d(pictures, factor, factor, "VALID") if factor > 1 else pictures


def _blended(small: Tensor, large: Tensor, fade: Tensor) -> Tensor:
    """``large``, and while it is faded in the small picture in large pixels beneath it."""
    enlarged = tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2)
    return enlarged + fade * (large - enlarged)
