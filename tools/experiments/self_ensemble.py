"""How much nearer to the truth a teacher draws where several of its views are averaged.

The picture itself, its mirror image, and both moved by a pixel each way: what of it lessons should
be made of (`teacher.self_ensemble` takes the first two).

    python -m tools.experiments.self_ensemble runs/STUDENT

Of a run of `compress` whose teacher learned from pairs. Its figures stand in docs/decisions.md.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.table import Table

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.consoles import console
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.importers.teacher import Teacher
from pipeline.metrics.fidelity import psnr
from pipeline.search.pairs import drawn_pairs
from pipeline.stages.inputs import held_back
from pipeline.stages.teacher import moved_by
from tools.console import run_as_program
from tools.experiments.finished_run import open_run

MOVES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Pixels down and to the right."""


def views(teacher: Teacher, inputs: Images) -> Iterator[tuple[str, Images]]:
    """The name of each view, and the teacher's pictures of it, turned and moved back."""
    for down, right in MOVES:
        moved = moved_by(inputs, down, right)
        name = f"moved by {down}, {right}" if down or right else "as it is"
        yield name, moved_by(drawn_pairs(teacher, moved).pictures, -down, -right)
        mirrored = drawn_pairs(teacher, moved[:, :, ::-1]).pictures[:, :, ::-1]
        yield f"{name}, mirrored", moved_by(mirrored, -down, -right)


def main() -> int:
    """0, always: it only measures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("run", type=Path)
    ctx = open_run(parser.parse_args().run)
    test = held_back(ctx)
    if test is None or test.truth is None:
        raise PocketganError(
            f"{ctx.recipe.name}: nobody knows what its pictures should be.",
            "Name a run of `pocketgan compress` of a run that learned from pairs.",
        )
    table = Table("view", "PSNR to the truth", "mean of all so far")
    total = np.zeros(test.truth.shape)
    for number, (name, pictures) in enumerate(
        views(read_saved_teacher(ctx.inputs["teacher"]), test.inputs), start=1
    ):
        total += pictures
        mean = np.round(total / number).astype(np.uint8)
        table.add_row(name, f"{psnr(pictures, test.truth):.2f}", f"{psnr(mean, test.truth):.2f}")
    console().print(table)
    return 0


if __name__ == "__main__":
    run_as_program(main)
