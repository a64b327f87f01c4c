"""What a saved teacher's model does not say of itself, read without TensorFlow."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.atomic import write_text
from pipeline.importers.input_roles import InputKind, InputPart
from pipeline.networks.pixels import PixelRange

FACTS = "teacher.json"
"""Beside the model."""
SCHEMA = 1


class TeacherInputs(NamedTuple):
    """What the numbers mean that a teacher reads."""

    classes: int
    """So many last entries of its latents are a one-hot class."""
    input_pixels: PixelRange | None
    """Black and white in the pictures that it reads; None where it reads latents."""


def write_facts(facts: dict[str, Any], folder: Path) -> None:
    """Write the facts, plain values by name, whole or not at all."""
    write_text(folder / FACTS, json.dumps({"schema": SCHEMA, **facts}, indent=1) + "\n")


def read_facts(folder: Path) -> dict[str, Any]:
    """What ``write_facts`` wrote. Raises OSError or ValueError where it is missing or damaged."""
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return facts


def read_inputs(folder: Path) -> TeacherInputs:
    """What the teacher in ``folder`` reads. Raises what ``read_facts`` does, and KeyError."""
    facts = read_facts(folder)
    pixels = facts["input_pixels"]
    return TeacherInputs(int(facts["classes"]), None if pixels is None else (pixels[0], pixels[1]))


def read_parts(facts: dict[str, Any]) -> tuple[InputPart, ...]:
    """What the entries or channels of its one input are; empty where all are of one kind."""
    return tuple(
        InputPart(name=part["name"], kind=InputKind(part["kind"]), size=part["size"])
        for part in facts.get("parts", ())
    )
