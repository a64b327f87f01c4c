"""One input for every generator: latents with a one-hot class at their end, or a picture.

A mask, a second picture and a class beside a picture are channels behind it.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tf_keras

from deploy.errors import PocketganError, printable
from pipeline.importers.input_adapter import InputAdapter
from pipeline.importers.input_layers import Label, Rounded, SameForAll
from pipeline.importers.input_roles import (
    InputKind,
    InputPart,
    InputRole,
    numbers_text,
    role_option,
)
from pipeline.importers.input_signs import roles_of
from pipeline.importers.missing import StatedFacts
from pipeline.importers.missing_inputs import refuse_free
from pipeline.importers.model_input import ModelInput, is_number_like
from pipeline.importers.pixel_range import range_of_bytes
from pipeline.networks.layers import Part
from pipeline.networks.pixels import PixelRange

_ONE_INPUT = (
    "Give a generator that reads latents, latents and a class, or pictures, and say with "
    "--input NAME=0 which of its inputs is a number, the same for all: docs/check.md."
)
_OF_PICTURES = (InputKind.PICTURE, InputKind.MASK, InputKind.CLASS)
"""The order of channels in the one input."""
_OF_VECTORS = (InputKind.LATENT, InputKind.CLASS)
_AS_IT_IS = (1.0, 0.0)
"""Scale and offset that leave a number as it is."""
_SECOND = re.compile(r"style|reference|exemplar|second|target", re.IGNORECASE)
_MAP = 3
"""Dimensions of a map without the batch."""


def adapt_inputs(
    path: Path,
    inputs: Sequence[ModelInput],
    facts: StatedFacts,
    pixels: Mapping[str, PixelRange] = MappingProxyType({}),
) -> InputAdapter:
    """How the inputs of a generator are made one. ``path`` names it in errors.

    ``pixels`` are black and white in inputs of these names, where the file says them. Raises
    PocketganError for inputs that cannot be made one, for an unknown size, and for a number of
    classes that cannot be; MissingFactsError for what only a person can say.
    """
    if facts.classes is not None and facts.classes < 0:
        raise PocketganError(
            f"--classes {facts.classes} is no number of classes.", "Leave it away."
        )
    roles = roles_of(path, inputs, facts)
    refuse_free(path, inputs)
    sources = [_Source(each, role) for each, role in zip(inputs, roles, strict=True)]
    kinds = [source.kind for source in sources]
    if InputKind.PICTURE in kinds:
        adapter = _of_pictures(path, sources, facts, pixels)
    elif InputKind.LATENT in kinds and kinds.count(InputKind.CLASS) < 2 and _fits(inputs, kinds):
        adapter = _of_vectors(path, sources, facts)
    else:
        raise _unreadable(path, sources)
    return replace(adapter, notes=(*adapter.notes, *_marks(sources), *_fixed(sources)))


@dataclass(frozen=True)
class _Source:
    """One of the generator's own inputs, and what goes in."""

    input: ModelInput
    role: InputRole

    @property
    def kind(self) -> InputKind:
        return self.role.kind

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch; all of it is known by now."""
        return tuple(int(size or 0) for size in self.input.shape)

    @property
    def size(self) -> int:
        """Entries of the vector, or channels of the picture, that it takes."""
        if self.kind is InputKind.CLASS:
            return int(self.role.classes or 0)
        if self.kind is InputKind.LATENT:
            return math.prod(self.shape)
        if self.kind is InputKind.MASK:
            return 1  # also where it is repeated for each colour
        return self.shape[-1] if len(self.shape) == _MAP else 1

    def constant(self, port: Any) -> Any:
        """The number that goes in for all pictures."""
        number, has_batch = self.input.dtype, self.input.has_batch
        return SameForAll(self.role.values, self.shape, number=number, has_batch=has_batch)(port)

    def typed(self, tensor: Any) -> Any:
        """In the type of the generator's own input."""
        return tensor if self.input.dtype == "float32" else Rounded(self.input.dtype)(tensor)


_OwnInput = Callable[[_Source, Any, str], Any]
"""A source, its part of the one input, and the end of its layers' names → what the generator
takes."""


def _fits(inputs: Sequence[ModelInput], kinds: Sequence[InputKind]) -> bool:
    """Whether a generator reads latents alone, or with a class: a single map is a picture."""
    return InputKind.MASK not in kinds and all(len(each.shape) <= _MAP for each in inputs)


