"""What a teacher reads, with the pictures that it draws of it."""

from dataclasses import replace
from functools import partial

import numpy as np

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.importers.teacher import Teacher
from pipeline.networks.pixels import to_uint8
from pipeline.training.distillation_set import DistillationSet
from pipeline.workers import Piece, Workers

BATCH = 64
PIECE = 4 * BATCH
"""Inputs that a worker draws at once."""


def drawn_pairs(teacher: Teacher, inputs: np.ndarray, description: str = "") -> DistillationSet:
    """The inputs, latents float32 or pictures uint8 [N, …], with the teacher's pictures.

    Raises PocketganError where these are no numbers. ``description`` is for a bar of progress.
    """
    pairs = DistillationSet(inputs, inputs, teacher.classes, teacher.input_pixels)
    starts = range(0, len(inputs), BATCH)
    pictures = []
    for start in progress.track(starts, description) if description else starts:
        batch = teacher.model(pairs.readable(slice(start, start + BATCH)), training=False).numpy()
        if not np.isfinite(batch).all():
            raise PocketganError(
                f"{teacher.origin}: it draws values that are NaN or infinite.",
                "Give an earlier checkpoint, from before its training broke down.",
            )
        pictures.append(to_uint8(batch, teacher.pixels))
    return replace(pairs, pictures=np.concatenate(pictures))


def drawn_side_by_side(
    workers: Workers[Teacher], teacher: Teacher, inputs: np.ndarray, description: str
) -> DistillationSet:
    """As ``drawn_pairs``; the workers share the teacher."""
    pieces = [
        Piece(
            f"{teacher.origin}: drawing", partial(_pictures, inputs=inputs[start : start + PIECE])
        )
        for start in range(0, len(inputs), PIECE)
    ]
    with progress.bar() as bar:
        task = bar.add_task(description, total=len(inputs))
        pictures = dict(
            workers.results(pieces, lambda done: bar.update(task, completed=done * PIECE))
        )
    whole = np.concatenate([pictures[number] for number in range(len(pieces))])
    return DistillationSet(inputs, whole, teacher.classes, teacher.input_pixels)


def ensembled(pairs: DistillationSet, mirrored: DistillationSet) -> DistillationSet:
    """The pairs with the mean of their pictures and of those of the mirrored inputs, turned back.

    Source: Lim 2017, section 3.4 (geometric self-ensemble), with two of its eight symmetries.
    """
    turned_back = mirrored.pictures[:, :, ::-1]
    half = pairs.pictures // 2 + turned_back // 2  # uint8 holds no sum
    rounded_up = (pairs.pictures % 2) | (turned_back % 2)
    return replace(pairs, pictures=half + rounded_up)


def _pictures(teacher: Teacher, *, inputs: np.ndarray) -> np.ndarray:
    return drawn_pairs(teacher, inputs).pictures


def refuse_alike(teacher: Teacher, pairs: DistillationSet) -> None:
    """PocketganError where all pictures are the same."""
    if (pairs.pictures == pairs.pictures[0]).all():
        raise PocketganError(
            f"{teacher.origin}: its {len(pairs)} pictures are all the same.",
            "A generator that has collapsed has nothing to teach: was it saved before it was "
            "trained? If it reads pictures, are those all the same, or --pixels and --input-pixels "
            "another range than its own?",
        )
