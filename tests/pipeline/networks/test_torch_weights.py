import io
import os
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks.torch_weights import read_torch_weights


class FloatStorage:
    """Stands for PyTorch's class in the pickles below."""


class LongStorage:
    """Likewise."""


class View:
    """A tensor as PyTorch's pickles hold one: a view of a storage that they name by a key."""

    def __init__(self, kind: type, key: str, shape: tuple[int, ...], strides: tuple[int, ...]):
        self.parts = (("storage", kind, key, "cpu", 0, None), 0, shape, strides, False, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class Pickler(pickle.Pickler):
    def persistent_id(self, part: object) -> object:
        return part if isinstance(part, tuple) and part[:1] == ("storage",) else None


def _rebuild_tensor_v2(*_: object) -> None:
    """Never called: only its name goes into the pickles."""


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of PyTorch's names, so that a pickle may refer to what they hold."""
    for name, parts in (
        ("torch", (FloatStorage, LongStorage)),
        ("torch._utils", (_rebuild_tensor_v2,)),
    ):
        module = types.ModuleType(name)
        for part in parts:
            monkeypatch.setattr(part, "__module__", name)
            setattr(module, part.__name__, part)
        monkeypatch.setitem(sys.modules, name, module)


def file_of(tensors: dict[str, Any], storages: dict[str, np.ndarray]) -> bytes:
    """What `torch.save` of before 1.6 wrote."""
    file = io.BytesIO()
    for header in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(header, file, protocol=2)
    Pickler(file, protocol=2).dump(OrderedDict(tensors))
    pickle.dump([*storages], file, protocol=2)
    for numbers in storages.values():
        file.write(len(numbers).to_bytes(8, "little") + numbers.tobytes())
    return file.getvalue()


NUMBERS = np.arange(6, dtype="<f4")


def test_tensors_come_back_with_their_strides() -> None:
    content = file_of(
        {
            "rows": View(FloatStorage, "a", (2, 3), (3, 1)),
            "columns": View(FloatStorage, "a", (3, 2), (1, 3)),
            "count": View(LongStorage, "b", (), ()),
        },
        {"b": np.array([7], "<i8"), "a": NUMBERS},
    )
    weights = read_torch_weights(content, "file")
    assert weights["rows"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert weights["columns"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert (weights["rows"].dtype, weights["count"].dtype) == (np.float32, np.int64)
    assert weights["count"] == 7


def test_file_that_would_run_something_is_refused_before_it_does(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(PocketganError, match=r"file holds no weights .* asks for \w+\.mkdir"):
        read_torch_weights(file_of({"a": Trap()}, {}), "file")
    assert not (tmp_path / "ran").exists()


def test_view_beyond_its_storage_is_refused() -> None:
    content = file_of({"a": View(FloatStorage, "a", (2, 4), (4, 1))}, {"a": NUMBERS})
    with pytest.raises(PocketganError, match="no weights"):
        read_torch_weights(content, "file")


@pytest.mark.parametrize("length", [0, 40, -4])
def test_cut_file_is_refused(length: int) -> None:
    content = file_of({"a": View(FloatStorage, "a", (6,), (1,))}, {"a": NUMBERS})
    with pytest.raises(PocketganError, match="Take the file from where it was published"):
        read_torch_weights(content[:length], "file")