def _unreadable(path: Path, sources: Sequence[_Source]) -> PocketganError:
    if len(sources) == 1:
        shape = sources[0].input.shape_words
        latents = role_option(sources[0].input.name, InputRole((InputKind.LATENT,)))
        return PocketganError(
            f"{path} reads {shape}: neither a latent vector nor a picture.",
            f"If it is latents: {latents}. Pictures have a height, a width and channels.",
        )
    named = ", ".join(
        f"'{printable(each.input.name)}' {each.input.shape_words} as {each.kind}"
        for each in sources
    )
    return PocketganError(
        f"{path} has {len(sources)} inputs ({named or 'none'}): neither latents, with one class or "
        "none, nor a picture.",
        _ONE_INPUT,
    )


def _fixed(sources: Sequence[_Source]) -> list[str]:
    return [
        f"its input '{printable(each.input.name)}' is {numbers_text(each.role.values)} "
        "for all pictures"
        for each in sources
        if each.kind is InputKind.NUMBER
    ]


def _ordered(sources: Sequence[_Source], kinds: Sequence[InputKind]) -> list[_Source]:
    return [each for kind in kinds for each in sources if each.kind is kind]


def _joined(parts: Sequence[InputPart]) -> tuple[str, ...]:
    """What several inputs became, in words."""
    if len(parts) < 2:
        return ()
    sizes = ", ".join(f"{part.size} of {part.kind} '{printable(part.name)}'" for part in parts)
    return (f"its {len(parts)} inputs became one: {sizes}",)


def _marks(sources: Sequence[_Source]) -> list[str]:
    """What the numbers of its masks are taken for, and how to say otherwise."""
    notes = []
    for each in sources:
        if InputKind.MASK in each.role.kinds:
            where = ("known", "hidden") if each.role.marks_known else ("hidden", "known")
            other = replace(each.role, marks_known=not each.role.marks_known)
            notes.append(
                f"its mask is 1 where the picture is {where[0]} (if it is 1 where it is "
                f"{where[1]}: {role_option(each.input.name, other)}); a student reads one that is "
                "white where it is hidden"
            )
    return notes


# ---------------------------------------------------------------------- a vector


def _of_vectors(path: Path, sources: Sequence[_Source], facts: StatedFacts) -> InputAdapter:
    ordered = _ordered(sources, _OF_VECTORS)
    parts = [InputPart(name=s.input.name, kind=s.kind, size=s.size) for s in ordered]
    notes = _joined(parts)
    only = parts[0]
    if len(parts) == 1 and facts.classes:
        if facts.classes >= only.size:
            raise PocketganError(
                f"{path} reads {only.size} numbers; {facts.classes} of them cannot be the class.",
                "--classes is how many classes there are; they are the end of the latent vector.",
            )
        latents = replace(only, size=only.size - facts.classes)
        parts = [latents, replace(only, kind=InputKind.CLASS, size=facts.classes)]
    length = sum(part.size for part in parts)
    classes = sum(part.size for part in parts if part.kind is InputKind.CLASS)

    def split(tensor: Any) -> list[Any]:
        return _split(tensor, sources, ordered, _vector)

    return InputAdapter(
        shape=(length,),
        latent=length - classes,
        classes=classes,
        parts=tuple(parts),
        pixels=None,
        split=split,
        notes=notes,
    )


def _vector(source: _Source, tensor: Any, end: str) -> Any:
    """Entries of the vector as the generator's own input takes them."""
    if source.kind is InputKind.CLASS and is_number_like(source.input):
        rank = len(source.shape) + 1
        return Label(rank, source.input.dtype, name=f"class_number{end}")(tensor)
    if tuple(tensor.shape[1:]) != source.shape:
        name = f"{source.kind}_map{end}"
        tensor = tf_keras.layers.Reshape(source.shape, name=name)(tensor)
    return source.typed(tensor)


def _split(
    port: Any, sources: Sequence[_Source], ordered: Sequence[_Source], own_input: _OwnInput
) -> list[Any]:
    """The generator's own inputs, its numbers among them, out of a teacher's one input.

    ``ordered`` are those that lie one behind the other on its last axis.
    """
    tensors: dict[str, Any] = {}
    start, kinds = 0, Counter[InputKind]()
    for source in ordered:
        kinds[source.kind] += 1
        number = kinds[source.kind]
        end = f"_{number}" if number > 1 else ""  # the first of its kind has the name alone
        part = port
        if len(ordered) > 1:
            part = Part(start, source.size, name=f"{source.kind}_part{end}")(port)
        tensors[source.input.name] = own_input(source, part, end)
        start += source.size
    return [
        each.constant(port) if each.kind is InputKind.NUMBER else tensors[each.input.name]
        for each in sources
    ]


# ---------------------------------------------------------------------- a picture


