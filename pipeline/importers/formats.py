"""What kind of file or folder a path is, by what lies there and not by its name."""

import zipfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.networks.pixels import PixelRange

SAVED_MODEL = "saved_model.pb"
ACCEPTED = (
    "Give a run's folder, a .keras or .h5 file with the whole model, an ONNX file, or a "
    "SavedModel folder."
)
_ONNX = b"\x08"
"""The first field of a model: the version of its format."""
_ZIP, _HDF5, _TFLITE, _PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"TFL3", b"\x80"
_TO_KERAS = "Rebuild the generator in Keras, copy the weights, and save it as a .keras file."


class Format(Enum):
    """The formats that can be read."""

    KERAS = "Keras file"
    HDF5 = "HDF5 file"
    SAVED_MODEL = "SavedModel"
    ONNX = "ONNX file"


@dataclass(frozen=True, kw_only=True)
class GeneratorSource:
    """Where a generator lies, and what is known of it besides its file."""

    path: Path
    """What the user named; errors name it."""
    file: Path
    """The file, or the SavedModel folder, that holds the model."""
    latent: int | None = None
    """Length of the latent vector without the class; None where nothing says it."""
    origin: str = ""
    """Where it comes from, in words; empty where the file says it."""
    input_pixels: PixelRange | None = None
    """Black and white in the pictures that it reads, where that is known."""


def format_of(path: Path) -> Format:
    """The format of a file or folder; PocketganError with a remedy for any that cannot be read."""
    if path.is_dir():
        if (path / SAVED_MODEL).is_file():
            return Format.SAVED_MODEL
        raise PocketganError(
            f"{path} is a folder with neither a run nor a SavedModel in it.", ACCEPTED
        )
    if not path.exists():
        raise PocketganError(f"{path}: there is no such file or folder.", ACCEPTED)
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_ZIP):
        return _format_of_zip(path)
    if head.startswith(_HDF5):
        return Format.HDF5
    if head.startswith(_ONNX) or path.suffix.lower() == ".onnx":
        from pipeline.importers.onnx_files.reading import is_onnx  # the library takes its time

        if is_onnx(path):
            return Format.ONNX
        if path.suffix.lower() == ".onnx":
            raise _no_onnx(path)
    raise _foreign(path, head)


def _format_of_zip(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise cut_short(path) from error
    if {"config.json", "metadata.json"} <= set(names):
        return Format.KERAS
    if any(name.endswith("data.pkl") for name in names):
        raise PocketganError(f"{path} is a PyTorch file.", _TO_KERAS)
    raise PocketganError(f"{path} is a zip archive, but no .keras file.", ACCEPTED)


def cut_short(path: Path) -> PocketganError:
    """The error for a file whose end is missing."""
    return PocketganError(
        f"{path} is damaged: its end is missing.", "Copy or save it again; compare the sizes."
    )


def _no_onnx(path: Path) -> PocketganError:
    if not path.stat().st_size:
        return PocketganError(f"{path} is empty.", "Export the model again.")
    return PocketganError(
        f"{path} is damaged, or no ONNX file.", "Export or copy it again; compare the sizes."
    )


def _foreign(path: Path, head: bytes) -> PocketganError:
    """The error for a file that no Keras has written."""
    if not head:
        return PocketganError(f"{path} is empty.", "Save the model again.")
    if head[4:8] == _TFLITE:
        return PocketganError(
            f"{path} is a .tflite file: it is compressed already, and nothing can learn from it.",
            "Give the Keras model that it was made from.",
        )
    if path.name == SAVED_MODEL:
        return PocketganError(f"{path} is a part of a SavedModel.", f"Give {path.parent}.")
    if head.startswith(_PICKLE) or path.suffix in (".pt", ".pth", ".pkl", ".pickle"):
        return PocketganError(
            f"{path} is a pickle, such as PyTorch writes; loading one runs code.", _TO_KERAS
        )
    return PocketganError(f"{path} is no Keras model.", ACCEPTED)
