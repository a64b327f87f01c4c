"""Where an ONNX tensor's numbers lie in a tensor of tf_keras: in another order, with other axes.

ONNX puts channels first, tf_keras last. Every axis is a product of factors; transposing, reshaping,
squeezing, flattening and sub-pixel shuffling only regroup them, so that they cost nothing until a
layer wants its numbers in one certain order. Axes of length 1 have no factors.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

MAP_RANK = 4
"""Axes of a batch of maps."""


@dataclass(frozen=True, eq=False)
class Factor:
    """A part of an axis, the same one wherever it lies."""

    size: int


Factors = tuple[Factor, ...]


class LayoutError(Exception):
    """Numbers cannot be regrouped like that without being moved; says why."""


def size(axis: Sequence[Factor]) -> int:
    """How long an axis is."""
    return math.prod(factor.size for factor in axis)


@dataclass(frozen=True)
class Layout:
    """The axes of an ONNX tensor, and those of the tf_keras tensor that holds its numbers."""

    axes: tuple[Factors, ...]
    stored: tuple[Factors, ...]
    """The first is that of the batch, which the tensor of tf_keras leaves free."""

    @classmethod
    def plain(cls, shape: Sequence[int], *, channels_last: bool = False) -> Self:
        """The layout of a tensor that lies as in ONNX, or with its channels moved to the end.

        The first axis is the batch's, and keeps its factor even with the length 1.
        """
        axes = tuple(
            (Factor(length),) if length != 1 or index == 0 else ()
            for index, length in enumerate(shape)
        )
        return cls(axes, map_order(axes) if channels_last else axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the ONNX tensor, the batch as long as the file was folded for."""
        return tuple(map(size, self.axes))

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Of the tf_keras tensor, without the batch."""
        return tuple(map(size, self.stored[1:]))

    def transposed(self, order: Sequence[int]) -> Self:
        """The axes in another order."""
        return type(self)(tuple(self.axes[index] for index in order), self.stored)

    def reshaped(self, shape: Sequence[int]) -> Self:
        """The axes regrouped; LayoutError where the batch is mixed with others."""
        if not shape or shape[0] != size(self.axes[0]) or self.axes[0] != self.stored[0]:
            raise LayoutError("its batch becomes a part of another axis")
        waiting = [factor for axis in self.axes[1:] for factor in axis]
        parts: dict[Factor, Factors] = {}
        axes: list[Factors] = []
        for length in shape[1:]:
            axis: Factors = ()
            while size(axis) < length:
                factor = waiting.pop(0) if waiting else Factor(0)
                lacking = length // size(axis)
                if factor.size > lacking and factor.size % lacking == 0:
                    first, second = parts[factor] = (
                        Factor(lacking),
                        Factor(factor.size // lacking),
                    )
                    waiting.insert(0, second)
                    factor = first
                if not factor.size or length % (size(axis) * factor.size):
                    raise LayoutError(f"{self.shape[1:]} cannot be cut into {tuple(shape[1:])}")
                axis = (*axis, factor)
            axes.append(axis)
        if waiting:
            raise LayoutError(f"{self.shape[1:]} cannot be cut into {tuple(shape[1:])}")
        stored = tuple(_divided(axis, parts) for axis in self.stored)
        return type(self)((self.axes[0], *axes), stored)

    def with_map(self, channels: Factors, stored: Factors, sides: Sequence[int]) -> Self:
        """That of other maps of the same batch: channels in ONNX's order and as stored."""
        height, width = ((Factor(side),) if side > 1 else () for side in sides)
        batch = self.axes[0]
        return type(self)((batch, channels, height, width), (batch, height, width, stored))


def map_order(axes: Sequence[Factors]) -> tuple[Factors, ...]:
    """Axes of maps with channels first, in the order of tf_keras: channels last."""
    batch, channels, *sides = axes
    return (batch, *sides, channels)


def _divided(axis: Factors, parts: Mapping[Factor, Factors]) -> Factors:
    """An axis with its divided factors replaced by their parts."""
    if not any(factor in parts for factor in axis):
        return axis
    return _divided(tuple(part for f in axis for part in parts.get(f, (f,))), parts)


def reordered(values: np.ndarray, place: int, old: Factors, new: Factors) -> np.ndarray:
    """Values whose axis ``place`` runs through the factors ``old``, in the order ``new``."""
    if old == new:
        return values
    before, after = values.shape[:place], values.shape[place + 1 :]
    split = values.reshape(*before, *(factor.size for factor in old), *after)
    order = [len(before) + old.index(factor) for factor in new]
    behind = range(len(before) + len(old), split.ndim)
    return split.transpose(*range(len(before)), *order, *behind).reshape(values.shape)


def same_factors(one: Factors, other: Factors) -> bool:
    """Whether two axes hold the same numbers, in whatever order."""
    return len(one) == len(other) and set(one) == set(other)
