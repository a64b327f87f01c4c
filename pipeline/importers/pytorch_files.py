"""Files of PyTorch: known by what is in them, never loaded, and how each becomes ONNX.

A pickle runs code when it is loaded. Which classes it names can be read without.
"""

import json
import pickletools
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.errors import PocketganError, printable

_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""How torch.save began before it wrote zip archives."""
_PICKLE, _PICKLE_SUFFIXES = b"\x80", (".pt", ".pth", ".pkl", ".pickle")
_LONGEST_HEADER = 100_000_000
"""Of a safetensors file, by its own specification."""
_LONGEST_PICKLE = 10_000_000
"""Bytes that are read of one: numbers are stored aside, or behind."""
_NO_NETWORKS = {*sys.stdlib_module_names, "__builtin__", "copy_reg", "numpy", "omegaconf"} - {
    "__main__"
}
"""Packages of which files of mere weights name classes, too."""
_RUNS_CODE = "; loading it runs code"
_MAIN = "__main__."
"""Before the names of classes that stood in the script which wrote the file."""
_EXPORTS = (
    "torch.onnx.export(generator, (inputs,), 'generator.onnx')"
    "  # from PyTorch 2.9 on: pip install onnxscript"
)
_EXPORTS_SCRIPT = (
    "torch.onnx.export(generator, (inputs,), 'generator.onnx', dynamo=False)"
    "  # before PyTorch 2.5: without dynamo"
)
"""The exporter that is the default from PyTorch 2.9 on reads no TorchScript."""


def refusal(path: Path, head: bytes) -> PocketganError | None:
    """The error for a file of PyTorch, or another pickle; None for a file that is neither.

    ``head``: its first 16 bytes. The remedy holds the four lines that export it to ONNX. Raises
    what zipfile raises for damage.
    """
    if head.startswith(b"PK"):
        return _of_zip(path)
    if _is_safetensors(path, head):
        loads = f"safetensors.torch.load_file({_quoted(path)})"
        return _weights(path, "a safetensors file", loads, "import torch, safetensors.torch")
    if _is_tar(path):
        return _weights(path, f"a PyTorch file of the oldest kind{_RUNS_CODE}", _torch_load(path))
    if head.startswith(_PICKLE) or path.suffix in _PICKLE_SUFFIXES:
        with path.open("rb") as file:
            pickled = file.read(_LONGEST_PICKLE)
        what = "a PyTorch file" if head.startswith(_MAGIC) else "a pickle, such as PyTorch writes"
        return _of_pickle(path, pickled, what)
    return None


def _of_zip(path: Path) -> PocketganError | None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        inner = {name.split("/", 1)[-1] for name in names}
        if "serialized_exported_program.json" in names or "archive_format" in inner:
            loads = f"torch.export.load({_quoted(path)}).module()"
            return _whole(path, "a program that torch.export wrote", loads=loads)
        if "constants.pkl" in inner:
            loads = f"torch.jit.load({_quoted(path)}).eval()"
            return _whole(path, "a TorchScript file", loads=loads, exports=_EXPORTS_SCRIPT)
        pickles = [name for name in names if name.endswith("data.pkl")]
        if not pickles:
            return None
        with archive.open(pickles[0]) as file:
            return _of_pickle(path, file.read(_LONGEST_PICKLE), "a PyTorch file")


def _is_safetensors(path: Path, head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or length > min(_LONGEST_HEADER, path.stat().st_size - 8):
        return False
    with path.open("rb") as file:
        file.seek(8)
        try:
            return isinstance(json.loads(file.read(length)), dict)
        except (ValueError, RecursionError):
            return False


def _is_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:") as archive:
            names = {name.removeprefix("./") for name in archive.getnames()}
    except (tarfile.TarError, OSError, ValueError):
        return False
    return {"pickle", "storages"} <= names


def _of_pickle(path: Path, pickled: bytes, what: str) -> PocketganError:
    networks = [name for name in _classes(pickled) if not _is_of_weights(name)]
    if networks:
        loads = f"{_torch_load(path, ', weights_only=False')}.eval()"
        what = f"{what}, with an object {printable(networks[0])}{_RUNS_CODE}"
        return _whole(path, what, loads=loads, imports=_imports(networks))
    return _weights(path, what + _RUNS_CODE, _torch_load(path))


def _is_of_weights(class_name: str) -> bool:
    package = class_name.split(".")[0]
    return package in _NO_NETWORKS or (package == "torch" and "torch.nn.modules" not in class_name)


def _classes(pickled: bytes) -> Iterator[str]:
    """Full names of the classes and functions that a pickle would load, read without loading it."""
    texts, memory = ["", ""], dict[int, str]()
    with suppress(Exception):  # where it is cut short, what came before still says something
        for operation, argument, _ in pickletools.genops(pickled):
            if operation.name == "GLOBAL":
                yield str(argument).replace(" ", ".")
            elif operation.name == "STACK_GLOBAL":
                yield ".".join(texts)
            elif operation.name.endswith("UNICODE") or operation.name == "BINUNICODE8":
                texts = [texts[1], str(argument)]
            elif operation.name == "MEMOIZE":
                memory[len(memory)] = texts[1]
            elif operation.name in ("BINGET", "LONG_BINGET"):
                texts = [texts[1], memory.get(int(argument or 0), "")]


def _torch_load(path: Path, more: str = "") -> str:
    return f"torch.load({_quoted(path)}, map_location='cpu'{more})"


def _quoted(path: Path) -> str:
    return repr(printable(str(path)))


def _imports(networks: Sequence[str]) -> str:
    """The line that brings the code of these classes, without which the file cannot be loaded.

    The names are a stranger's: what is no name of Python is left out.
    """
    own = [name for name in networks if all(part.isidentifier() for part in name.split("."))]
    own = [name for name in dict.fromkeys(own) if not name.startswith("torch.")]
    mains = [name.removeprefix(_MAIN) for name in own if name.startswith(_MAIN)]
    modules = [name.rpartition(".")[0] for name in own if not name.startswith(_MAIN)]
    line = f"import {', '.join(dict.fromkeys(['torch', *filter(None, modules)]))}"
    return f"{line}; from your_code import {', '.join(mains)}" if mains else line


def _whole(
    path: Path, what: str, *, loads: str, imports: str = "import torch", exports: str = ""
) -> PocketganError:
    """The error for a file that holds a generator."""
    return _error(
        path,
        what,
        imports=imports,
        makes_generator=f"generator = {loads}",
        exports=exports or _EXPORTS,
    )


def _weights(path: Path, what: str, loads: str, imports: str = "import torch") -> PocketganError:
    """The error for a file of weights alone."""
    fills = f"generator = YourGenerator().eval(); generator.load_state_dict({loads})"
    return _error(
        path,
        f"{what}; it holds weights only",
        imports=f"{imports}; from your_code import YourGenerator",
        makes_generator=fills,
        exports=_EXPORTS,
    )


def _error(
    path: Path, what: str, *, imports: str, makes_generator: str, exports: str
) -> PocketganError:
    lines = (
        imports,
        makes_generator,
        "inputs = torch.randn(1, 100)  # what it reads: 100 latents; a picture is (1, 3, 64, 64)",
        exports,
    )
    return PocketganError(
        f"{path} is {what}.",
        "\n    ".join(["With PyTorch, run this, and give generator.onnx:", *lines]),
    )
