"""Where a file comes from, told inside the file itself."""

import hashlib
import json
from typing import Any

from pipeline.networks.pixels import PixelRange
from pipeline.recipe import as_dict
from pipeline.run import StageContext
from pipeline.stages import networks
from pipeline.tflite.metadata import PROVENANCE, write_metadata


def with_provenance(content: bytes, ctx: StageContext, variant: str, pixels: PixelRange) -> bytes:
    """A .tflite that says of itself how it was made and what it reads and draws: JSON, UTF-8.

    Of a student every byte counts: the versions of what made it stand in its run's record only.
    """
    record = ctx.run.record(next(iter(ctx.run.stages)))
    versions = record.versions if record else {}
    if "student" in ctx.run.stages:
        versions = {name: version for name, version in versions.items() if name == "pocketgan"}
    latent, classes = networks.prior(ctx)
    facts: dict[str, Any] = {
        "pocketgan": versions,
        "recipe": ctx.recipe.name,
        "recipe_sha256": _recipe_sha256(ctx),
        "seed": ctx.recipe.seed,
        "variant": variant,
        "latent": latent,
        "classes": classes,
        "prior": "normal",
        "pixels": pixels,
    }
    return write_metadata(content, PROVENANCE, json.dumps(facts, sort_keys=True).encode())


def _recipe_sha256(ctx: StageContext) -> str:
    """Of what the file follows from: the sections of later stages may change without a new file."""
    path = ctx.run.stages
    stages = (*path["convert"].needs, "convert")
    sections = {section for stage in stages for section in path[stage].sections}
    values = as_dict(ctx.recipe).items()
    deciding = {name: value for name, value in values if name in sections}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()
