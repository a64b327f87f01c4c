"""One input for every generator: latents with a one-hot class at their end, or pictures."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.model_input import (
    ModelInput,
    not_fixed,
    refuse_free_picture,
    shape_text,
)

_LABEL = re.compile(r"label|class|cond|one_?hot|categor", re.IGNORECASE)
_ONE_INPUT = (
    "Give a generator that reads latents, latents and a class, or pictures: put what else it reads "
    "inside, or into the latent vector."
)


@tf_keras.utils.register_keras_serializable("pocketgan")
class Part(tf_keras.layers.Layer):  # type: ignore[misc]
    """[N, …, L] → of the last axis the ``size`` entries from ``start`` on, [N, …, size]."""

    def __init__(self, start: int, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start, self.size = start, size

    def call(self, inputs: Any) -> Any:
        return inputs[..., self.start : self.start + self.size]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start, "size": self.size}


@tf_keras.utils.register_keras_serializable("pocketgan")
class Label(tf_keras.layers.Layer):  # type: ignore[misc]
    """One-hot classes [N, K] → their numbers, [N] or [N, 1] by ``rank``, of dtype ``number``."""

    def __init__(self, rank: int, number: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank, self.number = rank, number

    def call(self, inputs: Any) -> Any:
        label = tf.cast(tf.argmax(inputs, -1, tf.int32), self.number)
        return label[:, None] if self.rank == 2 else label

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank, "number": self.number}


@dataclass(frozen=True, kw_only=True)
class InputAdapter:
    """What a teacher reads, and how the generator's own inputs come out of it."""

    shape: tuple[int, ...]
    """Of the one input, without the batch."""
    latent: int
    """0 where it reads pictures."""
    classes: int
    split: Callable[[Any], list[Any]]
    """The one input, as a tensor of tf_keras → tensors in the order of the generator's inputs."""
    note: str = ""

    def random_inputs(self, count: int) -> np.ndarray:
        """Inputs to try the generator with, float32 [count, …]; pictures are in 0..1."""
        return random_inputs(count, self.latent, shape=self.shape, classes=self.classes)

    def source_inputs(self, inputs: np.ndarray) -> list[tf.Tensor]:
        """Values of the one input → values of the generator's own inputs."""
        port = tf_keras.Input(self.shape)
        outputs = tf_keras.Model(port, self.split(port))(inputs, training=False)
        return list(tf.nest.flatten(outputs))


def random_inputs(
    count: int,
    latent: int,
    *,
    shape: Sequence[int],
    classes: int = 0,
    pixels: tuple[float, float] = (0.0, 1.0),
    seed: int = 1,
) -> np.ndarray:
    """Inputs float32 [count, *shape]: the normal prior and any class, or noise within ``pixels``.

    Only good enough to see which operations run: pictures of noise are no pictures.
    """
    rng = np.random.default_rng(seed)
    if not latent:
        return rng.uniform(*pixels, (count, *shape)).astype(np.float32)
    latents = rng.normal(size=(count, latent)).astype(np.float32)
    if not classes:
        return latents
    one_hot = np.eye(classes, dtype=np.float32)[np.arange(count) % classes]
    return np.concatenate([latents, one_hot], axis=1)


def adapt_inputs(path: Path, inputs: Sequence[ModelInput], classes: int | None) -> InputAdapter:
    """How the inputs of a generator are made one. ``path`` names it in errors.

    Raises PocketganError for inputs that are neither latents, with or without a class, nor
    pictures, for an unknown size, and for a number of classes that cannot be.
    """
    if classes is not None and classes < 0:
        raise PocketganError(f"--classes {classes} is no number of classes.", "Leave it away.")
    for each in inputs:
        refuse_free_picture(path, each)
        if None in each.shape:
            raise PocketganError(
                not_fixed(path, each),
                "Build it with a fixed shape, for instance keras.Input((100,)), load its weights, "
                "and save that.",
            )
    if len(inputs) == 1:
        return _adapt_one(path, inputs[0], classes)
    if len(inputs) == 2:
        return _adapt_two(path, inputs, classes)
    names = ", ".join(f"{each.name} {shape_text(each.shape)}" for each in inputs) or "none"
    raise PocketganError(f"{path} has {len(inputs)} inputs ({names}).", _ONE_INPUT)


