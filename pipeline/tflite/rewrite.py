"""Change a .tflite without converting again: metadata, names, prefixes; and packed once more.

In a file of a few thousand weights the converter's own words are a large share: every tensor
carries the names of all nodes fused into it, every activation an empty buffer, and the file the
converter's options and version.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from deploy.errors import PocketganError
from pipeline.tflite.count import constants
from pipeline.tflite.model import LiteModel, Subgraph
from pipeline.tflite.read import IDENTIFIER, damage_reported, read_model

PROVENANCE = "pocketgan"
"""The name under which a file of this project says where it came from, as JSON."""
# The schema asks for it (``force_align: 16``); kernels read weights in place.
BUFFER_ALIGNMENT = 16
# What the converter notes down for itself and for runtimes' statistics.
_BALLAST = (b"min_runtime_version", b"CONVERSION_METADATA")


def read_metadata(content: bytes, name: str) -> bytes | None:
    """The bytes stored under ``name``, or None. Raises PocketganError where it is no .tflite."""
    return read_model(content).metadata.get(name)


def write_metadata(content: bytes, name: str, payload: bytes) -> bytes:
    """The same model with ``payload`` stored under ``name``, in place of what was there.

    The same arguments give the same bytes, and writing twice what writing once does. Every buffer
    starts at a multiple of 16 bytes in the result, whatever it did in ``content``.

    Raises PocketganError where ``content`` is no sound .tflite, or keeps data after its flatbuffer
    as files above 2 GB do.
    """
    read_model(content)
    with damage_reported("the model"):
        model = schema.ModelT.InitFromPackedBuf(content)
        _store(model, name.encode(), payload)
        return pack(model)


def without_ballast(content: bytes) -> bytes:
    """The same network in fewer bytes: its outputs are bit-equal, its layers keep their names.

    Tensors are called after their layers only, computed ones share the one empty buffer, and what
    the converter says of itself goes. Operations, signatures, all other metadata and every number
    stay as they are.

    Raises PocketganError where ``content`` is no sound .tflite, or keeps data after its flatbuffer.
    """
    layout = read_model(content)
    with damage_reported("the model"):
        model = schema.ModelT.InitFromPackedBuf(content)
        model.description = None
        others = [entry for entry in model.metadata or [] if entry.name not in _BALLAST]
        model.metadata = others or None
        names = _names(layout)
        for subgraph, shorter in zip(model.subgraphs, names, strict=True):
            for tensor, name in zip(subgraph.tensors, shorter, strict=True):
                tensor.name = name.encode() or None
        _keep_used_buffers(model)
        return pack(model)


class Prefix(NamedTuple):
    """A file that ends with ``operation``."""

    operation: str
    """e.g. "TRANSPOSE_CONV"."""
    layer: str
    content: bytes
    """A .tflite with the same inputs; its outputs are what the operations left out would read."""


def prefixes(content: bytes, most: int | None = None) -> list[Prefix]:
    """The file ``content`` cut after each operation of its first sub-graph, shortest first.

    ``most``: of them only the first so many.

    Operations that only unpack a constant (the weights of a float16 file) end no prefix: they stay
    with the operation that reads it. Signatures are left out, for they name other outputs.

    Raises:
        PocketganError: ``content`` is no sound .tflite.
    """
    model = read_model(content)
    graph = model.subgraphs[0]
    ends = [place for place, op in enumerate(graph.ops) if not graph.unpacks_constant(op)]
    with damage_reported("the model"):
        table = schema.ModelT.InitFromPackedBuf(content, 0)
        table.signatureDefs = []
        operators = table.subgraphs[0].operators
        parts = []
        for end in ends[:most]:
            needed = _needed(graph, end)
            table.subgraphs[0].operators = [operators[place] for place in needed]
            table.subgraphs[0].outputs = _outputs(graph, needed)
            parts.append(Prefix(graph.ops[end].label, graph.ops[end].layer, pack(table)))
    return parts


def pack(model: Any) -> bytes:
    """The bytes of the schema's ``ModelT``, every buffer at a multiple of 16 bytes.

    Raises PocketganError where the model keeps data after its flatbuffer.
    """
    ops = [op for subgraph in model.subgraphs for op in subgraph.operators or []]
    # A buffer's offset of 1 is a placeholder for none.
    if any(b.offset > 1 for b in model.buffers) or any(op.largeCustomOptionsOffset for op in ops):
        raise PocketganError(
            "the model keeps data after its flatbuffer, which would be lost",
            "Convert it without buffer offsets.",
        )
    model.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # The schema has no types.
    """A buffer that packs as the schema asks; the generated code drops ``force_align``."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802  # The generated code's name.
        if self.data is not None:
            builder.Prep(BUFFER_ALIGNMENT, len(self.data))
        return super().Pack(builder)


def _store(model: Any, name: bytes, payload: bytes) -> None:
    buffer = schema.BufferT(np.frombuffer(payload, np.uint8))
    entries = model.metadata or []
    used = Counter(entry.buffer for entry in entries)
    used.update(tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors)
    entry = next((entry for entry in entries if entry.name == name), None)
    if entry is not None and used[entry.buffer] == 1:
        model.buffers[entry.buffer] = buffer
        return
    if entry is None:
        entry = schema.MetadataT(name)
        model.metadata = [*entries, entry]
    entry.buffer = len(model.buffers)
    model.buffers.append(buffer)


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
    new_numbers: dict[int, int] = {}
    buffers = [model.buffers[0]]

    def renumbered(number: int) -> int:
        buffer = model.buffers[number]
        if buffer.data is None or not len(buffer.data):
            return 0
        if number not in new_numbers:
            new_numbers[number] = len(buffers)
            buffers.append(buffer)
        return new_numbers[number]

    tensors = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    for holder in (*tensors, *(model.metadata or [])):
        holder.buffer = renumbered(holder.buffer)
    model.buffers = buffers


def _needed(graph: Subgraph, end: int) -> list[int]:
    """Places of the operations up to ``end``, but no unpacking that only later ones need."""
    places: list[int] = []
    read: set[int] = set()
    for place in range(end, -1, -1):
        op = graph.ops[place]
        if not graph.unpacks_constant(op) or any(tensor.index in read for tensor in op.outputs):
            places.append(place)
            read |= {tensor.index for tensor in op.inputs if tensor is not None}
    return places[::-1]


def _outputs(graph: Subgraph, places: Sequence[int]) -> np.ndarray:
    """Indices of what the operations at ``places`` compute and not all of them use up, int32."""
    left_out = set(range(len(graph.ops))) - set(places)
    wanted = {t.index for place in left_out for t in graph.ops[place].inputs if t is not None}
    wanted |= {tensor.index for tensor in graph.outputs}
    used = {t.index for place in places for t in graph.ops[place].inputs if t is not None}
    computed = [
        tensor.index
        for place in places
        if not graph.unpacks_constant(graph.ops[place])
        for tensor in graph.ops[place].outputs
    ]
    return np.array([i for i in computed if i in wanted or i not in used], np.int32)
