"""Where a file comes from, told inside the file itself."""

import hashlib
import json
from typing import Any

from pipeline.lite.metadata import PROVENANCE, write_metadata
from pipeline.networks.pixels import PixelRange
from pipeline.recipe_file import as_dict
from pipeline.run import Workbench
from pipeline.stages import networks


def with_provenance(content: bytes, bench: Workbench, variant: str, pixels: PixelRange) -> bytes:
    """A .tflite that says of itself how it was made and what it reads and draws: JSON, UTF-8.

    Of a student every byte counts: the versions of what made it stand in its run's record only.
    """
    record = bench.run.record(next(iter(bench.run.stages)))
    versions = record.versions if record else {}
    if "student" in bench.run.stages:
        versions = {name: version for name, version in versions.items() if name == "pocketgan"}
    latent, classes = networks.prior(bench)
    facts: dict[str, Any] = {
        "pocketgan": versions,
        "recipe": bench.recipe.name,
        "recipe_sha256": _recipe_sha256(bench),
        "seed": bench.recipe.seed,
        "variant": variant,
        "latent": latent,
        "classes": classes,
        "prior": "normal",
        "pixels": pixels,
    }
    return write_metadata(content, PROVENANCE, json.dumps(facts, sort_keys=True).encode())


def _recipe_sha256(bench: Workbench) -> str:
    """Of what the file follows from: the sections of later stages may change without a new file."""
    path = bench.run.stages
    stages = (*path["convert"].needs, "convert")
    sections = {section for stage in stages for section in path[stage].sections}
    values = as_dict(bench.recipe).items()
    deciding = {name: value for name, value in values if name in sections}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()
