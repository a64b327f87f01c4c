"""A teacher in a folder: saved, the same teacher in the same bytes, and read again."""

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tf_keras

from deploy.errors import PocketganError, one_line
from pipeline.atomic import write_bytes
from pipeline.importers.facts import read_facts, read_inputs, read_parts, write_facts
from pipeline.importers.foreign import ForeignProgram
from pipeline.importers.layer_mapping import SourceLayer
from pipeline.importers.opaque import FrozenGraph, OpaqueGenerator
from pipeline.importers.teacher import Teacher

MODEL, GRAPH, PROGRAM = "generator.keras", "graph.pb", "program.bin"
_NO_DATE = "1980-01-01@00:00:00"


def save_teacher(teacher: Teacher, folder: Path) -> None:
    """Write ``teacher.json`` and the model into ``folder``: the same teacher, the same bytes.

    The model is ``generator.keras`` (tf_keras), or ``graph.pb`` where it is opaque, with
    ``program.bin`` behind it where another runtime draws.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {
        "latent": teacher.latent,
        "classes": teacher.classes,
        "pixels": teacher.pixels,
        "input_pixels": teacher.input_pixels,
        "origin": teacher.origin,
        "notes": teacher.notes,
        **({"parts": [asdict(part) for part in teacher.parts]} if len(teacher.parts) > 1 else {}),
        "layers": [asdict(layer) for layer in teacher.layers],
    }
    if teacher.opaque is None:
        write_bytes(folder / MODEL, _keras_bytes(teacher.model, folder))
    else:
        facts["graph"] = _write_opaque(teacher.opaque, folder)
    write_facts(facts, folder)


def _write_opaque(opaque: OpaqueGenerator, folder: Path) -> dict[str, Any]:
    """Write what draws; what there is to know of it besides."""
    graph, program = opaque.graph, opaque.program
    write_bytes(folder / GRAPH, graph.graph)
    facts: dict[str, Any] = {
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "shape": opaque.shape,
        "batch": graph.batch,
    }
    if program is not None:
        write_bytes(folder / PROGRAM, program.content)
        facts |= {"runtime": program.runtime, "pictures": opaque.pictures}
        facts |= {"output": program.output} if program.output else {}
    if opaque.on_white is not None:
        facts["on_white"] = opaque.on_white
    return facts


def _read_opaque(facts: dict[str, Any], folder: Path) -> OpaqueGenerator:
    """What ``_write_opaque`` wrote and told."""
    program = None
    if "runtime" in facts:
        content = (folder / PROGRAM).read_bytes()
        output = facts.get("output", 0)
        program = ForeignProgram(runtime=facts["runtime"], content=content, output=output)
    ports = tuple(facts["inputs"]), tuple(facts["outputs"])
    low_high = facts.get("on_white")
    return OpaqueGenerator(
        graph=FrozenGraph((folder / GRAPH).read_bytes(), *ports, facts.get("batch")),
        shape=tuple(facts["shape"]),
        program=program,
        pictures=tuple(facts.get("pictures", ())),
        on_white=low_high and tuple(low_high),
    )


def read_saved_teacher(folder: Path) -> Teacher:
    """What ``save_teacher`` wrote; PocketganError where it is missing or damaged."""
    try:
        facts, (classes, input_pixels) = read_facts(folder), read_inputs(folder)
        opaque = _read_opaque(facts["graph"], folder) if "graph" in facts else None
        model = (
            tf_keras.models.load_model(folder / MODEL, compile=False)
            if opaque is None
            else opaque.model()
        )
        low, high = facts["pixels"]
        return Teacher(
            model=model,
            latent=facts["latent"],
            classes=classes,
            pixels=(low, high),
            input_pixels=input_pixels,
            origin=facts["origin"],
            notes=tuple(facts["notes"]),
            parts=read_parts(facts),
            layers=tuple(
                SourceLayer(
                    **{**layer, "became": tuple(layer["became"]), "shape": tuple(layer["shape"])}
                )
                for layer in facts["layers"]
            ),
            opaque=opaque,
        )
    except Exception as error:  # a damaged file makes its reader raise anything
        raise PocketganError(
            f"{folder} holds no teacher that can be read: {one_line(error, 200)}",
            "Load the generator again from where it came.",
        ) from error


def _keras_bytes(model: tf_keras.Model, folder: Path) -> bytes:
    """A .keras file without the date of its writing."""
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
