"""Putting a bundle together, in memory: the file draws, and what it drew goes beside it."""

import platform
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.bundle import files, schema, sheet
from deploy.bundle.drawing import (
    SEEDING,
    GeneratorRun,
    draw,
    latents,
    stored_pictures,
    to_pixels,
    wire,
)
from deploy.bundle.files import Contents
from deploy.bundle.texts import CardFacts, render_card, render_code
from deploy.errors import PocketganError
from deploy.jobs import Measurement, weigh

GOLDEN = 8
MOST_GOLDEN_BYTES = 4 << 20
"""Of golden outputs: of large pictures there are fewer."""
EXAMPLES = 4 * sheet.COLUMNS
"""Pictures that a contact sheet shows, at most."""
_CPUS = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class BundleContents:
    """One variant of one run, and what is known of it that the file itself cannot tell."""

    content: bytes
    """The .tflite."""
    name: str
    variant: str
    reads: schema.Latent | schema.PictureInput
    examples: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8))
    """Of a generator that reads pictures, such ones: uint8 [N, h, w, c]."""
    pixels: tuple[float, float]
    """What the file draws for black and for white."""
    quality: schema.BundleQuality
    measurements: tuple[Measurement, ...]
    origin: schema.Origin
    data: schema.Data
    card: CardFacts
    gallery: bytes | None = None
    """A page that draws with this file, where the bundle is to hold it."""


def make(contents: BundleContents, key: Ed25519PrivateKey | None = None) -> dict[str, bytes]:
    """All files of the bundle, signed where there is a key; equal contents give equal bytes.

    Raises PocketganError where the file does not run, or is no generator that takes such inputs.
    """
    if isinstance(contents.reads, schema.Latent):
        proof = _of_latents(contents, contents.reads)
    else:
        proof = _of_pictures(contents, contents.reads)
    plain = draw(contents.content, proof.run.inputs[: proof.inputs], plain=True)
    model = _describe(contents, proof)
    bundle = {
        files.GENERATOR: contents.content,
        files.MODEL: schema.dumps(model),
        files.CARD: render_card(model, contents.card),
        files.SHEET: proof.sheet,
        **proof.golden,
        files.INPUTS: wire(proof.run.inputs[: proof.inputs]),
        files.OUTPUTS: wire(proof.run.outputs[: proof.inputs]),
        files.PLAIN: wire(plain.outputs),
        **render_code(model),
    }
    if contents.gallery is not None:
        bundle[files.GALLERY] = contents.gallery
    bundle[files.SUMS] = files.checksums(bundle)
    if key is not None:
        bundle[files.SIGNATURE] = key.sign(bundle[files.SUMS])
    return bundle


@dataclass(frozen=True)
class _Proof:
    """What the file drew, and what of it goes into the bundle."""

    run: GeneratorRun
    inputs: int
    """How many golden inputs there are: the first ones of the run."""
    golden: Contents
    """They themselves, as files."""
    sheet: bytes


def _of_latents(contents: BundleContents, latent: schema.Latent) -> _Proof:
    classes = latent.classes
    tiles = range(sheet.rows(classes) * sheet.COLUMNS)  # a row a class, each column one latent
    seeds = [*range(GOLDEN), *(tile % sheet.COLUMNS if classes else tile for tile in tiles)]
    labels = [seed % max(1, classes) for seed in range(GOLDEN)]
    labels += [tile // sheet.COLUMNS for tile in tiles]
    inputs = latents(latent, seeds, labels)
    run = draw(contents.content, inputs)
    pictures = to_pixels(run.outputs[GOLDEN:], run.output, _pixels(contents, run))
    return _Proof(
        run=run,
        inputs=GOLDEN,
        golden={files.LATENTS: wire(inputs[:GOLDEN])},
        sheet=sheet.contact_sheet(pictures, latent.class_names[: sheet.rows(classes)]),
    )


def _of_pictures(contents: BundleContents, picture: schema.PictureInput) -> _Proof:
    examples = contents.examples[:EXAMPLES]
    nothing = draw(contents.content, examples[:0].astype(np.float32))
    if not len(examples) or examples.shape[1:] != nothing.input.shape[1:]:
        raise PocketganError(
            f"the file reads {list(nothing.input.shape[1:])}, and the pictures for it are "
            f"{list(examples.shape)}."
        )
    run = draw(contents.content, stored_pictures(examples, picture, nothing.input))
    count = min(max(1, MOST_GOLDEN_BYTES // run.outputs[0].nbytes), GOLDEN, len(examples))
    colours = picture.colours
    golden = {files.PICTURES: sheet.stacked(examples[:count, ..., :colours])}
    if picture.mask:
        golden[files.MASKS] = sheet.stacked(examples[:count, ..., colours:])
    pictures = to_pixels(run.outputs, run.output, _pixels(contents, run))
    pairs = sheet.before_and_after(examples[..., :colours], pictures)
    return _Proof(run=run, inputs=count, golden=golden, sheet=sheet.contact_sheet(pairs))


def _pixels(contents: BundleContents, run: GeneratorRun) -> schema.Pixels:
    channels = run.output.shape[-1]
    if channels not in (1, 3):
        raise PocketganError(f"the file draws {channels} channels; a bundle holds grey or colour.")
    low, high = contents.pixels
    return schema.Pixels(low=low, high=high, channels="grey" if channels == 1 else "rgb")


def _describe(contents: BundleContents, proof: _Proof) -> schema.Model:
    run, reads = proof.run, contents.reads
    golden = {name.split("/")[1].split(".")[0]: name for name in proof.golden}
    is_latent = isinstance(reads, schema.Latent)
    return schema.Model(
        name=contents.name,
        variant=contents.variant,
        file=schema.GeneratorFile.model_validate(weigh(contents.content)),
        input=run.input,
        output=run.output,
        latent=reads if isinstance(reads, schema.Latent) else None,
        picture=reads if isinstance(reads, schema.PictureInput) else None,
        pixels=_pixels(contents, run),
        seeding=SEEDING if is_latent else None,
        golden=schema.Golden.model_validate(
            {
                "count": proof.inputs,
                **golden,
                "runtime": run.runtime,
                "cpu": _CPUS.get(platform.machine(), platform.machine() or "unknown"),
            }
        ),
        gallery=None if contents.gallery is None else "gallery.html",
        quality=contents.quality,
        measurements=contents.measurements,
        made=contents.origin,
        data=contents.data,
    )
