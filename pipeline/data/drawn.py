"""Pictures that a teacher drew: the data of those who have nothing but a generator."""

from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.atomic import replaced
from pipeline.data.dataset import Dataset, Labels
from pipeline.training.distillation_set import DistillationSet

LESSONS, REFERENCE, HELD = "lessons.npz", "reference.npz", "held.npz"
"""What a student learns from; what it is judged by where there are no other pictures; and, of a
generator that reads pictures, those that neither has seen."""


def write(lessons: DistillationSet, path: Path) -> None:
    """One .npz file, whole or not at all; equal lessons give equal bytes."""
    with replaced(path) as aside, aside.open("wb") as file:
        np.savez(
            file,
            inputs=lessons.inputs,
            pictures=lessons.pictures,
            classes=np.array(lessons.classes),
        )


def read_lessons(path: Path) -> DistillationSet:
    """What ``write`` wrote. Raises PocketganError where the file is missing or damaged."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return DistillationSet(stored["inputs"], stored["pictures"], int(stored["classes"]))
    except Exception as error:  # damage can surface as nearly any error of the archive reader
        raise PocketganError(
            f"{path} holds no lessons that can be read: {error}.",
            "Make the stage teacher again: delete its folder and give the same command.",
        ) from error


def read(folder: Path) -> Dataset:
    """The pictures of a teacher's folder: the lessons to train on, the reference to judge by."""
    lessons, reference = (read_lessons(folder / name) for name in (LESSONS, REFERENCE))
    return Dataset(
        "the teacher's pictures",
        lessons.pictures,
        reference.pictures,
        _labels(lessons),
        _labels(reference),
        tuple(str(number) for number in range(lessons.classes)),
    )


def _labels(lessons: DistillationSet) -> Labels | None:
    if not lessons.classes:
        return None
    labels: Labels = lessons.inputs[:, -lessons.classes :].argmax(axis=1).astype(np.int64)
    return labels
