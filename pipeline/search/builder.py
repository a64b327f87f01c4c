"""From a student's settings to a network: purpose-built, or cut out of the teacher."""

from functools import cached_property

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.int8_layers import refusals
from pipeline.compression.slimming import (
    channel_groups,
    importance_by_norm,
    importance_by_taylor,
    low_rank,
    slim,
)
from pipeline.importers.teacher import Teacher
from pipeline.networks.map_sizes import map_sides
from pipeline.networks.pixels import PixelRange, pixel_range
from pipeline.networks.settings import StudentSettings
from pipeline.networks.student import build_student
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.training.randomness import Prior, Purpose, latents

SLIM = "slim"
PERCENT = 100
IMPORTANCE_LATENTS, IMPORTANCE_PICTURES = 256, 64
"""Latents, or pictures of noise, by which the importance of a teacher's channels is estimated."""


class StudentBuilder:
    """Builds students of one teacher.

    With ``by_norm`` the channels that are cut are those of the smallest weights, which is known at
    once: for a look at what can be built.
    """

    def __init__(self, teacher: Teacher, seed: int, *, by_norm: bool = False) -> None:
        self.teacher = teacher
        self._seed, self._by_norm = seed, by_norm

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what it draws."""
        height, width, channels = self.teacher.model.output_shape[1:]
        return height, width, channels

    @property
    def translator_shape(self) -> TranslatorShape:
        """What a teacher that reads pictures reads and draws."""
        height, width, channels = self.teacher.model.input_shape[1:]
        assert self.teacher.input_pixels is not None
        return TranslatorShape(
            source=(height, width, channels),
            image=self.picture_shape,
            source_pixels=self.teacher.input_pixels,
            pixels=self.teacher.pixels,
        )

    @property
    def map_count(self) -> int:
        """Hidden maps of a purpose-built student."""
        return len(map_sides(self.picture_shape))

    @property
    def weight_count(self) -> int:
        """How many numbers the teacher holds; of an opaque one what its bytes have room for."""
        opaque = self.teacher.opaque
        return int(self.teacher.model.count_params() if opaque is None else opaque.size // 4)

    @cached_property
    def groups(self) -> dict[str, int]:
        """The teacher's groups that can be cut → their channels; none if it cannot be slimmed."""
        if self.why_not_slim:
            return {}
        groups = channel_groups(self.teacher.cuttable)
        return {group.name: group.channels for group in groups if not group.reason}

    @cached_property
    def why_not_slim(self) -> str:
        """Why no student can be cut out of the teacher; empty where one can."""
        if self.teacher.is_opaque:
            return "it is no graph of layers"
        try:
            channel_groups(self.teacher.cuttable)
        except PocketganError as error:
            return error.problem.rstrip(".")
        refused = refusals(self.teacher.cuttable_folded)
        return next((error.problem.rstrip(".") for error in refused.values()), "")

    @cached_property
    def why_not_built(self) -> str:
        """Why no student that is built for the teacher fits; empty where one does."""
        try:
            _ = self.teacher.latent or self.translator_shape.scale
        except PocketganError as error:
            return error.problem
        return ""

    def pixels(self, settings: StudentSettings) -> PixelRange:
        """Black and white in what a student draws: the teacher's, where its last layer can."""
        if settings.block == SLIM and self.teacher.cuttable is not self.teacher.model:
            return pixel_range(self.teacher.cuttable)
        of_teacher = settings.block == SLIM or not self.teacher.latent
        if of_teacher or self.teacher.pixels == (0.0, 1.0):
            return self.teacher.pixels
        return -1.0, 1.0

    def build(self, settings: StudentSettings) -> tf_keras.Model:
        """The network at the start of its training; a slim one starts with the teacher's weights.

        Raises PocketganError where the settings do not fit the teacher.
        """
        if settings.block == SLIM:
            return self._cut(settings)
        teacher = self.teacher
        if not teacher.latent:
            return build_translator_student(settings, self.translator_shape)
        (length,) = teacher.model.input_shape[1:]
        return build_student(settings, length, self.picture_shape, teacher.pixels)

    def _cut(self, settings: StudentSettings) -> tf_keras.Model:
        """The teacher with some percent of its channels, and its first Dense layer in two."""
        if self.why_not_slim:
            raise PocketganError(
                f"no student can be cut out of this teacher: {self.why_not_slim}.",
                "Leave 'slim' out of search.blocks.",
            )
        if len(settings.channels) != (count := len(self.groups)):
            raise PocketganError(
                f"a slim student with channels {settings.channels} cannot be cut out of this "
                f"teacher: it has {count} groups of channels ({', '.join(self.groups)}).",
                "Give each of them a share in hundredths, for instance --search.student.channels "
                f'"{settings.channels_for(count)}"; or leave search.student out, and let '
                "--search.blocks [slim] look for them.",
            )
        keep = {
            name: max(
                min(self._fewest, channels), round(channels * min(percent, PERCENT) / PERCENT)
            )
            for (name, channels), percent in zip(
                self.groups.items(), settings.channels, strict=True
            )
        }
        slimmed = slim(self.teacher.cuttable, keep, self._importance)
        first = next(
            (layer for layer in slimmed.layers if type(layer) is tf_keras.layers.Dense), None
        )
        if first is None or not 0 < settings.rank < min(first.kernel.shape):
            return slimmed
        return low_rank(slimmed, first.name, settings.rank)

    @property
    def _fewest(self) -> int:
        """Channels that are left of a group at least: TensorFlow's depthwise convolution of one
        channel, between others, aborts a training (oneDNN has no layout for it)."""
        layers = self.teacher.cuttable.layers
        return 2 if any(isinstance(one, tf_keras.layers.DepthwiseConv2D) for one in layers) else 1

    @cached_property
    def _importance(self) -> dict[str, np.ndarray]:
        """Of the teacher's channels, by latents of its prior; by noise where it reads pictures."""
        teacher = self.teacher
        if self._by_norm:
            return importance_by_norm(teacher.cuttable)
        if not teacher.latent:
            noise = teacher.random_inputs(IMPORTANCE_PICTURES, self._seed)
            return importance_by_taylor(teacher.model, noise, seed=self._seed)
        inputs = latents(
            self._seed,
            Purpose.SEARCH,
            count=IMPORTANCE_LATENTS,
            prior=Prior.even(teacher.latent, teacher.classes),
        )
        return importance_by_taylor(teacher.cuttable, inputs, seed=self._seed)
