"""Weights out of a file that PyTorch wrote, without PyTorch and without running what it says.

Such a file is a program for Python's unpickler, which may call anything. Here it may name only what
tensors are put together from; everything else is refused. The format is that of `torch.save` before
PyTorch 1.6: three headers, the tensors (each a view of a storage, which it names by a key), the
list of keys, all of them pickled, and then the storages in that order, each with its length before
it.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deploy.errors import PocketganError

Array = npt.NDArray[Any]

HEADERS = 3  # a magic number, the version of the protocol, and sizes of C's types


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]


class _Tensor(NamedTuple):
    """A view of a storage: where it begins and how far apart its elements are, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, storages: dict[str, bytes]) -> Array:
        """Raises ValueError where the view leaves its storage."""
        key, dtype = self.storage
        size = dtype.itemsize
        view: Array = np.ndarray(
            self.shape,
            dtype,
            buffer=storages[key],
            offset=size * self.offset,
            strides=[size * stride for stride in self.strides],
        )
        return view.copy()


def _tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_of_training: object,
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


_PARTS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PARTS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")
        return _PARTS[module, name]

    def persistent_load(self, reference: Any) -> _Storage:
        _, dtype, key, *_ = reference
        return _Storage(key, dtype)


def read_torch_weights(content: bytes, origin: str) -> dict[str, Array]:
    """Name → array of all tensors, float32 or int64, in PyTorch's order of axes.

    Raises PocketganError, naming ``origin``, where the content is damaged or holds anything else.
    """
    file = io.BytesIO(content)
    try:
        for _ in range(HEADERS):
            _Unpickler(file).load()
        tensors: dict[str, _Tensor] = _Unpickler(file).load()
        dtypes = dict(tensor.storage for tensor in tensors.values())
        storages = {}
        for key in _Unpickler(file).load():
            length = int.from_bytes(file.read(8), "little")
            storages[key] = file.read(length * dtypes[key].itemsize)
        return {name: tensor.of(storages) for name, tensor in tensors.items()}
    except Exception as error:  # damage can surface as nearly any error of the unpickler
        raise PocketganError(
            f"{origin} holds no weights of PyTorch's that can be read: {error}.",
            "Take the file from where it was published again.",
        ) from error
