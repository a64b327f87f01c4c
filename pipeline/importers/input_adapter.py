"""One input for every generator: latents with a one-hot class at their end, or pictures."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.layers import Label, Part
from pipeline.importers.loaded import Port

_LABEL = re.compile(r"label|class|cond|one_?hot|categor", re.IGNORECASE)
_ONE_INPUT = (
    "Give a generator that reads latents, latents and a class, or pictures: put what else it reads "
    "inside, or into the latent vector."
)


@dataclass(frozen=True)
class Entry:
    """What a teacher reads, and how the generator's own inputs come out of it."""

    shape: tuple[int, ...]
    """Of the one input, without the batch."""
    latent: int
    """0 where it reads pictures."""
    classes: int
    split: Callable[[Any], list[Any]]
    """The one input, as a tensor of tf_keras → tensors in the order of the generator's inputs."""
    note: str = ""

    def random(self, count: int, seed: int = 1) -> np.ndarray:
        """Inputs to try it with, float32: the normal prior and any class, or pictures in 0..1."""
        rng = np.random.default_rng(seed)
        if not self.latent:
            return rng.uniform(size=(count, *self.shape)).astype(np.float32)
        drawn = rng.normal(size=(count, self.latent)).astype(np.float32)
        if not self.classes:
            return drawn
        one_hot = np.eye(self.classes, dtype=np.float32)[rng.integers(0, self.classes, count)]
        return np.concatenate([drawn, one_hot], axis=1)


def entry(path: str, ports: Sequence[Port], classes: int | None) -> Entry:
    """How a generator with these inputs is given one. ``path`` names it in errors.

    Raises PocketganError for inputs that are neither latents, with or without a class, nor
    pictures, for an unknown size, and for a number of classes that cannot be.
    """
    if classes is not None and classes < 0:
        raise PocketganError(f"--classes {classes} is no number of classes.", "Leave it away.")
    for port in ports:
        if None in port.shape:
            raise PocketganError(
                f"{path}: the shape of its input '{port.name}' is not fixed: "
                f"{_written(port.shape)}.",
                "Build it with a fixed shape, for instance keras.Input((64, 64, 3)), load its "
                "weights, and save that.",
            )
    if len(ports) == 1:
        return _of_one(path, ports[0], classes)
    if len(ports) == 2:
        return _of_two(path, ports, classes)
    names = ", ".join(f"{port.name} {_written(port.shape)}" for port in ports) or "none"
    raise PocketganError(f"{path} has {len(ports)} inputs ({names}).", _ONE_INPUT)


def _of_one(path: str, port: Port, classes: int | None) -> Entry:
    length = _length(port)
    if length is not None:
        if classes and classes >= length:
            raise PocketganError(
                f"{path} reads {length} numbers; {classes} of them cannot be the class.",
                "--classes is how many classes there are; they are the end of the latent vector.",
            )
        return Entry(
            (length,),
            length - (classes or 0),
            classes or 0,
            lambda tensor: [_shaped(tensor, port, "latent_map")],
        )
    if not _is_picture(port):
        raise PocketganError(
            f"{path} reads {_written(port.shape)}: neither a latent vector nor a picture.",
            _ONE_INPUT,
        )
    if classes:
        raise PocketganError(
            f"{path} reads pictures, and no latents that could end with a class.",
            "Leave --classes away.",
        )
    return Entry(_fixed(port), 0, 0, lambda tensor: [tensor])


def _of_two(path: str, ports: Sequence[Port], classes: int | None) -> Entry:
    place = _place_of_label(path, ports, classes)
    label, other = ports[place], ports[1 - place]
    latent, known = _length(other), _classes(path, label, classes)
    if latent is None:
        raise PocketganError(
            f"{path} reads '{other.name}' {_written(other.shape)} beside a class: this is no "
            "latent vector.",
            _ONE_INPUT,
        )

    def split(tensor: Any) -> list[Any]:
        drawn = _shaped(Part(0, latent, name="latent_part")(tensor), other, "latent_map")
        one_hot = Part(latent, known, name="class_part")(tensor)
        if _is_number(label):
            one_hot = Label(len(label.shape) + 1, label.dtype, name="class_number")(one_hot)
        return [drawn, one_hot] if place == 1 else [one_hot, drawn]

    note = f"its inputs '{other.name}' and '{label.name}' became one: {latent} latents, then the "
    return Entry((latent + known,), latent, known, split, note + f"class, one-hot ({known})")


def _place_of_label(path: str, ports: Sequence[Port], classes: int | None) -> int:
    """Which of two inputs is the class."""
    signs: tuple[Callable[[Port], bool], ...] = (
        _is_number,
        lambda port: bool(classes) and port.shape == (classes,),
        lambda port: len(port.shape) == 1 and bool(_LABEL.search(port.name)),
    )
    for sign in signs:
        found = [place for place, port in enumerate(ports) if sign(port)]
        if len(found) == 1:
            return found[0]
    told = " and ".join(f"'{port.name}' {_written(port.shape)}" for port in ports)
    raise PocketganError(
        f"{path} has two inputs, {told}: which one is the class cannot be told.",
        f"Give --classes N if one of them is a one-hot class. {_ONE_INPUT}",
    )


def _classes(path: str, label: Port, classes: int | None) -> int:
    known = label.rows if _is_number(label) else label.shape[0]
    if known is None and classes is None:
        raise PocketganError(
            f"{path} reads a class as a number, and does not say how many there are.",
            "Give --classes N.",
        )
    if classes and known and (classes > known or (classes != known and not _is_number(label))):
        raise PocketganError(f"{path} knows {known} classes, not {classes}.", "Mend --classes.")
    return int(classes or known or 0)


def _is_number(port: Port) -> bool:
    return port.shape in ((), (1,))


def _length(port: Port) -> int | None:
    """Of a latent vector, also one in the shape of a map of one pixel; None for others."""
    latent = len(port.shape) == 1 or (len(port.shape) == 3 and port.shape[:2] == (1, 1))
    return port.shape[-1] if latent and not _is_number(port) else None


def _shaped(tensor: Any, port: Port, name: str) -> Any:
    """As the port wants it: a vector, or a map of one pixel."""
    if len(port.shape) == 1:
        return tensor
    return tf_keras.layers.Reshape(port.shape, name=name)(tensor)


def _is_picture(port: Port) -> bool:
    return len(port.shape) == 3


def _fixed(port: Port) -> tuple[int, ...]:
    return tuple(int(size or 0) for size in port.shape)


def _written(shape: Sequence[int | None]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in ('N', *shape))}]"