def _of_pictures(
    path: Path, sources: Sequence[_Source], facts: StatedFacts, pixels: Mapping[str, PixelRange]
) -> InputAdapter:
    ordered = _ordered(sorted(sources, key=_is_second), _OF_PICTURES)
    _refuse_pictures(path, ordered, facts)
    parts = tuple(part for source in ordered for part in _channels_of(source))
    pictures = [each.input for each in ordered if each.kind is InputKind.PICTURE]
    stated = (
        range_of_bytes(path, pictures, facts)
        or facts.input_pixels
        or next((pixels[each.name] for each in pictures if each.name in pixels), None)
    )
    height, width = ordered[0].shape[:2]

    def split(tensor: Any) -> list[Any]:
        return _split(
            tensor,
            sources,
            ordered,
            lambda source, part, end: _channels(source, part, end, stated or (0.0, 1.0)),
        )

    return InputAdapter(
        shape=(height, width, sum(part.size for part in parts)),
        latent=0,
        classes=0,
        parts=parts,
        pixels=stated,
        split=split,
        notes=_joined(parts) if len(ordered) > 1 else (),
    )


def _is_second(source: _Source) -> bool:
    """Whether a picture is there for its looks by its name: files do not tell the order."""
    return bool(_SECOND.search(source.input.name))


def _refuse_pictures(path: Path, ordered: Sequence[_Source], facts: StatedFacts) -> None:
    """PocketganError where they cannot be channels of one picture."""
    if facts.classes and not any(each.kind is InputKind.CLASS for each in ordered):
        raise PocketganError(
            f"{path} reads pictures, and no latents that could end with a class.",
            "Leave --classes away.",
        )
    sizes = {each.shape[:2] for each in ordered if each.kind is not InputKind.CLASS}
    if len(sizes) > 1:
        named = ", ".join(
            f"'{printable(each.input.name)}' {each.input.shape_words}" for each in ordered
        )
        raise PocketganError(
            f"{path} reads pictures of several sizes: {named}.",
            "Build it with pictures of one size, enlarged or shrunk inside.",
        )


def _channels_of(source: _Source) -> list[InputPart]:
    """The parts that are in one of the generator's own inputs."""
    name, kinds = source.input.name, source.role.kinds
    masks = kinds.count(InputKind.MASK)
    if len(kinds) == 1:
        return [InputPart(name=name, kind=source.kind, size=source.size)]
    size = (source.size - masks) // (len(kinds) - masks)
    return [
        InputPart(name=name, kind=kind, size=1 if kind is InputKind.MASK else size)
        for kind in kinds
    ]


def _channels(source: _Source, tensor: Any, end: str, pixels: PixelRange) -> Any:
    """Channels of the one picture as the generator's own input takes them.

    A mask and a class are 0 and 1 there, black and white here.
    """
    layers = tf_keras.layers
    if source.kind is InputKind.PICTURE:
        return source.typed(_with_own_masks(source, tensor, end, pixels))
    if source.kind is InputKind.CLASS:
        tensor = layers.GlobalAveragePooling2D(name=f"class_mean{end}")(tensor)
    scale, offset = _to_marks(pixels, marks_known=source.role.marks_known)
    if (scale, offset) != _AS_IT_IS:
        tensor = layers.Rescaling(scale, offset, name=f"{source.kind}_scaled{end}")(tensor)
    if source.kind is InputKind.MASK and len(source.shape) == _MAP and source.shape[-1] > 1:
        name = f"mask_repeated{end}"
        tensor = layers.Concatenate(name=name)([tensor] * source.shape[-1])
    return _vector(source, tensor, end)


def _with_own_masks(source: _Source, tensor: Any, end: str, pixels: PixelRange) -> Any:
    """A picture as it is, the masks in its channels as the generator's own."""
    of_mask = _to_marks(pixels, marks_known=source.role.marks_known)
    factors = [
        of_mask if part.kind is InputKind.MASK else _AS_IT_IS
        for part in _channels_of(source)
        for _ in range(part.size)
    ]
    if set(factors) == {_AS_IT_IS}:
        return tensor
    scales, offsets = map(list, zip(*factors, strict=True))
    return tf_keras.layers.Rescaling(scales, offsets, name=f"mask_scaled{end}")(tensor)


def _to_marks(pixels: PixelRange, *, marks_known: bool) -> tuple[float, float]:
    """Scale and offset from black and white to 0 and 1; to 1 and 0 where ``marks_known``."""
    low, high = pixels
    scale = 1 / (high - low)
    return (-scale, high * scale) if marks_known else (scale, -low * scale)
