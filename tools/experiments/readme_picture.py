"""Draw the pictures of the documents out of finished runs.

    python -m tools.experiments.readme_picture docs/images/digits.png runs/digits
    python -m tools.experiments.readme_picture docs/images/emoji.png runs/emoji-3d-64 runs/small

Of latents: the float32 file in the upper rows, the shipped int8 file in the lower ones. Of a
generator that reads pictures a row each: what is read, float32, each run's int8 file, the truth.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.arrays import Images
from pipeline.metrics.trivial import trivial_baseline

COLUMNS, ROWS, SCALE, GAP = 16, 2, 2, 6


def main() -> None:
    """Read the samples of the evaluate stages and write one PNG."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("runs", type=Path, nargs="+", help="finished runs, such as runs/digits")
    options = parser.parse_args()
    runs = [dict(np.load(next(run.glob("*-evaluate/samples.npz")))) for run in options.runs]
    pixels, scale = (translated(runs), 1) if "input" in runs[0] else (generated(runs[0]), SCALE)
    image = Image.fromarray(pixels)
    size = (image.width * scale, image.height * scale)
    image.resize(size, Image.Resampling.NEAREST).save(options.picture, optimize=True)


def generated(samples: dict[str, Images]) -> Images:
    """ROWS rows of float32 above as many of int8, grey uint8 [H, W] or coloured [H, W, 3]."""
    dense, shipped = grid(samples["float32"], ROWS), grid(samples["int8"], ROWS)
    gap = np.full([GAP, *dense.shape[1:]], 128, np.uint8)
    return np.concatenate([dense, gap, shipped]).squeeze()


def translated(runs: Sequence[dict[str, Images]]) -> Images:
    """A row each of what is read, float32, each run's int8 file, and the truth: uint8 [H, W, 3]."""
    first = runs[0]
    inputs, shape = first["input"], first["float32"].shape[1:]
    read = trivial_baseline(inputs, shape, visible=inputs.shape[-1]).pictures
    shipped = (samples["int8"] for samples in runs)
    truth = [first["real"]] if "real" in first else []
    return np.concatenate([grid(row, 1) for row in (read, first["float32"], *shipped, *truth)])


def grid(pictures: Images, rows: int) -> Images:
    """uint8 [N, H, W, C] → uint8 [rows·H, COLUMNS·W, C]."""
    starts = range(0, rows * COLUMNS, COLUMNS)
    return np.concatenate(
        [np.concatenate([*pictures[start : start + COLUMNS]], axis=1) for start in starts]
    )


if __name__ == "__main__":
    main()