def _adapt_one(path: Path, only: ModelInput, classes: int | None) -> InputAdapter:
    length = _vector_length(only)
    if length is not None:
        if classes and classes >= length:
            raise PocketganError(
                f"{path} reads {length} numbers; {classes} of them cannot be the class.",
                "--classes is how many classes there are; they are the end of the latent vector.",
            )
        return InputAdapter(
            shape=(length,),
            latent=length - (classes or 0),
            classes=classes or 0,
            split=lambda tensor: [_reshaped(tensor, only)],
        )
    if len(only.shape) != 3:
        raise PocketganError(
            f"{path} reads {shape_text(only.shape)}: neither a latent vector nor a picture.",
            _ONE_INPUT,
        )
    if classes:
        raise PocketganError(
            f"{path} reads pictures, and no latents that could end with a class.",
            "Leave --classes away.",
        )
    shape = tuple(int(size or 0) for size in only.shape)
    return InputAdapter(shape=shape, latent=0, classes=0, split=lambda tensor: [tensor])


def _adapt_two(path: Path, inputs: Sequence[ModelInput], classes: int | None) -> InputAdapter:
    index = _index_of_label(path, inputs, classes)
    label, other = inputs[index], inputs[1 - index]
    latent, count = _vector_length(other), _class_count(path, label, classes)
    if latent is None:
        raise PocketganError(
            f"{path} reads '{other.name}' {shape_text(other.shape)} beside a class: this is no "
            "latent vector.",
            _ONE_INPUT,
        )

    def split(tensor: Any) -> list[Any]:
        latents = _reshaped(Part(0, latent, name="latent_part")(tensor), other)
        one_hot = Part(latent, count, name="class_part")(tensor)
        if _is_number(label):
            one_hot = Label(len(label.shape) + 1, label.dtype, name="class_number")(one_hot)
        return [latents, one_hot] if index == 1 else [one_hot, latents]

    return InputAdapter(
        shape=(latent + count,),
        latent=latent,
        classes=count,
        split=split,
        note=f"its inputs '{other.name}' and '{label.name}' became one: {latent} latents, then the "
        f"class, one-hot ({count})",
    )


def _index_of_label(path: Path, inputs: Sequence[ModelInput], classes: int | None) -> int:
    """Which of two inputs is the class."""
    signs: tuple[Callable[[ModelInput], bool], ...] = (
        _is_number,
        lambda each: bool(classes) and each.shape == (classes,),
        lambda each: len(each.shape) == 1 and bool(_LABEL.search(each.name)),
    )
    for sign in signs:
        matching = [index for index, each in enumerate(inputs) if sign(each)]
        if len(matching) == 1:
            return matching[0]
    names = " and ".join(f"'{each.name}' {shape_text(each.shape)}" for each in inputs)
    raise PocketganError(
        f"{path} has two inputs, {names}: which one is the class cannot be told.",
        f"Give --classes N if one of them is a one-hot class. {_ONE_INPUT}",
    )


def _class_count(path: Path, label: ModelInput, classes: int | None) -> int:
    count = label.embedding_rows if _is_number(label) else label.shape[0]
    if count is None and classes is None:
        raise PocketganError(
            f"{path} reads a class as a number, and does not say how many there are.",
            "Give --classes N.",
        )
    if classes and count and (classes > count or (classes != count and not _is_number(label))):
        raise PocketganError(f"{path} knows {count} classes, not {classes}.", "Mend --classes.")
    return int(classes or count or 0)


def _is_number(each: ModelInput) -> bool:
    return each.shape in ((), (1,))


def _vector_length(each: ModelInput) -> int | None:
    """Of a latent vector, also one in the shape of a map of one pixel; None for others."""
    latent = len(each.shape) == 1 or (len(each.shape) == 3 and each.shape[:2] == (1, 1))
    return each.shape[-1] if latent and not _is_number(each) else None


def _reshaped(tensor: Any, source: ModelInput) -> Any:
    """Latents as the generator wants them: a vector, or a map of one pixel."""
    if len(source.shape) == 1:
        return tensor
    return tf_keras.layers.Reshape(source.shape, name="latent_map")(tensor)
