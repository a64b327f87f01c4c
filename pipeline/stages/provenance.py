"""Where a file comes from, told inside the file itself."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from pipeline.networks.pixels import PixelRange
from pipeline.stage import StageContext
from pipeline.stages.inputs import input_parts, input_pixels, prior
from pipeline.tflite.rewrite import PROVENANCE, read_metadata, write_metadata


def with_provenance(content: bytes, ctx: StageContext, variant: str, pixels: PixelRange) -> bytes:
    """A .tflite that says of itself how it was made and what it reads and draws: JSON, UTF-8."""
    if "teacher" in ctx.stage.needs:
        # Of a student every byte counts: the other versions stand in its run's record only.
        versions = {"pocketgan": ctx.records["teacher"].versions["pocketgan"]}
    else:
        versions = ctx.records["train"].versions
    settings = json.dumps(ctx.lineage_settings(), sort_keys=True)
    facts = {
        "pocketgan": versions,
        "recipe": ctx.recipe.name,
        # Of what the file follows from: sections of later stages may change without a new file.
        "recipe_sha256": hashlib.sha256(settings.encode()).hexdigest(),
        "seed": ctx.recipe.seed,
        "variant": variant,
        **_reads(ctx),
        "pixels": pixels,
    }
    return write_metadata(content, PROVENANCE, json.dumps(facts, sort_keys=True).encode())


def read_pixel_range(content: bytes) -> PixelRange:
    """Black and white in what a file draws, as its provenance says."""
    low, high = json.loads(read_metadata(content, PROVENANCE) or b"{}")["pixels"]
    return low, high


def _reads(ctx: StageContext) -> dict[str, Any]:
    """What the generator reads: latents of a prior, or pictures with their black and white.

    Of pictures with more behind them, such as a mask, what the channels are.
    """
    pixels = input_pixels(ctx)
    if pixels is not None:
        parts = input_parts(ctx)
        return {"input_pixels": pixels} | ({"inputs": list(map(asdict, parts))} if parts else {})
    drawn_from = prior(ctx)
    return {"latent": drawn_from.latent, "classes": drawn_from.classes, "prior": "normal"}
