"""What a .tflite holds, as plain values: tensors, operations, sub-graphs, the file."""

import gzip
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import zstandard

from deploy.errors import PocketganError
from pipeline.tflite.sparsity import Sparsity

# Bits an element. Strings, resources and variants have no fixed size and are absent.
BITS = {
    "int2": 2,
    "int4": 4,
    "uint4": 4,
    **dict.fromkeys(("bool", "int8", "uint8", "float8_e4m3fn", "float8_e5m2"), 8),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 16),
    **dict.fromkeys(("int32", "uint32", "float32"), 32),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 64),
    "complex128": 128,
}
# Operations that only unpack a constant: the weights of a float16 or sparse file pass these.
UNPACKING = ("DEQUANTIZE", "DENSIFY")


@dataclass(frozen=True, eq=False, kw_only=True)
class Tensor:
    """One tensor of a sub-graph. ``real = scale * (value - zero_point)`` where it is quantized.

    ``scales`` and ``zero_points`` hold one number a tensor, or one for each index of
    ``quantized_dimension``; both are empty where the tensor is not quantized. ``buffer`` holds the
    stored bytes of a constant (little-endian; only the kept values where ``sparsity`` is set) and
    is empty for anything computed. ``buffer_index`` says which tensors share one buffer.
    ``free_axes`` are those of ``shape`` whose size is known only when the network runs; ``shape``
    has 1 there, or a size that need not hold.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    quantized_dimension: int = 0
    buffer: bytes = b""
    buffer_index: int = 0
    sparsity: Sparsity | None = None
    is_variable: bool = False
    free_axes: tuple[int, ...] = ()

    @property
    def is_constant(self) -> bool:
        return bool(self.buffer)

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith(("float", "bfloat", "complex"))

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def dense_bytes(self) -> int:
        """Bytes in memory while the network runs; 0 for types without a fixed size."""
        return packed_bytes(self.size, self.dtype)

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file: values and, for a sparse tensor, its indices."""
        return len(self.buffer) + (self.sparsity.stored_bytes if self.sparsity else 0)

    def data(self) -> np.ndarray:
        """The constant's values, dense, in ``shape``; 2- and 4-bit integers as 8-bit ones.

        Raises PocketganError where the tensor is not constant, its type has no numpy equivalent,
        or its sparse encoding is inconsistent.
        """
        if not self.is_constant:
            raise PocketganError(f"tensor {self.name} has no stored values", "Ask a constant one.")
        values = _decode(self.buffer, self.dtype)
        if self.sparsity is not None:
            return self.sparsity.dense(values, self.shape, self.name)
        return values[: self.size].reshape(self.shape)

    def real(self) -> np.ndarray:
        """What the constant's values mean, float32 in ``shape``. Raises as ``data`` does."""
        values = self.data().astype(np.float32)
        if self.is_float or not self.scales:
            return values
        scales = self._along_shape(self.scales, np.float32)
        return np.asarray((values - self._zero_points_along_shape()) * scales, np.float32)

    def zeros(self) -> int:
        """How many values mean zero: equal to their (channel's) zero point, or 0 in float."""
        return int(np.count_nonzero(self.data() == self._zero_points_along_shape()))

    def _zero_points_along_shape(self) -> np.ndarray:
        if self.is_float or not self.zero_points:
            return np.zeros((), np.int64)
        return self._along_shape(self.zero_points, np.int64)

    def _along_shape(self, numbers: tuple[float, ...], dtype: type[np.generic]) -> np.ndarray:
        """One number a tensor, or a channel, so that it meets the values that it belongs to."""
        array = np.asarray(numbers, dtype)
        if len(array) == 1:
            return array.reshape(())
        axis = self.quantized_dimension
        if not 0 <= axis < len(self.shape) or self.shape[axis] != len(array):
            raise PocketganError(
                f"tensor {self.name} has {len(array)} zero points, its shape is {self.shape}",
                "The file is damaged: convert the model again.",
            )
        return array.reshape([-1 if i == axis else 1 for i in range(len(self.shape))])


