"""What several files draw of the same inputs, side by side where that pays."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from pipeline import progress
from pipeline.networks.pixels import PixelRange, to_uint8
from pipeline.stage import StageContext
from pipeline.stages.provenance import read_pixel_range
from pipeline.tflite.runtime import draw
from pipeline.workers import Piece, Workers, most_workers

WORTHWHILE = 5000 * 64 * 64
"""Pixels of a file's pictures, at least: fewer are there before a worker is."""


def draw_side_by_side(
    ctx: StageContext, files: Mapping[str, Path], inputs: np.ndarray
) -> dict[str, Path]:
    """File by name → the .npy of its pictures, uint8 [N, H, W, C]; none where that does not pay.

    A file draws on one thread, so that its pictures are the same here and there.
    """
    height, width = ctx.recipe.data.shape[:2]
    count = most_workers() if ctx.workers is None else ctx.workers
    if min(count, len(files)) < 2 or len(inputs) * height * width < WORTHWHILE:
        return {}
    source = ctx.scratch / "inputs.npy"
    np.save(source, inputs)
    targets = {name: ctx.scratch / f"{name}.npy" for name in files}
    pieces = [
        Piece(
            f"{file}: drawing",
            partial(
                _draw_into,
                file=file,
                pixels=read_pixel_range(file.read_bytes()),
                target=targets[name],
            ),
        )
        for name, file in files.items()
    ]
    with (
        Workers(count, threads=1, shared=partial(np.load, source, mmap_mode="r")) as workers,
        progress.bar() as bar,
    ):
        task = bar.add_task(f"{len(files)} files draw", total=len(files))
        for _ in workers.results(pieces, lambda done: bar.update(task, completed=done)):
            pass
    return targets


def _draw_into(inputs: np.ndarray, *, file: Path, pixels: PixelRange, target: Path) -> None:
    np.save(target, to_uint8(draw(file, inputs, f"{file.stem} draws"), pixels))
