"""Files of PyTorch, written without it: pickles whose classes stand in modules of its names."""

import io
import json
import pickle
import sys
import tarfile
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.importers.formats import format_of

Refused = Callable[..., str]
OF_PROTOCOL_0_TO_2 = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A function that gives an object of a class of that full name."""

    def make(full_name: str) -> Any:
        module_name, name = full_name.rsplit(".", 1)
        parents = module_name.split(".")
        for end in range(1, len(parents) + 1):
            parent = ".".join(parents[:end])
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        own = type(name, (), {"__module__": module_name})
        setattr(sys.modules[module_name], name, own)
        return own()

    return make


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name.replace('__', '.')}", content)
    return held.getvalue()


def tarred() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            archive.addfile(tarfile.TarInfo(name))
    return held.getvalue()


def tensors(length: int = 0) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    header = header.ljust(length)
    return len(header).to_bytes(8, "little") + header + bytes(4)


WEIGHTS = pickle.dumps(OrderedDict(w=1), 2)
WEIGHTS_ONLY = "generator.load_state_dict(torch.load("
FILES = {
    "zip of weights": (zipped(data__pkl=WEIGHTS), "a PyTorch file", WEIGHTS_ONLY),
    "old file": (OF_PROTOCOL_0_TO_2 + WEIGHTS, "a PyTorch file", WEIGHTS_ONLY),
    "tar": (tarred(), "of the oldest kind", WEIGHTS_ONLY),
    "pickle": (WEIGHTS, "a pickle", WEIGHTS_ONLY),
    "script": (zipped(data__pkl=b"", constants__pkl=b""), "a TorchScript file", "torch.jit.load("),
    "program": (zipped(archive_format=b"pt2"), "torch.export wrote", "torch.export.load("),
    "tensors": (tensors(), "a safetensors file", "safetensors.torch.load_file("),
    # Lengths whose first byte is that of JSON, and of ONNX.
    "tensors like JSON": (tensors(0x7B), "a safetensors file", "safetensors.torch.load_file("),
    "tensors like ONNX": (tensors(0x108), "a safetensors file", "safetensors.torch.load_file("),
}


@pytest.mark.parametrize("name", FILES)
def test_file_is_known_by_its_content_and_told_how_to_become_onnx(
    name: str, tmp_path: Path, refused: Refused
) -> None:
    content, expected, loads = FILES[name]
    path = tmp_path / "generator.bin"  # the name says nothing
    path.write_bytes(content)
    message = refused(format_of, path)
    assert expected in message
    steps = message.partition("give generator.onnx:\n")[2].splitlines()
    assert len(steps) == 4
    assert loads in steps[1]
    assert repr(str(path)) in steps[1]
    assert "torch.onnx.export(" in steps[3]
    for step in steps:
        compile(step.strip(), "step", "exec")


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("full_name", "is_whole"),
    [
        ("models.dcgan.Generator", True),
        ("torch.nn.modules.container.Sequential", True),
        ("torch.storage.TypedStorage", False),
        ("omegaconf.dictconfig.DictConfig", False),
    ],
)
def test_class_of_a_whole_network_is_named_without_loading_it(
    full_name: str,
    is_whole: bool,
    protocol: int,
    instance: Callable[[str], Any],
    tmp_path: Path,
    refused: Refused,
) -> None:
    held = {"epoch": 3, "generator": instance(full_name)}
    (tmp_path / "g.pth").write_bytes(pickle.dumps(held, protocol))
    message = refused(format_of, tmp_path / "g.pth")
    assert (full_name in message) is is_whole
    assert ("weights_only=False" in message) is is_whole
    assert ("YourGenerator" in message) is not is_whole


@pytest.mark.parametrize(
    ("full_name", "imports"),
    [
        ("__main__.Espcn", "import torch; from your_code import Espcn"),
        ("models.espcn.Espcn", "import torch, models.espcn"),
        ("torch.nn.modules.container.Sequential", "import torch"),
        ("models.a b;c.Espcn", "import torch"),
    ],
)
def test_code_without_which_a_whole_network_cannot_be_loaded_is_imported_first(
    full_name: str, imports: str, tmp_path: Path, refused: Refused
) -> None:
    module, name = full_name.rsplit(".", 1)
    (tmp_path / "g.pth").write_bytes(f"c{module}\n{name}\n)\x81.".encode())
    steps = refused(format_of, tmp_path / "g.pth").partition("give generator.onnx:\n")[2]
    assert steps.splitlines()[0].strip() == imports


def test_script_is_exported_by_the_exporter_that_reads_it_others_by_the_default_one(
    tmp_path: Path, refused: Refused
) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(FILES[name][0])
        message = refused(format_of, tmp_path / name)
        assert ("dynamo=False" in message) is (name == "script")
        assert ("pip install onnxscript" in message) is (name != "script")


def test_pickle_is_read_without_running_it(tmp_path: Path, refused: Refused) -> None:
    class Leaves:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "mark",)

    (tmp_path / "g.pt").write_bytes(zipped(data__pkl=pickle.dumps(Leaves())))
    assert "a PyTorch file" in refused(format_of, tmp_path / "g.pt")
    assert not (tmp_path / "mark").exists()


def test_pickle_that_is_cut_short_is_one_message(tmp_path: Path, refused: Refused) -> None:
    for length in range(2, len(WEIGHTS)):
        (tmp_path / "g.pth").write_bytes(WEIGHTS[:length])
        assert "a pickle" in refused(format_of, tmp_path / "g.pth")
