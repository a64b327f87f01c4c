"""Where a file comes from, told inside the file itself."""

import hashlib
import json
from collections.abc import Mapping

from pipeline.networks.pixels import PixelRange
from pipeline.stage import StageContext
from pipeline.stages.inputs import prior
from pipeline.tflite.rewrite import PROVENANCE, read_metadata, write_metadata


def with_provenance(content: bytes, ctx: StageContext, variant: str, pixels: PixelRange) -> bytes:
    """A .tflite that says of itself how it was made and what it reads and draws: JSON, UTF-8."""
    versions = ctx.records["train"].versions
    return _with_facts(content, ctx, variant=variant, pixels=pixels, versions=versions)


def with_student_provenance(
    content: bytes, ctx: StageContext, variant: str, pixels: PixelRange
) -> bytes:
    """The same in the plan from a teacher, in as few bytes as it can.

    Of a student every byte counts: the versions of what made it stand in its run's record only.
    """
    versions = {"pocketgan": ctx.records["teacher"].versions["pocketgan"]}
    return _with_facts(content, ctx, variant=variant, pixels=pixels, versions=versions)


def read_pixel_range(content: bytes) -> PixelRange:
    """Black and white in what a file draws, as its provenance says."""
    low, high = json.loads(read_metadata(content, PROVENANCE) or b"{}")["pixels"]
    return low, high


def _with_facts(
    content: bytes,
    ctx: StageContext,
    *,
    variant: str,
    pixels: PixelRange,
    versions: Mapping[str, str],
) -> bytes:
    latent, classes = prior(ctx)
    settings = json.dumps(ctx.lineage_settings(), sort_keys=True)
    facts = {
        "pocketgan": versions,
        "recipe": ctx.recipe.name,
        # Of what the file follows from: sections of later stages may change without a new file.
        "recipe_sha256": hashlib.sha256(settings.encode()).hexdigest(),
        "seed": ctx.recipe.seed,
        "variant": variant,
        "latent": latent,
        "classes": classes,
        "prior": "normal",
        "pixels": pixels,
    }
    return write_metadata(content, PROVENANCE, json.dumps(facts, sort_keys=True).encode())
