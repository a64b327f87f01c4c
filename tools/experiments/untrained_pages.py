"""Gallery pages of generators with random weights: as heavy and as fast as trained ones.

    python -m tools.experiments.untrained_pages FOLDER
    python -m tools.experiments.gallery_page FOLDER/*.html --megapixels 12

``latent-64`` draws 64×64 in colour as a `dcgan` does; ``photo-64`` is a student of the emoji's
size that reads 64×64; ``front`` holds ten generators of digits' size and kind, the smallest with an
eighth of the largest's channels, as a search's front does. Figures stand in docs/gallery.md.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tf_keras

from deploy.bundle.schema import Latent, PictureInput
from deploy.web.make import PageContents, PageFile, make
from pipeline.atomic import write_bytes
from pipeline.compression.fold import fold_batch_norm
from pipeline.networks.registry import build_generator
from pipeline.networks.settings import GeneratorSettings, ImageShape, StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.pictures_read import picture_read
from pipeline.search.calibration import with_random_weights
from pipeline.tflite import convert
from tools.console import run_as_program

PIXELS = (-1.0, 1.0)
LATENT = 64
FRONT = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64)
"""Channels of the last hidden map of each generator of the front."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for contents in pages():
        path = folder / f"{contents.title}.html"
        write_bytes(path, make(contents)[1])
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, of {len(contents.files)} files")
    return 0


def pages() -> Iterator[PageContents]:
    yield page("latent-64", latent_files(32, ImageShape(size=64, channels=3)), reference=1)
    photos = np.random.default_rng(1).integers(0, 256, (8, 64, 64, 3), np.uint8)
    yield page("photo-64", photo_files(), reference=1, examples=photos)
    front = [latent_files(width, ImageShape())[0] for width in FRONT]
    yield page("front", front, reference=None)


def page(
    title: str,
    files: list[PageFile],
    *,
    reference: int | None,
    examples: np.ndarray | None = None,
) -> PageContents:
    pictures = np.zeros((0, 1, 1, 1), np.uint8) if examples is None else examples
    return PageContents(
        title=title, pocketgan="0", files=tuple(files), reference=reference, examples=pictures
    )


def latent_files(width: int, image: ImageShape) -> list[PageFile]:
    network = build_generator(GeneratorSettings(width=width, latent=LATENT), image)
    latent = Latent(length=LATENT, classes=0, class_names=())
    rows = np.random.default_rng(0).standard_normal((64, LATENT)).astype(np.float32)
    return both(network, rows, f"width {width}", latent)


def photo_files() -> list[PageFile]:
    shape = TranslatorShape(
        source=(64, 64, 3), image=(64, 64, 3), source_pixels=PIXELS, pixels=PIXELS
    )
    settings = StudentSettings(block="unet_separable", channels=(24, 48, 96, 128))
    network = build_translator_student(settings, shape)
    rows = np.random.default_rng(0).uniform(-1, 1, (16, 64, 64, 3)).astype(np.float32)
    return both(network, rows, "student", None)


def both(
    network: tf_keras.Model, rows: np.ndarray, label: str, reads: Latent | None
) -> list[PageFile]:
    """A generator in int8 and in float32."""
    network = fold_batch_norm(with_random_weights(network))
    files = []
    for variant, content in (
        ("int8", convert.to_int8_post_training(network, rows)),
        ("float32", convert.to_float32(network)),
    ):
        picture: Latent | PictureInput = reads or picture_read(content, PIXELS)
        files.append(
            PageFile(
                content=content,
                label=f"{label} {variant}",
                variant=variant,
                reads=picture,
                pixels=PIXELS,
            )
        )
    return files


if __name__ == "__main__":
    run_as_program(main)
