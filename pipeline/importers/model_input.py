"""The inputs that a generator has in its file, and the sizes that it leaves free."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.errors import PocketganError

_MAP_RANKS = (2, 3)
"""Without the batch; of two are masks."""


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """One of the inputs that a generator has in its file."""

    name: str
    shape: tuple[int | None, ...]
    """Without the batch."""
    dtype: str
    embedding_rows: int | None = None
    """Of the embedding that looks its numbers up; None where there is none."""
    has_batch: bool = True
    """Whether it takes a value for each picture; of numbers that all share there are none."""

    @property
    def shape_words(self) -> str:
        """As errors show it: [N, 28, 28, 1]; of numbers that all share [], [1] or [26]."""
        return shape_text(self.shape, has_batch=self.has_batch)

    @property
    def entries(self) -> int:
        """Numbers in one value of it; 0 where a size is free."""
        return math.prod(size or 0 for size in self.shape)

    @classmethod
    def declared(
        cls,
        name: str,
        shape: Sequence[int | None],
        *,
        among: Iterable[Sequence[int | None]],
        dtype: str,
        embedding_rows: int | None = None,
    ) -> "ModelInput":
        """An input of that ``shape`` in the file, ``among`` those of all its inputs.

        Its first axis is the batch, unless numbers stand beside batches of another size.
        """
        has_batch = not is_shared(shape, among)
        return cls(
            name=name,
            shape=tuple(shape[has_batch:]),
            dtype=dtype,
            embedding_rows=embedding_rows,
            has_batch=has_batch,
        )


def is_shared(shape: Sequence[int | None], among: Iterable[Sequence[int | None]]) -> bool:
    """Whether an input of that ``shape`` in the file, ``among`` those of all, has no batch.

    It is one number, or a row of them beside batches of another size.
    """
    if len(shape) != 1 or shape[0] is None:
        return not shape
    return bool({each[0] for each in among if each} - {shape[0]})


def is_number_like(each: ModelInput) -> bool:
    """Whether an input takes one number for each picture, or numbers for all."""
    return not each.has_batch or each.shape in ((), (1,))


def is_vector(each: ModelInput) -> bool:
    """Whether an input takes a row of numbers, also in the shape of a map of one pixel."""
    if is_number_like(each):
        return False
    return len(each.shape) == 1 or (len(each.shape) == 3 and each.shape[:2] == (1, 1))


def fix_size(
    path: Path, inputs: Sequence[ModelInput], size: tuple[int, int] | None
) -> tuple[ModelInput, ...]:
    """The inputs with the height and width ``size`` in the pictures of any size.

    Raises PocketganError where none of them takes that size.
    """
    if size is None:
        return tuple(inputs)
    fixed = [_of_size(each, size) for each in inputs]
    if not any(each.shape[:2] == size for each in fixed if len(each.shape) in _MAP_RANKS):
        shapes = ", ".join(f"'{each.name}' {each.shape_words}" for each in inputs)
        raise PocketganError(
            f"{path} reads no pictures {size[1]}x{size[0]}: its input is {shapes}.",
            "Give a size that keeps what is fixed in it."
            if any(None in each.shape[:2] for each in inputs)
            else "Leave --input-size out.",
        )
    return tuple(fixed)


def _of_size(each: ModelInput, size: tuple[int, int]) -> ModelInput:
    if len(each.shape) not in _MAP_RANKS:
        return each
    sides = [
        own if own is not None else wanted for own, wanted in zip(each.shape, size, strict=False)
    ]
    return replace(each, shape=(*sides, *each.shape[2:]))


def not_fixed(path: Path, each: ModelInput) -> str:
    """The problem of an input whose shape is not fixed, in words."""
    return f"{path}: the shape of its input '{each.name}' is not fixed: {each.shape_words}."


def shape_text(shape: Sequence[int | None], *, has_batch: bool = True) -> str:
    """A shape without its batch, as errors show it: [N, 28, 28, 1]; ? where a size is free."""
    sizes = ("?" if size is None else str(size) for size in shape)
    return f"[{', '.join(['N', *sizes] if has_batch else sizes)}]"
