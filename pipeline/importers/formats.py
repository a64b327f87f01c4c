"""What kind of file or folder a path is, by what lies there and not by its name."""

import glob
import zipfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.importers import pytorch_files
from pipeline.importers.tfjs_files import model_json
from pipeline.networks.pixels import PixelRange

SAVED_MODEL = "saved_model.pb"
ACCEPTED = (
    "Give a run's folder, a .keras or .h5 file with the whole model, an ONNX or .tflite file, a "
    "SavedModel folder, or the model.json of TensorFlow.js."
)
_CHECKPOINT = (".index", ".ckpt", ".meta")
_RESTORE = (
    "Build the generator, call it once, restore them, and save the whole: "
    "tf.train.Checkpoint(generator=generator).restore(PREFIX).expect_partial() or "
    "generator.load_weights(PREFIX), then generator.save('generator.keras')."
)
_OF_FROZEN = """Make it a SavedModel, with the names of its latents and pictures in place of these:
  import tensorflow.compat.v1 as tf
  graph, session = tf.GraphDef.FromString(open(FILE, "rb").read()), tf.Session(graph=tf.Graph())
  with session.graph.as_default():
      z, picture = tf.import_graph_def(graph, return_elements=["z:0", "picture:0"])
      tf.saved_model.simple_save(session, "generator", {"z": z}, {"picture": picture})"""
_ONNX = b"\x08"
"""The first field of a model: the version of its format."""
_ZIP, _HDF5, _TFLITE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"TFL3"
_BYTE_ORDER = b"\xef\xbb\xbf"
"""What some editors write before JSON."""


class Format(Enum):
    """The formats that can be read."""

    KERAS = "Keras file"
    HDF5 = "HDF5 file"
    SAVED_MODEL = "SavedModel"
    ONNX = "ONNX file"
    TFLITE = ".tflite file"
    TFJS = "model of TensorFlow.js"


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
    if not path.is_file() and _is_checkpoint(path):
        raise _weights_only(path)
    if path.is_dir():
        if (path / SAVED_MODEL).is_file():
            return Format.SAVED_MODEL
        if (path / model_json.MODEL_JSON).is_file():
            return Format.TFJS
        raise PocketganError(
            f"{path} is a folder with no run, SavedModel or model.json in it.", ACCEPTED
        )
    if not path.exists():
        raise PocketganError(f"{path}: there is no such file or folder.", ACCEPTED)
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_ZIP):
        return _format_of_zip(path)
    if head.startswith(_HDF5):
        return Format.HDF5
    if head[4:8] == _TFLITE:
        return Format.TFLITE
    if head.startswith(_ONNX) or path.suffix.lower() == ".onnx":
        from pipeline.importers.onnx_files.reading import is_onnx  # the library takes its time

        if is_onnx(path):
            return Format.ONNX
        if path.suffix.lower() == ".onnx":
            raise _no_onnx(path)
    if head.removeprefix(_BYTE_ORDER).lstrip().startswith(b"{") and b"\0" not in head:
        return Format.TFJS
    raise _foreign(path, head)


def _weights_only(path: Path) -> PocketganError:
    return PocketganError(f"{path} holds weights only, and not what to do with them.", _RESTORE)


def _is_checkpoint(path: Path) -> bool:
    """Whether a folder, or what a name without its endings stands for, is TensorFlow's weights."""
    folder, pattern = (path, "*") if path.is_dir() else (path.parent, glob.escape(path.name))
    is_whole = (path / SAVED_MODEL).is_file() or (path / model_json.MODEL_JSON).is_file()
    return not is_whole and folder.is_dir() and any(folder.glob(f"{pattern}.index"))


def _format_of_zip(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        of_pytorch = pytorch_files.refusal(path, _ZIP)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        raise cut_short(path) from error
    if {"config.json", "metadata.json"} <= set(names):
        return Format.KERAS
    if of_pytorch:
        raise of_pytorch
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
    if path.name == SAVED_MODEL:
        return PocketganError(f"{path} is a part of a SavedModel.", f"Give {path.parent}.")
    if path.suffix in _CHECKPOINT or ".data-" in path.suffix:
        return _weights_only(path)
    if path.suffix == ".pb":
        return PocketganError(f"{path} is no SavedModel; perhaps a frozen graph.", _OF_FROZEN)
    of_pytorch = pytorch_files.refusal(path, head)
    return of_pytorch or PocketganError(f"{path} is no model that can be read.", ACCEPTED)
