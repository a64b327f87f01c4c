"""ONNX files read: whole, harmless, and of operations that are known.

Numbers may lie in files beside the model. They are taken from its own folder only.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data
from onnx.inliner import inline_local_functions

from deploy.errors import PocketganError, one_line, printable

_KNOWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Of the operations that onnxruntime has."""
_MOST_BYTES = 2**31 - 1
"""Of a model with its numbers in it: protobuf writes no more."""
_COPY_AGAIN = "Export or copy it again; compare the sizes."
_ASK_FOR_WHOLE = "Export it as one file, or give the model together with the files beside it."


def is_onnx(path: Path) -> bool:
    """Whether a file holds an ONNX model, by what is in it."""
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError:
        return False
    return bool(model.ir_version and model.graph.node and model.opset_import)


def read_model(path: Path) -> onnx.ModelProto:
    """The model with all its numbers, the functions that it defines inlined.

    Raises PocketganError where it is damaged, takes numbers from elsewhere or from files that are
    missing, or uses operations that only its author has.
    """
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise PocketganError(f"{path} is damaged: its end is missing.", _COPY_AGAIN) from error
    try:
        _read_external(path, model)
    except PocketganError:
        raise
    except Exception as error:  # names and lengths that were damaged raise nearly anything
        raise PocketganError(f"{path} is damaged: {one_line(error, 300)}", _COPY_AGAIN) from error
    try:
        model = inline_local_functions(model) if model.functions else model
    except (RuntimeError, ValueError, EncodeError, ValidationError) as error:
        raise PocketganError(
            f"{path} is no valid ONNX: {one_line(error, 300)}",
            "Export it again, with a newer exporter.",
        ) from error
    _refuse_custom(path, model)
    _refuse_unranked(path, model)
    _free_sides(model)
    return model


def files_of(path: Path) -> list[Path]:
    """All files that a model is made of which ``read_model`` reads, its own first."""
    model = onnx.ModelProto.FromString(path.read_bytes())
    return [path, *(path.parent / place for place in sorted({*map(_place, _external(model))}))]


def _external(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """The tensors whose numbers lie in other files."""
    of_functions = (_tensors_of_nodes(function.node) for function in model.functions)
    return [
        each for each in chain(_tensors(model.graph), *of_functions) if uses_external_data(each)
    ]


def _read_external(path: Path, model: onnx.ModelProto) -> None:
    """Take in the numbers that lie in other files of the same folder."""
    folder, external = path.parent.resolve(), _external(model)
    places = {tensor.name: _place(tensor) for tensor in external}
    outside = sorted({place for place in places.values() if not _is_inside(folder, place)})
    if outside:
        raise PocketganError(
            f"{path} takes numbers from outside of its folder: {', '.join(outside)}.",
            "Ask its author for a whole file.",
        )
    missing = sorted({place for place in places.values() if not (folder / place).is_file()})
    if missing:
        raise PocketganError(
            f"{path} needs files that are not beside it: {', '.join(missing)}.", _ASK_FOR_WHOLE
        )
    for tensor in external:
        _refuse_short(path, folder, tensor)
    _refuse_large(path, folder, external)
    for tensor in external:
        load_external_data_for_tensor(tensor, str(folder))
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    yield from (part for each in graph.sparse_initializer for part in (each.values, each.indices))
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (attribute.g, *attribute.graphs):
                yield from _tensors(graph)


def _place(tensor: onnx.TensorProto) -> str:
    return next((each.value for each in tensor.external_data if each.key == "location"), "")


def _is_inside(folder: Path, place: str) -> bool:
    """Whether a path, links followed, is one of a file in the folder or below it."""
    if not place or "\0" in place or Path(place).is_absolute() or ".." in Path(place).parts:
        return False
    return (folder / place).resolve().is_relative_to(folder)


def _refuse_short(path: Path, folder: Path, tensor: onnx.TensorProto) -> None:
    """PocketganError where a file beside the model is shorter than the model says."""
    entries = {each.key: each.value for each in tensor.external_data}
    try:
        end = int(entries.get("offset") or 0) + int(entries.get("length") or 0)
    except ValueError:
        end = -1
    if not 0 <= end <= (folder / entries["location"]).stat().st_size:
        raise PocketganError(
            f"{path}: {entries['location']} beside it is damaged: its end is missing.", _COPY_AGAIN
        )


def _refuse_large(path: Path, folder: Path, external: Iterable[onnx.TensorProto]) -> None:
    """PocketganError where a model and the numbers beside it do not fit into one."""
    size = path.stat().st_size
    for tensor in external:
        entries = {each.key: each.value for each in tensor.external_data}
        size += int(entries.get("length") or (folder / entries["location"]).stat().st_size)
    if size > _MOST_BYTES:
        raise PocketganError(
            f"{path} and the files beside it hold {size / 1e9:.1f} GB: onnx cannot hold more than "
            f"{_MOST_BYTES / 1e9:.1f} GB in one model.",
            "Export it in float16, or give a smaller generator.",
        )


def _refuse_custom(path: Path, model: onnx.ModelProto) -> None:
    """PocketganError for operations of domains that only the model's author has."""
    unknown = sorted(
        {
            f"{node.op_type} of {node.domain}"
            for node in nodes_of(model.graph.node)
            if node.domain not in _KNOWN_DOMAINS
        }
    )
    if unknown:
        raise PocketganError(
            f"{path} needs operations that only their author has: {', '.join(unknown)}.",
            "Export it with operations of ONNX alone.",
        )


def _refuse_unranked(path: Path, model: onnx.ModelProto) -> None:
    """PocketganError for an input of which the file does not even say how many axes it has."""
    weights = {each.name for each in model.graph.initializer}
    for port in model.graph.input:
        kind = port.type.WhichOneof("value")
        if port.name not in weights and not port.type.tensor_type.HasField("shape"):
            what = "has no shape in it" if kind == "tensor_type" else "is no tensor"
            raise PocketganError(
                f"{path}: its input '{printable(port.name)}' {what}.",
                "Export it with tensors of a shape, for instance [N, 100] or [N, 3, 256, 256].",
            )


def _free_sides(model: onnx.ModelProto) -> None:
    """Sides of 0 and -1, as some exporters write what is free, become free, in place."""
    for port in (*model.graph.input, *model.graph.output):
        for side in port.type.tensor_type.shape.dim:
            if side.HasField("dim_value") and side.dim_value < 1:
                side.Clear()


def nodes_of(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Operations, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes_of(inner.node)
