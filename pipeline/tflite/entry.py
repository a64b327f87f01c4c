"""One way into a file of others: which of its signatures is meant, and how large its inputs are.

A file may hold several networks, and may leave sizes to who runs it. Neither time nor work can be
said of such a file, only of one signature at one size. ``enter`` makes the file that holds just
that, which every runtime draws as it stands.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from deploy.errors import PocketganError, printable
from pipeline import guard
from pipeline.channel_order import COLOURS, channels_first
from pipeline.tflite.model import LiteModel, Signature, Tensor
from pipeline.tflite.read import damage_reported, read_model
from pipeline.tflite.rewrite import pack
from pipeline.tflite.runtime import shapes_when_run
from pipeline.tflite.work import Work, work

Sides = tuple[int, ...]
_PICTURE_RANK = 4
PICTURE_SIDES = 2
_BATCH = 0


@dataclass(frozen=True)
class EntryChoice:
    """What a person says of the way in.

    ``sizes`` are those of an input's free axes behind the batch, by its name; under "" those of
    every other input that has free axes.
    """

    signature: str | None = None
    sizes: Mapping[str, Sides] = field(default_factory=dict)


NO_CHOICE = EntryChoice()


@dataclass(frozen=True, eq=False, kw_only=True)
class Entered:
    """A file with one way in.

    ``model`` holds what one run reaches, ``file_shapes`` its inputs' shapes as the file has them,
    as in "?×?×?×3". ``signature`` is None where the file names none;
    ``unsized`` are the inputs whose sizes are still free, as in "photo ?×?×?×3", and ``problem``
    says why sizes inside could not be filled in.
    """

    model: LiteModel
    signature: str | None
    file_shapes: tuple[str, ...]
    unsized: tuple[str, ...] = ()
    problem: str = ""

    @cached_property
    def work(self) -> Work:
        """Of one run."""
        return work(self.model)

    @property
    def why_unsized(self) -> str:
        """Why sizes are not known, and so nothing that depends on them; empty where they are."""
        if self.unsized:
            return f"sizes are free until --size says them: {', '.join(self.unsized)}"
        return self.problem

    @property
    def macs_unknown(self) -> str:
        """Why the multiply-accumulates of one run are not known; empty where they are."""
        return self.why_unsized or self.work.unknown


def enter(model: LiteModel, choice: EntryChoice, where: str) -> Entered:
    """``model`` by the chosen signature, its free sizes filled in as far as they are known.

    A batch of free size is 1. A file of one signature whose sizes are all fixed is returned as it
    is. ``where`` names the file in errors.

    Raises PocketganError where the signature is not there or none of several is chosen, and where
    the sizes do not fit the inputs.
    """
    signature = _signature(model, choice.signature, where)
    key = signature.key if signature else None
    chosen = with_signature(model, key)
    file_shapes = tuple(shape_words(tensor.shape, tensor.free_axes) for tensor in chosen.inputs)
    shapes = _input_shapes(chosen, choice.sizes, where)
    unsized = [tensor for tensor in chosen.inputs if _free_axes(tensor) and tensor not in shapes]
    if unsized:
        words = tuple(_unsized_words(chosen.port_name(tensor), tensor) for tensor in unsized)
        return Entered(model=chosen, signature=key, file_shapes=file_shapes, unsized=words)
    if not shapes and not any(tensor.free_axes for tensor in chosen.tensors):
        return Entered(model=chosen, signature=key, file_shapes=file_shapes)
    sized, problem = _sized(chosen, {t.index: shape for t, shape in shapes.items()}, where)
    return Entered(model=sized, signature=key, file_shapes=file_shapes, problem=problem)


def with_signature(model: LiteModel, key: str | None) -> LiteModel:
    """The file with that signature alone, its sub-graph first; None where it names none."""
    signature = next((each for each in model.signatures if each.key == key), None)
    if signature is None or (len(model.signatures) == 1 and signature.subgraph == 0):
        return model
    return read_model(_rewritten(model, lambda table: _keep_only(table, signature.key)))


def _signature(model: LiteModel, name: str | None, where: str) -> Signature | None:
    names = [signature.key for signature in model.signatures]
    listed = ", ".join(map(printable, names))
    if name is not None and name not in names:
        raise PocketganError(
            f"{where} has no signature {name!r}",
            f"Its signatures are: {listed}." if names else "It has none: leave --signature out.",
        )
    if name is None and len(names) > 1:
        raise PocketganError(
            f"{where} holds {len(names)} signatures, each a network of its own: {listed}",
            f"Choose one, for instance: --signature {printable(names[0])}",
        )
    return next((s for s in model.signatures if name in (None, s.key)), None)


def _input_shapes(model: LiteModel, sizes: Mapping[str, Sides], where: str) -> dict[Tensor, Sides]:
    """The shapes of those inputs that are free, or that sizes are chosen for."""
    names = {model.port_name(tensor): tensor for tensor in model.inputs}
    listed = ", ".join(map(port_words, names, names.values())) or "none"
    are_free = any(_free_axes(tensor) for tensor in names.values())
    shapes, sized = {}, set()
    for name, tensor in names.items():
        source = name if name in sizes else ""
        axes = _free_axes(tensor)
        if not axes and (source or not are_free):
            axes = _picture_axes(tensor)
        if axes and source in sizes:
            shapes[tensor] = _with_size(name, tensor, axes, sizes[source])
            sized.add(source)
        elif tensor.free_axes == (_BATCH,):
            shapes[tensor] = (1, *tensor.shape[1:])
    for source in sizes.keys() - sized:
        raise PocketganError(
            f"{where}: --size {printable(source) + '=' if source else ''}"
            f"{size_words(sizes[source])} fits no input",
            f"Its inputs are: {listed}. Leave --size out, or write --size INPUT=WIDTHxHEIGHT.",
        )
    return shapes


def size_words(sides: Sides) -> str:
    """Sides as they are chosen: of a picture, which has two, the width first."""
    return "x".join(map(str, sides[::-1] if len(sides) == PICTURE_SIDES else sides))


def port_words(name: str, tensor: Tensor) -> str:
    """As in "photo ?×?×?×3"."""
    return f"{printable(name)} {shape_words(tensor.shape, tensor.free_axes)}"


def shape_words(shape: Sequence[int], free_axes: Sequence[int] = ()) -> str:
    """As in "1×64×64×3"; sizes that are free are question marks."""
    sizes = ("?" if axis in free_axes else str(size) for axis, size in enumerate(shape))
    return "×".join(sizes) or "scalar"


def _unsized_words(name: str, tensor: Tensor) -> str:
    words = port_words(name, tensor)
    return words if tensor.free_axes else f"{words} (as old converters write a picture of any size)"


def _free_axes(tensor: Tensor) -> tuple[int, ...]:
    shape = tensor.shape
    if not tensor.free_axes and len(shape) == _PICTURE_RANK and shape[1:3] == (1, 1):
        return (1, 2) if shape[3] in COLOURS else ()
    return tuple(axis for axis in tensor.free_axes if axis != _BATCH)


def _picture_axes(tensor: Tensor) -> tuple[int, ...]:
    """Height and width of a picture whose size the file fixes: runtimes resize it all the same."""
    if len(tensor.shape) != _PICTURE_RANK:
        return ()
    return (2, 3) if channels_first(tensor.shape, unless_clear=False) else (1, 2)


def _with_size(name: str, tensor: Tensor, axes: Sequence[int], size: Sides) -> Sides:
    if len(axes) != len(size):
        example = "x".join(["64"] * len(axes))
        raise PocketganError(
            f"--size {size_words(size)}: the input {port_words(name, tensor)} has "
            f"{len(axes)} sizes to choose",
            f"Write for instance --size {printable(name)}={example}",
        )
    shape = [1 if axis in tensor.free_axes else side for axis, side in enumerate(tensor.shape)]
    for axis, side in zip(axes, size, strict=True):
        shape[axis] = side
    return tuple(shape)


def _sized(model: LiteModel, shapes: Mapping[int, Sides], where: str) -> tuple[LiteModel, str]:
    """``model`` with inputs of these shapes and all that follows from them, or why not all."""

    def fix_inputs(table: Any) -> None:
        for index, shape in shapes.items():
            _set_shape(table.subgraphs[0].tensors[index], shape)

    model = read_model(_rewritten(model, fix_inputs))
    if any(op.custom_name for op in model.ops):  # the runtime here has no kernel for it
        return model, work(model).uncounted_words
    try:
        with guard.step("run once", where, "Give it a smaller --size."):
            computed = shapes_when_run(model)
    except PocketganError as error:
        return model, error.problem

    def fix_all(table: Any) -> None:
        for subgraph, rows in zip(table.subgraphs, computed, strict=True):
            for index, shape in rows.items():
                _set_shape(subgraph.tensors[index], shape)

    return read_model(_rewritten(model, fix_all)), ""


def _rewritten(model: LiteModel, change: Callable[[Any], None]) -> bytes:
    """The file after ``change`` of the schema's ``ModelT``."""
    with damage_reported("the model"):
        table = schema.ModelT.InitFromPackedBuf(model.content)
        change(table)
        return pack(table)