@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """One operation. ``layer`` is the name a person knows the layer by; ``macs`` as in count.py.

    ``inputs`` has None where an optional input is left out. ``custom_name`` is empty for builtin
    operations. ``fused_activation`` is "none", "relu", "relu6", ... ``subgraphs`` are the numbers
    of those that it runs: a loop's condition and body, the branches of an IF.
    """

    name: str
    layer: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    fused_activation: str = "none"
    macs: int = 0
    version: int = 1
    custom_name: str = ""
    subgraphs: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        return self.custom_name or self.name


@dataclass(frozen=True, eq=False, kw_only=True)
class Subgraph:
    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @cached_property
    def _producers(self) -> dict[Tensor, Op]:
        return {output: op for op in self.ops for output in op.outputs}

    def constant(self, tensor: Tensor | None) -> Tensor | None:
        """The constant a tensor holds, seen through operations that only unpack it, or None."""
        visited: set[Tensor] = set()
        while tensor is not None and not tensor.is_constant:
            producer = self._producers.get(tensor)
            if producer is None or producer.name not in UNPACKING or tensor in visited:
                return None
            visited.add(tensor)
            tensor = producer.inputs[0] if producer.inputs else None
        return tensor

    def unpacks_constant(self, op: Op) -> bool:
        """Whether ``op`` does nothing but unpack a constant for another operation."""
        return op.name in UNPACKING and any(self.constant(tensor) for tensor in op.inputs)


@dataclass(frozen=True)
class Signature:
    """A named entry point: its sub-graph, and what the inputs and outputs of that are called."""

    key: str
    subgraph: int
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class LiteModel:
    """A whole file. ``inputs`` and ``outputs`` are the first sub-graph's, where running starts."""

    content: bytes
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    metadata: Mapping[str, bytes]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return tuple(tensor for subgraph in self.subgraphs for tensor in subgraph.tensors)

    @property
    def ops(self) -> tuple[Op, ...]:
        return tuple(op for subgraph in self.subgraphs for op in subgraph.ops)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.subgraphs[0].inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return self.subgraphs[0].outputs

    def port_name(self, tensor: Tensor) -> str:
        """What a person calls an input or output: as a signature does, or by the tensor's name."""
        ports = (p for s in self.signatures for p in (*s.inputs.items(), *s.outputs.items()))
        return next((name for name, port in ports if port is tensor), tensor.name)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.content)

    @cached_property
    def size_gzip(self) -> int:
        """Bytes after gzip, level 9."""
        return len(gzip.compress(self.content, 9, mtime=0))

    @cached_property
    def size_zstd(self) -> int:
        """Bytes after Zstandard, level 19."""
        return len(zstandard.ZstdCompressor(level=19).compress(self.content))

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def packed_bytes(elements: int, dtype: str) -> int:
    """Bytes that ``elements`` of ``dtype`` take, several to a byte for 2- and 4-bit types."""
    return -(-elements * BITS.get(dtype, 0) // 8)


def _decode(buffer: bytes, dtype: str) -> np.ndarray:
    """Stored bytes as a flat array. Raises PocketganError for a type that numpy does not know."""
    if dtype in ("int2", "int4", "uint4"):
        return _unpack_bits(buffer, BITS[dtype], signed=dtype.startswith("int"))
    if dtype not in BITS or dtype.startswith(("float8", "bfloat")):
        raise PocketganError(
            f"values of type {dtype} cannot be read",
            "Convert the model with float32, float16 or integer weights.",
        )
    return np.frombuffer(buffer, np.dtype(dtype).newbyteorder("<"))


def _unpack_bits(buffer: bytes, bits: int, *, signed: bool) -> np.ndarray:
    """Small integers, lowest bits first, one to an 8-bit integer."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values = (np.frombuffer(buffer, np.uint8)[:, None] >> shifts & (1 << bits) - 1).ravel()
    if not signed:
        return values
    # Moving the sign bit to the top and back fills the upper bits with it.
    return (values << 8 - bits).astype(np.int8) >> 8 - bits
