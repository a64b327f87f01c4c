"""Draw the picture at the top of the README out of a finished run.

    python -m tools.experiments.readme_picture runs/digits docs/images/digits.png

Upper rows: the float32 file. Lower rows: the shipped int8 file, on the same latents.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS, ROWS, SCALE, GAP = 16, 2, 2, 6


def main() -> None:
    """Read the samples of the evaluate stage and write one PNG."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/digits")
    parser.add_argument("picture", type=Path, help="PNG to write")
    options = parser.parse_args()
    with np.load(next(options.run.glob("*-evaluate/samples.npz"))) as samples:
        dense, shipped = rows(samples["float32"]), rows(samples["int8"])
    gap = np.full([GAP, *dense.shape[1:]], 128, np.uint8)
    pixels = np.concatenate([dense, gap, shipped]).squeeze()
    image = Image.fromarray(pixels)
    size = (image.width * SCALE, image.height * SCALE)
    image.resize(size, Image.Resampling.NEAREST).save(options.picture, optimize=True)


def rows(pictures: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, C] → uint8 [ROWS·H, COLUMNS·W, C]."""
    return np.concatenate(
        [
            np.concatenate([*pictures[start : start + COLUMNS]], axis=1)
            for start in range(0, ROWS * COLUMNS, COLUMNS)
        ]
    )


if __name__ == "__main__":
    main()
