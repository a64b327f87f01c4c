"""Read a .tflite without TensorFlow and without trusting it.

The schema's lazy accessors follow offsets that the file supplies. They check that an offset lies
inside the file, not that the file makes sense, so everything that is counted, followed or copied is
charged against what a file of its size can hold.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from deploy.errors import PocketganError
from pipeline.tflite.count import macs
from pipeline.tflite.layers import with_layers
from pipeline.tflite.model import BITS, LiteModel, Op, Signature, Subgraph, Tensor, packed_bytes
from pipeline.tflite.sparsity import Level, Sparsity

IDENTIFIER = b"TFL3"
# A flatbuffer's offsets reach no further.
_MOST_BYTES = 2**31
# Tensors, operations and buffers: ten times what the largest networks have (MobileNetV3: 500).
_MOST_TABLES = 2**20
# The least that a table takes in the file: the offset that leads to it, and that of its layout.
_TABLE_BYTES = 8
# Keeps sums of sizes within 64 bits.
_MOST_TENSOR_BYTES = 2**40
# All sparse tensors together, dense.
_MOST_DENSE_BYTES = 2**28
_MOST_DIMENSIONS = 32


def _names(enumeration: type) -> dict[int, str]:
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}


_DTYPES = {code: name.lower() for code, name in _names(schema.TensorType).items()}
_OPS = _names(schema.BuiltinOperator)
_OPTIONS = _names(schema.BuiltinOptions)
_OPTIONS_2 = _names(schema.BuiltinOptions2)
_SUBGRAPH_FIELDS = {
    "WHILE": ("CondSubgraphIndex", "BodySubgraphIndex"),
    "STABLEHLO_WHILE": ("CondSubgraphIndex", "BodySubgraphIndex"),
    "IF": ("ThenSubgraphIndex", "ElseSubgraphIndex"),
    "CALL": ("Subgraph",),
    "CALL_ONCE": ("InitSubgraphIndex",),
    "STABLEHLO_COMPOSITE": ("DecompositionSubgraphIndex",),
}
"""Where an operation that runs sub-graphs says which."""
_ACTIVATIONS = {c: name.lower() for c, name in _names(schema.ActivationFunctionType).items()}
_INDEX_VECTORS: dict[int, tuple[Any, type[np.generic]]] = {
    schema.SparseIndexVector.Int32Vector: (schema.Int32Vector, np.int32),
    schema.SparseIndexVector.Uint16Vector: (schema.Uint16Vector, np.uint16),
    schema.SparseIndexVector.Uint8Vector: (schema.Uint8Vector, np.uint8),
}


def read_model(source: str | Path | bytes) -> LiteModel:
    """Read a .tflite, from a path or from its bytes.

    Raises PocketganError where there is no such file, it is not a .tflite, it is damaged or
    truncated, keeps its weights elsewhere, or is larger than any network this is made for.
    """
    where = "the model" if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else _file_bytes(Path(source))
    if content[4:8] != IDENTIFIER:
        problem = "is empty" if not content else "is not a TensorFlow Lite file"
        raise PocketganError(f"{where} {problem}", "Give the path of a .tflite file.")
    with damage_reported(where):
        return _Reader(content).model()


class DamagedError(Exception):
    """The file contradicts itself; says how."""


@contextmanager
def damage_reported(where: str) -> Iterator[None]:
    """Turn whatever following a damaged file's offsets raises into one PocketganError."""
    try:
        yield
    except (
        DamagedError,
        AttributeError,
        LookupError,
        MemoryError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        how = f": {error}" if isinstance(error, DamagedError) else ""
        raise PocketganError(
            f"{where} is damaged or truncated{how}",
            "Convert the model again, or copy the file again from where it came.",
        ) from error


def _file_bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise PocketganError(f"{path} is not a file", "Give the path of a .tflite file.")
        if path.stat().st_size >= _MOST_BYTES:
            raise PocketganError(f"{path} is larger than 2 GB", "Give the path of a .tflite file.")
        return path.read_bytes()
    except OSError as error:
        raise PocketganError(
            f"{path} cannot be read: {error.strerror}", "Check its permissions and its disk."
        ) from error


class _Reader:
    """Walks one file's flatbuffer once; raises DamagedError where the file contradicts itself."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        # Nothing in a sound file is stored twice; the factor forgives writers that share vectors.
        self.bytes_left = 2 * len(content)
        self.tables_left = _MOST_TABLES
        self.dense_bytes_left = _MOST_DENSE_BYTES

    def model(self) -> LiteModel:
        model = schema.Model.GetRootAs(self.content, 0)
        self.buffers = [self.buffer(table) for table in self.tables(model, "Buffers")]
        self.op_codes = [self.op_code(table) for table in self.tables(model, "OperatorCodes")]
        subgraphs = tuple(self.subgraph(table) for table in self.tables(model, "Subgraphs"))
        if not subgraphs:
            raise DamagedError("it holds no network")
        for op in (op for subgraph in subgraphs for op in subgraph.ops):
            if not all(0 <= number < len(subgraphs) for number in op.subgraphs):
                raise DamagedError(f"{op.label} runs a sub-graph that is not there")
        signatures = [self.signature(t, subgraphs) for t in self.tables(model, "SignatureDefs")]
        metadata = self.tables(model, "Metadata")
        return LiteModel(
            content=self.content,
            description=self.text(model.Description()),
            subgraphs=subgraphs,
            signatures=tuple(signatures),
            metadata={self.text(m.Name()): self.buffers[m.Buffer()] for m in metadata},
        )

    # What the file's tables hold.

    def buffer(self, table: Any) -> bytes:
        if table.Offset() > 1:  # Stored after the flatbuffer, in files that outgrow its offsets.
            start, size = table.Offset(), table.Size()
            if start + size > len(self.content):
                raise DamagedError("a buffer lies outside the file")
            self.charge(size)
            return self.content[start : start + size]
        return self.numbers(table, "Data", np.uint8).tobytes()

    def op_code(self, table: Any) -> tuple[str, int, str]:
        """Name, version, custom name."""
        # Codes above 127 do not fit the old field, which then holds a placeholder.
        code = max(table.BuiltinCode(), table.DeprecatedBuiltinCode())
        return _OPS.get(code, f"OP_{code}"), table.Version(), self.text(table.CustomCode())

    def subgraph(self, table: Any) -> Subgraph:
        tensors = tuple(self.tensor(i, t) for i, t in enumerate(self.tables(table, "Tensors")))
        subgraph = Subgraph(
            name=self.text(table.Name()),
            tensors=tensors,
            ops=tuple(self.op(op, tensors) for op in self.tables(table, "Operators")),
            inputs=self.picked(table, "Inputs", tensors),
            outputs=self.picked(table, "Outputs", tensors),
        )
        return replace(subgraph, ops=with_layers(subgraph))

    def tensor(self, index: int, table: Any) -> Tensor:
        name = self.text(table.Name()) or f"tensor {index}"
        if table.ExternalBuffer():
            raise PocketganError(
                f"tensor {name} keeps its values in another file", "Convert the model to one file."
            )
        quantization = table.Quantization()
        signature = self.numbers(table, "ShapeSignature", np.int32).tolist()
        shape = self.shape(table, name)
        tensor = Tensor(
            index=index,
            name=name,
            shape=shape,
            free_axes=tuple(
                axis for axis in range(len(shape)) if signature[axis : axis + 1] == [-1]
            ),
            dtype=_DTYPES[table.Type()],
            scales=self.quantizer(quantization, "Scale", np.float32),
            zero_points=self.quantizer(quantization, "ZeroPoint", np.int64),
            quantized_dimension=quantization.QuantizedDimension() if quantization else 0,
            buffer=self.buffers[table.Buffer()],
            buffer_index=table.Buffer(),
            sparsity=self.sparsity(table.Sparsity()),
            is_variable=table.IsVariable(),
        )
        self.check_size(tensor)
        return tensor

    def shape(self, table: Any, name: str) -> tuple[int, ...]:
        shape = tuple(self.numbers(table, "Shape", np.int32).tolist())
        if len(shape) > _MOST_DIMENSIONS or any(size < 0 for size in shape):
            raise DamagedError(f"{name} has an impossible shape")
        return shape

    def quantizer(self, table: Any, field: str, dtype: type) -> tuple[Any, ...]:
        return tuple(self.numbers(table, field, dtype).tolist()) if table else ()

    def check_size(self, tensor: Tensor) -> None:
        if tensor.dense_bytes > _MOST_TENSOR_BYTES:
            raise DamagedError(f"{tensor.name} has an impossible shape")
        if not tensor.is_constant or tensor.dtype not in BITS:
            return
        if len(tensor.buffer) % packed_bytes(1, tensor.dtype):
            raise DamagedError(f"{tensor.name} ends within a value")
        if tensor.sparsity is not None:
            self.dense_bytes_left -= tensor.dense_bytes
            if self.dense_bytes_left < 0:
                raise PocketganError(
                    f"sparse tensors take more than {_MOST_DENSE_BYTES:,} bytes when unpacked",
                    "The model is damaged, or no network for a small device.",
                )
        elif len(tensor.buffer) != tensor.dense_bytes:
            raise DamagedError(
                f"{tensor.name} needs {tensor.dense_bytes} bytes and has {len(tensor.buffer)}"
            )

    def sparsity(self, table: Any) -> Sparsity | None:
        if table is None:
            return None
        return Sparsity(
            traversal_order=tuple(self.numbers(table, "TraversalOrder", np.int32).tolist()),
            block_map=tuple(self.numbers(table, "BlockMap", np.int32).tolist()),
            levels=tuple(self.level(level) for level in self.tables(table, "DimMetadata")),
        )

    def level(self, table: Any) -> Level:
        if table.Format() == schema.DimensionType.DENSE:
            return Level(size=table.DenseSize())
        return Level(
            size=0,
            segments=self.index_vector(table.ArraySegmentsType(), table.ArraySegments()),
            indices=self.index_vector(table.ArrayIndicesType(), table.ArrayIndices()),
        )

    def index_vector(self, kind: int, union: Any) -> np.ndarray:
        make, dtype = _INDEX_VECTORS[kind]
        vector = make()
        vector.Init(union.Bytes, union.Pos)
        return self.numbers(vector, "Values", dtype)

    def signature(self, table: Any, subgraphs: Sequence[Subgraph]) -> Signature:
        tensors = subgraphs[table.SubgraphIndex()].tensors
        return Signature(
            key=self.text(table.SignatureKey()),
            subgraph=table.SubgraphIndex(),
            inputs=self.tensor_map(table, "Inputs", tensors),
            outputs=self.tensor_map(table, "Outputs", tensors),
        )

    def tensor_map(self, table: Any, field: str, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        entries = self.tables(table, field)
        return {self.text(entry.Name()): tensors[entry.TensorIndex()] for entry in entries}

    def op(self, table: Any, tensors: Sequence[Tensor]) -> Op:
        name, version, custom_name = self.op_codes[table.OpcodeIndex()]
        inputs = tuple(
            None if index == -1 else _at(tensors, index)
            for index in self.numbers(table, "Inputs", np.int32).tolist()
        )
        outputs = self.picked(table, "Outputs", tensors)
        return Op(
            name=name,
            layer="",  # Known once all operations are.
            inputs=inputs,
            outputs=outputs,
            fused_activation=self.activation(table),
            macs=macs(name, [t.shape if t else () for t in inputs], [t.shape for t in outputs]),
            version=version,
            custom_name=custom_name,
            subgraphs=self.subgraph_numbers(name, table),
        )

    def activation(self, table: Any) -> str:
        options = _options(table)
        if not hasattr(options, "FusedActivationFunction"):
            return "none"
        return _ACTIVATIONS[options.FusedActivationFunction()]

    def subgraph_numbers(self, name: str, table: Any) -> tuple[int, ...]:
        options = _options(table)
        return tuple(getattr(options, field)() for field in _SUBGRAPH_FIELDS.get(name, ()))

    # How its vectors, texts and indices are taken, each charged for.

    def tables(self, table: Any, field: str) -> list[Any]:
        length = getattr(table, f"{field}Length")()
        self.charge(length * _TABLE_BYTES)
        self.tables_left -= length
        if self.tables_left < 0:
            raise PocketganError(
                f"the model has more than {_MOST_TABLES:,} tensors, operations and buffers",
                "Split it into several models.",
            )
        return [getattr(table, field)(i) for i in range(length)]

    def numbers(self, table: Any, field: str, dtype: type[np.generic]) -> np.ndarray:
        length = getattr(table, f"{field}Length")()
        self.charge(length * np.dtype(dtype).itemsize)
        if not length:
            return np.zeros(0, dtype)
        values: np.ndarray = getattr(table, f"{field}AsNumpy")()
        return values

    def picked(self, table: Any, field: str, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(_at(tensors, i) for i in self.numbers(table, field, np.int32).tolist())

    def text(self, raw: bytes | None) -> str:
        """A name, without characters that could steer a terminal."""
        raw = raw or b""
        self.charge(len(raw))
        text = raw.decode(errors="replace")
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)

    def charge(self, size: int) -> None:
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise DamagedError("it claims more than it holds")


def _options(table: Any) -> Any:
    """An operation's options, of either union that the schema has for them, or None."""
    for names, number, union in (
        (_OPTIONS, table.BuiltinOptionsType(), table.BuiltinOptions()),
        (_OPTIONS_2, table.BuiltinOptions2Type(), table.BuiltinOptions2()),
    ):
        make = getattr(schema, names.get(number, ""), None)
        if union is not None and make is not None:
            options = make()
            options.Init(union.Bytes, union.Pos)
            return options
    return None


def _at(tensors: Sequence[Tensor], index: int) -> Tensor:
    if not 0 <= index < len(tensors):
        raise DamagedError(f"tensor {index} of {len(tensors)} is asked for")
    return tensors[index]
