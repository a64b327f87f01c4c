"""What directions of a teacher's latents do in its student, with a strip of pictures.

    python -m tools.experiments.directions float32.tflite int8.tflite --latent 100 --picture out.png

Both files read the same latents. Directions are found in the first, by its first layer's weights
and by the principal components of its activations; as many random ones stand beside them. A row of
the picture is a walk from −2 to 2: of each of two latents in the first file, then in the other.

Its figures stand in docs/latents.md; a run measures its own where evaluate.directions is set.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.bundle.sheet import tiled
from pipeline.arrays import Images
from pipeline.metrics.directions import (
    DrawRows,
    Rows,
    change,
    of_activations,
    of_weights,
    sameness,
    walk,
)
from pipeline.stages.evaluate import pictures
from pipeline.tflite.first_layer import first_layer
from pipeline.training.randomness import Prior, Purpose, latents
from tools.console import run_as_program
from tools.tables import Table, percent

ACTIVATIONS, MEASURED, SHOWN, STEPS = 2048, 64, 2, 9
HEAD = ("direction", "changes a pixel by", "agreement", "by chance", "strength")


def vectors_of(teacher: Path, prior: Prior, count: int) -> dict[str, Rows]:
    """Name → direction: of both methods, then random ones."""
    layer = first_layer(teacher)
    inputs = latents(1, Purpose.DIRECTIONS, count=ACTIVATIONS, prior=prior)
    normal = np.random.default_rng(1).normal(size=[prior.latent, count])
    rows = {
        "weights": of_weights(layer.weights[:, : prior.latent], count),
        "activations": of_activations(
            inputs, layer.activations(inputs), count, classes=prior.classes
        ),
        "random": np.asarray(np.linalg.qr(normal)[0].T, np.float32),
    }
    return {
        f"{method} {rank}": vector
        for method, vectors in rows.items()
        for rank, vector in enumerate(vectors, start=1)
    }


def measured(draws: list[DrawRows], inputs: Rows, vectors: dict[str, Rows]) -> Table:
    """What each direction does in the first generator, and how alike it does in the second."""
    both = {
        name: [change(draw, lambda images: images, inputs, vector) for draw in draws]
        for name, vector in vectors.items()
    }
    rows = []
    for name, (mine, other) in both.items():
        random = [each[1].pixels for key, each in both.items() if "random" in key and key != name]
        alike = sameness(other.pixels, mine.pixels, random)
        figures = (alike.agreement, alike.chance, alike.strength)
        rows.append((name, percent(mine.effect), *(f"{figure:.2f}" for figure in figures)))
    return Table(HEAD, rows, [f"{len(inputs)} latents, agreement in pixels"])


def strips(draws: list[DrawRows], inputs: Rows, vectors: dict[str, Rows]) -> Images:
    """One picture uint8 [H, W, C]."""
    walks = [
        np.stack([walk(draw, inputs, vector, STEPS) for draw in draws], axis=1)
        for vector in vectors.values()
    ]
    joined = np.stack(walks)
    return tiled(joined.reshape(-1, *joined.shape[4:]), STEPS, gap=1, fill=255)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("student", type=Path)
    parser.add_argument("--latent", type=int, required=True)
    parser.add_argument("--classes", type=int, default=0)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--picture", type=Path, help="write the walks by weights there, as PNG")
    options = parser.parse_args()
    prior = Prior.even(options.latent, options.classes)
    vectors = vectors_of(options.teacher, prior, options.count)
    draws: list[DrawRows] = [partial(pictures, file) for file in (options.teacher, options.student)]
    inputs = latents(1, Purpose.FIXED, count=MEASURED, prior=prior)
    print(measured(draws, inputs, vectors).markdown())
    if options.picture:
        by_weights = {name: vector for name, vector in vectors.items() if "weights" in name}
        walks = strips(draws, inputs[:SHOWN], by_weights)
        Image.fromarray(walks[..., 0] if walks.shape[2] == 1 else walks).save(options.picture)
    return 0


if __name__ == "__main__":
    run_as_program(main)
