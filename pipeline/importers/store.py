"""A teacher in a folder: its model, and a JSON that says what the model does not."""

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.atomic import write_bytes, write_text
from pipeline.importers.build import opaque_model
from pipeline.importers.generator import Teacher
from pipeline.importers.loaded import SourceLayer
from pipeline.importers.opaque import Frozen

FACTS, MODEL, GRAPH = "teacher.json", "generator.keras", "graph.pb"
SCHEMA = 1
_NO_DATE = "1980-01-01@00:00:00"


def save_teacher(teacher: Teacher, folder: Path) -> None:
    """Write ``teacher.json`` and the model into ``folder``: the same teacher, the same bytes.

    The model is ``generator.keras`` (tf_keras), or ``graph.pb`` where it is opaque.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "latent": teacher.latent,
        "classes": teacher.classes,
        "pixels": teacher.pixels,
        "input_pixels": teacher.input_pixels,
        "origin": teacher.origin,
        "notes": teacher.notes,
        "layers": [asdict(layer) for layer in teacher.layers],
    }
    if teacher.frozen is None:
        write_bytes(folder / MODEL, _keras_bytes(teacher.model, folder))
    else:
        write_bytes(folder / GRAPH, teacher.frozen.graph)
        facts["graph"] = {
            "inputs": teacher.frozen.inputs,
            "outputs": teacher.frozen.outputs,
            "shape": teacher.model.input_shape[1:],
        }
    write_text(folder / FACTS, json.dumps(facts, indent=1) + "\n")


def read_saved_teacher(folder: Path) -> Teacher:
    """What ``save_teacher`` wrote; PocketganError where it is missing or damaged."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        frozen = _frozen(folder, facts["graph"]) if "graph" in facts else None
        model = (
            opaque_model(frozen, tuple(facts["graph"]["shape"]))
            if frozen
            else tf_keras.models.load_model(folder / MODEL, compile=False)
        )
        read = facts["input_pixels"]
        low, high = facts["pixels"]
        return Teacher(
            model,
            facts["latent"],
            facts["classes"],
            (low, high),
            None if read is None else (read[0], read[1]),
            facts["origin"],
            tuple(facts["notes"]),
            tuple(_layer(layer) for layer in facts["layers"]),
            frozen,
        )
    except Exception as error:  # a damaged file makes its reader raise anything
        raise PocketganError(
            f"{folder} holds no teacher that can be read: {' '.join(str(error).split())[:200]}",
            "Load the generator again from where it came.",
        ) from error


def _frozen(folder: Path, facts: dict[str, Any]) -> Frozen:
    graph = (folder / GRAPH).read_bytes()
    return Frozen(graph, tuple(facts["inputs"]), tuple(facts["outputs"]))


def _layer(facts: dict[str, Any]) -> SourceLayer:
    became, shape = tuple(facts["became"]), tuple(facts["shape"])
    return SourceLayer(**{**facts, "became": became, "shape": shape})


def _keras_bytes(model: tf_keras.Model, folder: Path) -> bytes:
    """A .keras file that does not tell when it was written."""
    aside = folder / f".{MODEL}"
    try:
        model.save(aside, save_format="keras")
        written = zipfile.ZipFile(io.BytesIO(aside.read_bytes()))
    finally:
        aside.unlink(missing_ok=True)
    dateless = io.BytesIO()
    with zipfile.ZipFile(dateless, "w") as archive:
        for name in sorted(written.namelist()):
            content = written.read(name)
            if name == "metadata.json":
                content = json.dumps({**json.loads(content), "date_saved": _NO_DATE}).encode()
            archive.writestr(zipfile.ZipInfo(name), content)
    return dateless.getvalue()
