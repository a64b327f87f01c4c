"""model.json of TensorFlow.js, and the weights in the files beside it that it names.

The format is described in tfjs-core/src/io/types.ts of TensorFlow.js. Read without TensorFlow.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from deploy.errors import PocketganError, printable

MODEL_JSON = "model.json"
_TOPOLOGY, _MANIFEST = "modelTopology", "weightsManifest"
_DTYPES: dict[str, "np.dtype[Any]"] = {
    "float32": np.dtype("<f4"),
    "int32": np.dtype("<i4"),
    "bool": np.dtype("?"),
    "complex64": np.dtype("<c8"),
}
_STORED: dict[str, "np.dtype[Any]"] = {
    "uint8": np.dtype("<u1"),
    "uint16": np.dtype("<u2"),
    "float16": np.dtype("<f2"),
}
"""Types to which weights are rounded in the files, as "quantization" says."""
_COPY_AGAIN = "Copy model.json and all files beside it again, or convert the model again."


@dataclass(frozen=True)
class ModelJson:
    """What a model.json says."""

    path: Path
    topology: Any
    """A configuration of Keras, or a graph of TensorFlow."""
    manifest: Any
    """Groups of weights, and the names of the files that hold each."""
    signature: Any
    """Of a graph: its inputs and outputs by name; None where it has none."""

    @property
    def is_graph(self) -> bool:
        return "node" in self.topology

    @property
    def title(self) -> str:
        """The file with its folder, as most are called model.json."""
        return f"{self.path.absolute().parent.name}/{self.path.name}"


def json_file(path: Path) -> Path:
    """The model.json in a folder; any other path as it is."""
    return path / MODEL_JSON if path.is_dir() else path


def read(path: Path) -> ModelJson:
    """What lies in a model.json, or a folder with one; PocketganError where it is no such model."""
    path = json_file(path)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PocketganError(f"{path} is damaged: it is no whole JSON.", _COPY_AGAIN) from error
    is_object = isinstance(content, dict)
    if is_object and "class_name" in content and _TOPOLOGY not in content:
        raise PocketganError(
            f"{path} holds the layers of a Keras model without its weights.",
            "Save the whole model: model.save('generator.keras').",
        )
    if not is_object or not isinstance(content.get(_TOPOLOGY), dict):
        raise PocketganError(
            f"{path} is JSON, but no model of TensorFlow.js: it has no {_TOPOLOGY}.",
            "Give the model.json of a layers model or a graph model.",
        )
    if not isinstance(content.get(_MANIFEST), list):
        raise PocketganError(
            f"{path} does not say where its weights are: it has no {_MANIFEST}.",
            "Save it with model.save('file://folder') or model.save('downloads://model').",
        )
    said = content.get("userDefinedMetadata")
    older = said.get("signature") if isinstance(said, dict) else None
    topology, manifest = content[_TOPOLOGY], content[_MANIFEST]
    return ModelJson(path, topology, manifest, content.get("signature") or older)


def files_of(model: ModelJson) -> list[Path]:
    """All files that the model is made of; PocketganError for one that is missing or elsewhere."""
    try:
        shards = [file for group in model.manifest for file in _shards(model.path, group)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(model.path, error) from error
    return [model.path, *shards]


def read_weights(model: ModelJson) -> dict[str, np.ndarray]:
    """Name → values, of float32, int32, bool or complex64, those of rounded weights as restored.

    Raises PocketganError where a file is missing, lies outside the folder, or has another length
    than its weights.
    """
    weights: dict[str, np.ndarray] = {}
    try:
        for group in model.manifest:
            specs = [spec for spec in group["weights"] if spec.get("group") != "optimizer"]
            _refuse_text(model.path, group["weights"])
            content = _content(model.path, group)
            for spec in group["weights"]:
                length = _length(spec)
                if spec in specs:
                    if spec["name"] in weights:
                        raise ValueError(f"two weights are called {spec['name']}")
                    weights[spec["name"]] = _values(spec, content[:length])
                content = content[length:]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(model.path, error) from error
    return weights


def _damaged(path: Path, error: Exception) -> PocketganError:
    words = printable(str(error))[:100]
    return PocketganError(f"{path} is damaged: its {_MANIFEST} is odd ({words}).", _COPY_AGAIN)


def _refuse_text(path: Path, specs: Any) -> None:
    for spec in specs:
        if spec["dtype"] == "string":
            raise PocketganError(
                f"{path}: the weights '{printable(str(spec['name']))}' are text.",
                "Give a generator without tables of words.",
            )


def _content(path: Path, group: Any) -> memoryview:
    """The bytes of a group of weights: exactly as many as its weights need."""
    files = _shards(path, group)
    length, expected = (
        sum(file.stat().st_size for file in files),
        sum(map(_length, group["weights"])),
    )
    if length != expected:
        names = ", ".join(file.name for file in files[:3]) + (" …" if len(files) > 3 else "")
        raise PocketganError(
            f"{path}: the weights are {expected:,} bytes long, and the files that hold them "
            f"({names}) have {length:,}.",
            _COPY_AGAIN,
        )
    return memoryview(b"".join(file.read_bytes() for file in files))


def _shards(path: Path, group: Any) -> list[Path]:
    return [_shard(path, name) for name in group["paths"]]


def _shard(path: Path, name: str) -> Path:
    """A file beside model.json, or below; PocketganError for one that is elsewhere or missing."""
    title, inner = printable(name), PurePosixPath(name)
    file = path.parent / inner
    inside = not inner.is_absolute() and ".." not in inner.parts and ":" not in name
    if not inside or not file.resolve().is_relative_to(path.parent.resolve()):
        raise PocketganError(
            f"{path} takes its weights from outside its folder: {title}.",
            "Copy that file beside model.json, not as a link, and write its bare name there.",
        )
    if not file.is_file():
        raise PocketganError(
            f"{path}: {title}, which holds weights, is missing.",
            "Copy all of its files into one folder.",
        )
    return file


def _stored_type(spec: Any) -> "np.dtype[Any]":
    rounded = spec.get("quantization")
    return _STORED[rounded["dtype"]] if rounded else _DTYPES[spec["dtype"]]


def _length(spec: Any) -> int:
    shape = spec["shape"]
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"the shape {shape}")
    count: int = math.prod(shape)
    return count * _stored_type(spec).itemsize


def _values(spec: Any, content: memoryview) -> np.ndarray:
    """As TensorFlow.js restores them: in float64, which then becomes the type of the weights."""
    values = np.frombuffer(content, _stored_type(spec)).reshape(spec["shape"])
    rounded = spec.get("quantization")
    if rounded and rounded["dtype"] != "float16":
        values = values * float(rounded["scale"]) + float(rounded["min"])
        if spec["dtype"] == "int32":
            values = np.floor(values + 0.5)
    return values.astype(_DTYPES[spec["dtype"]])
