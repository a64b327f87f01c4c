"""What kind of file or folder a path is, by what lies there and not by its name."""

import zipfile
from enum import Enum
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.artifacts import GENERATOR
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER, plan_of_folder

SAVED_MODEL = "saved_model.pb"
RECIPE = "recipe.yaml"
ACCEPTED = "Give a run's folder, a .keras or .h5 file with the whole model, or a SavedModel folder."
_ZIP, _HDF5, _LITE, _PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"TFL3", b"\x80"
_TO_KERAS = "Rebuild the generator in Keras, copy the weights, and save it as a .keras file."


class Kind(Enum):
    """What can be read."""

    RUN = "run"
    KERAS = "Keras file"
    HDF5 = "HDF5 file"
    SAVED_MODEL = "SavedModel"


def kind_of(path: Path) -> Kind:
    """What ``path`` is; PocketganError with a remedy for whatever cannot be a teacher."""
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.exists():
        raise PocketganError(f"{path}: there is no such file or folder.", ACCEPTED)
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_ZIP):
        return _kind_of_zip(path)
    if head.startswith(_HDF5):
        return Kind.HDF5
    raise _foreign(path, head)


def _kind_of_folder(path: Path) -> Kind:
    if (path / SAVED_MODEL).is_file():
        return Kind.SAVED_MODEL
    if (FROM_SCRATCH.folder(path, "train") / GENERATOR).is_file() and (path / RECIPE).is_file():
        return Kind.RUN
    if plan_of_folder(path) is FROM_TEACHER:
        raise PocketganError(
            f"{path} is a run of `pocketgan compress`: what it made is compressed already.",
            "Give the generator that it was made from, or another run.",
        )
    if (path / RECIPE).is_file():
        raise PocketganError(
            f"{path} is a run without a trained generator.",
            f"Train it with `pocketgan train {path / RECIPE} --runs {path.parent}`.",
        )
    raise PocketganError(f"{path} is a folder with neither a run nor a SavedModel in it.", ACCEPTED)


def _kind_of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise cut_short(path) from error
    if {"config.json", "metadata.json"} <= set(names):
        return Kind.KERAS
    if any(name.endswith("data.pkl") for name in names):
        raise PocketganError(f"{path} is a PyTorch file.", _TO_KERAS)
    raise PocketganError(f"{path} is a zip archive, but no .keras file.", ACCEPTED)


def cut_short(path: Path) -> PocketganError:
    """The error for a file whose end is missing."""
    return PocketganError(
        f"{path} is damaged: its end is missing.", "Copy or save it again; compare the sizes."
    )


def _foreign(path: Path, head: bytes) -> PocketganError:
    """The error for a file that no Keras has written."""
    if not head:
        return PocketganError(f"{path} is empty.", "Save the model again.")
    if head[4:8] == _LITE:
        return PocketganError(
            f"{path} is a .tflite file: it is compressed already, and nothing can learn from it.",
            "Give the Keras model that it was made from.",
        )
    if path.name == SAVED_MODEL:
        return PocketganError(f"{path} is a part of a SavedModel.", f"Give {path.parent}.")
    if path.suffix == ".onnx":
        return PocketganError(f"{path} is an ONNX file.", _TO_KERAS)
    if head.startswith(_PICKLE) or path.suffix in (".pt", ".pth", ".pkl", ".pickle"):
        return PocketganError(
            f"{path} is a pickle, such as PyTorch writes; loading one runs code.", _TO_KERAS
        )
    return PocketganError(f"{path} is no Keras model.", ACCEPTED)