def _set_shape(tensor: Any, shape: Sides) -> None:
    tensor.shape = np.array(shape, np.int32)
    tensor.shapeSignature = None


def _keep_only(table: Any, key: str) -> None:
    """Leave the sub-graphs that the signature reaches, its own first."""
    signature = next(s for s in table.signatureDefs if s.signatureKey == key.encode())
    numbers = _reached(table, signature.subgraphIndex)
    for subgraph in (table.subgraphs[number] for number in numbers):
        for options, name in _references(subgraph):
            setattr(options, name, numbers.index(getattr(options, name)))
    table.subgraphs = [table.subgraphs[number] for number in numbers]
    signature.subgraphIndex = 0
    table.signatureDefs = [signature]
    table.metadata = None  # some of it speaks of sub-graphs by number


def _reached(table: Any, first: int) -> list[int]:
    numbers = [first]
    for number in numbers:
        for options, name in _references(table.subgraphs[number]):
            if getattr(options, name) not in numbers:
                numbers.append(getattr(options, name))
    return numbers


def _references(subgraph: Any) -> Iterator[tuple[Any, str]]:
    """Where the options of its operations name other sub-graphs by their number."""
    for op in subgraph.operators or []:
        for options in (op.builtinOptions, op.builtinOptions2):
            for name, value in vars(options).items() if options is not None else ():
                if "ubgraph" in name and isinstance(value, int):
                    yield options, name
