"""Putting a bundle together, in memory: the file draws, and what it drew goes beside it."""

import platform
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.bundle import files, schema, sheet
from deploy.bundle.card import Story, card
from deploy.bundle.code import code
from deploy.bundle.numbers import to_pixels, wire
from deploy.bundle.prior import SEEDING, latents
from deploy.bundle.runtime import Drawn, draw
from deploy.errors import PocketganError
from deploy.jobs import Measurement, weigh

GOLDEN = 8
_CPUS = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Order:
    """One variant of one run, and what is known of it that the file itself cannot tell."""

    content: bytes
    """The .tflite."""
    name: str
    variant: str
    latent: schema.Latent
    pixels: tuple[float, float]
    """What the file draws for black and for white."""
    quality: schema.Quality
    measurements: tuple[Measurement, ...]
    made: schema.Made
    data: schema.Data
    story: Story


def make(order: Order, key: Ed25519PrivateKey | None = None) -> dict[str, bytes]:
    """All files of the bundle, signed where there is a key; the same order gives the same bytes.

    Raises PocketganError where the file does not run, or is no generator that takes such latents.
    """
    golden = list(range(GOLDEN))
    seeds, labels = _of_sheet(order.latent)
    asked = latents(
        order.latent, [*golden, *seeds], [*_in_turn(golden, order.latent.classes), *labels]
    )
    drawn = draw(order.content, asked)
    plain = draw(order.content, drawn.inputs[:GOLDEN], plain=True)
    model = _describe(order, drawn)
    pictures = to_pixels(drawn.outputs[GOLDEN:], model.output, model.pixels)
    contents = {
        files.GENERATOR: order.content,
        files.MODEL: schema.dumps(model),
        files.CARD: card(model, order.story),
        files.SHEET: sheet.contact_sheet(
            pictures, order.latent.class_names[: sheet.rows(order.latent.classes)]
        ),
        files.LATENTS: wire(asked[:GOLDEN]),
        files.INPUTS: wire(drawn.inputs[:GOLDEN]),
        files.OUTPUTS: wire(drawn.outputs[:GOLDEN]),
        files.PLAIN: wire(plain.outputs),
        **code(model),
    }
    contents[files.SUMS] = files.checksums(contents)
    if key is not None:
        contents[files.SIGNATURE] = key.sign(contents[files.SUMS])
    return contents


def _in_turn(seeds: list[int], classes: int) -> list[int]:
    return [seed % max(1, classes) for seed in seeds]


def _of_sheet(latent: schema.Latent) -> tuple[list[int], list[int]]:
    """Seeds and classes of the sheet: a row a class, each column one latent."""
    down, across = sheet.rows(latent.classes), sheet.COLUMNS
    if not latent.classes:
        return list(range(down * across)), [0] * (down * across)
    return list(range(across)) * down, np.repeat(np.arange(down), across).tolist()


def _describe(order: Order, drawn: Drawn) -> schema.Model:
    channels = drawn.output.shape[-1]
    if channels not in (1, 3):
        raise PocketganError(f"the file draws {channels} channels; a bundle holds grey or colour.")
    low, high = order.pixels
    return schema.Model(
        name=order.name,
        variant=order.variant,
        file=schema.File.model_validate(weigh(order.content)),
        input=drawn.input,
        output=drawn.output,
        latent=order.latent,
        pixels=schema.Pixels(low=low, high=high, channels="grey" if channels == 1 else "rgb"),
        seeding=SEEDING,
        golden=schema.Golden(
            count=GOLDEN,
            runtime=drawn.runtime,
            cpu=_CPUS.get(platform.machine(), platform.machine() or "unknown"),
        ),
        quality=order.quality,
        measurements=order.measurements,
        made=order.made,
        data=order.data,
    )
