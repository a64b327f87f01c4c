"""Putting a bundle together, in memory: the file draws, and what it drew goes beside it."""

import platform
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.bundle import files, schema, sheet
from deploy.bundle.drawing import SEEDING, GeneratorRun, draw, latents, to_pixels, wire
from deploy.bundle.texts import CardFacts, render_card, render_code
from deploy.errors import PocketganError
from deploy.jobs import Measurement, weigh

GOLDEN = 8
_CPUS = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class BundleContents:
    """One variant of one run, and what is known of it that the file itself cannot tell."""

    content: bytes
    """The .tflite."""
    name: str
    variant: str
    latent: schema.Latent
    pixels: tuple[float, float]
    """What the file draws for black and for white."""
    quality: schema.BundleQuality
    measurements: tuple[Measurement, ...]
    origin: schema.Origin
    data: schema.Data
    card: CardFacts


def make(contents: BundleContents, key: Ed25519PrivateKey | None = None) -> dict[str, bytes]:
    """All files of the bundle, signed where there is a key; equal contents give equal bytes.

    Raises PocketganError where the file does not run, or is no generator that takes such latents.
    """
    classes = contents.latent.classes
    tiles = range(sheet.rows(classes) * sheet.COLUMNS)  # a row a class, each column one latent
    seeds = [*range(GOLDEN), *(tile % sheet.COLUMNS if classes else tile for tile in tiles)]
    labels = [seed % max(1, classes) for seed in range(GOLDEN)]
    labels += [tile // sheet.COLUMNS for tile in tiles]
    inputs = latents(contents.latent, seeds, labels)
    run = draw(contents.content, inputs)
    plain = draw(contents.content, run.inputs[:GOLDEN], plain=True)
    model = _describe(contents, run)
    pictures = to_pixels(run.outputs[GOLDEN:], model.output, model.pixels)
    bundle = {
        files.GENERATOR: contents.content,
        files.MODEL: schema.dumps(model),
        files.CARD: render_card(model, contents.card),
        files.SHEET: sheet.contact_sheet(
            pictures, contents.latent.class_names[: sheet.rows(classes)]
        ),
        files.LATENTS: wire(inputs[:GOLDEN]),
        files.INPUTS: wire(run.inputs[:GOLDEN]),
        files.OUTPUTS: wire(run.outputs[:GOLDEN]),
        files.PLAIN: wire(plain.outputs),
        **render_code(model),
    }
    bundle[files.SUMS] = files.checksums(bundle)
    if key is not None:
        bundle[files.SIGNATURE] = key.sign(bundle[files.SUMS])
    return bundle


def _describe(contents: BundleContents, run: GeneratorRun) -> schema.Model:
    channels = run.output.shape[-1]
    if channels not in (1, 3):
        raise PocketganError(f"the file draws {channels} channels; a bundle holds grey or colour.")
    low, high = contents.pixels
    return schema.Model(
        name=contents.name,
        variant=contents.variant,
        file=schema.GeneratorFile.model_validate(weigh(contents.content)),
        input=run.input,
        output=run.output,
        latent=contents.latent,
        pixels=schema.Pixels(low=low, high=high, channels="grey" if channels == 1 else "rgb"),
        seeding=SEEDING,
        golden=schema.Golden(
            count=GOLDEN,
            runtime=run.runtime,
            cpu=_CPUS.get(platform.machine(), platform.machine() or "unknown"),
        ),
        quality=contents.quality,
        measurements=contents.measurements,
        made=contents.origin,
        data=contents.data,
    )
