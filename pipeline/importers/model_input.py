"""The inputs that a generator has in its file, and the sizes that it leaves free."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.errors import PocketganError


@dataclass(frozen=True)
class ModelInput:
    """One of the inputs that a generator has in its file."""

    name: str
    shape: tuple[int | None, ...]
    """Without the batch."""
    dtype: str
    embedding_rows: int | None = None
    """Of the embedding that looks its numbers up; None where there is none."""


def fix_size(
    path: Path, inputs: Sequence[ModelInput], size: tuple[int, int] | None
) -> tuple[ModelInput, ...]:
    """The inputs with the height and width ``size`` in the pictures of any size.

    Raises PocketganError where none of them takes that size.
    """
    if size is None:
        return tuple(inputs)
    fixed = [_of_size(each, size) for each in inputs]
    if not any(each.shape[:2] == size for each in fixed if len(each.shape) == 3):
        shapes = ", ".join(f"'{each.name}' {shape_text(each.shape)}" for each in inputs)
        raise PocketganError(
            f"{path} reads no pictures {size[1]}x{size[0]}: its input is {shapes}.",
            "Leave --input-size out.",
        )
    return tuple(fixed)


def _of_size(each: ModelInput, size: tuple[int, int]) -> ModelInput:
    if len(each.shape) != 3:
        return each
    sides = [
        own if own is not None else wanted for own, wanted in zip(each.shape, size, strict=False)
    ]
    return replace(each, shape=(*sides, each.shape[2]))


def refuse_free_picture(path: Path, each: ModelInput) -> None:
    """PocketganError where an input is pictures of any size."""
    if len(each.shape) == 3 and None in each.shape[:2] and each.shape[2] is not None:
        raise PocketganError(
            not_fixed(path, each),
            "Say at which size, width x height, with --input-size, such as --input-size 256x256.",
        )


def not_fixed(path: Path, each: ModelInput) -> str:
    """The problem of an input whose shape is not fixed, in words."""
    return f"{path}: the shape of its input '{each.name}' is not fixed: {shape_text(each.shape)}."


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape without its batch, as errors show it: [N, 28, 28, 1]; ? where a size is free."""
    return f"[{', '.join('?' if size is None else str(size) for size in ('N', *shape))}]"
