"""A .tflite without what no runtime reads.

In a file of a few thousand weights the converter's own words are a large share: every tensor
carries the names of all nodes fused into it, every activation an empty buffer, and the file the
converter's options and version.
"""

from collections.abc import Iterator
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from pipeline.tflite.count import constants
from pipeline.tflite.metadata import pack
from pipeline.tflite.model import LiteModel
from pipeline.tflite.read import damage_reported, read_model

# What the converter notes down for itself and for runtimes' statistics.
_BALLAST = (b"min_runtime_version", b"CONVERSION_METADATA")


def without_ballast(content: bytes) -> bytes:
    """The same network in fewer bytes: its outputs are bit-equal, its layers keep their names.

    Tensors are called after their layers only, computed ones share the one empty buffer, and what
    the converter says of itself goes. Operations, signatures, all other metadata and every number
    stay as they are.

    Raises PocketganError where ``content`` is no sound .tflite, or keeps data after its flatbuffer.
    """
    read = read_model(content)
    with damage_reported("the model"):
        model = schema.ModelT.InitFromPackedBuf(content)
        model.description = None
        kept = [entry for entry in model.metadata or [] if entry.name not in _BALLAST]
        model.metadata = kept or None
        names = _names(read)
        for subgraph, shorter in zip(model.subgraphs, names, strict=True):
            for tensor, name in zip(subgraph.tensors, shorter, strict=True):
                tensor.name = name.encode() or None
        _keep_used_buffers(model)
        return pack(model)


def _names(model: LiteModel) -> Iterator[list[str]]:
    """For each sub-graph, its tensors' names: of layers where they make or hold something."""
    layers = {c.tensor: c.op.layer for c in constants(model) if c.is_kernel}
    layers |= {tensor: op.layer for op in model.ops for tensor in op.outputs}
    # A path, as the converter writes it: the layer is its folder.
    names = {tensor: f"/{layer}/" for tensor, layer in layers.items()}
    for signature in model.signatures:
        names |= {tensor: name for name, tensor in signature.inputs.items()}
    for subgraph in model.subgraphs:
        yield [names.get(tensor, "") for tensor in subgraph.tensors]


def _keep_used_buffers(model: Any) -> None:
    """Leave one empty buffer, the first as the schema asks, and those that something is in."""
    kept: dict[int, int] = {}
    buffers = [model.buffers[0]]

    def moved(number: int) -> int:
        buffer = model.buffers[number]
        if buffer.data is None or not len(buffer.data):
            return 0
        if number not in kept:
            kept[number] = len(buffers)
            buffers.append(buffer)
        return kept[number]

    for holder in (*_tensors(model), *(model.metadata or [])):
        holder.buffer = moved(holder.buffer)
    model.buffers = buffers


def _tensors(model: Any) -> Iterator[Any]:
    for subgraph in model.subgraphs:
        yield from subgraph.tensors
