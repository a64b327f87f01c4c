"""Two folders of pictures that no pairs connect, such as photos and paintings."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.data import folder
from pipeline.data.dataset import Dataset
from pipeline.data.reading import Request


def load(request: Request) -> Dataset:
    """Pictures of the request's ``folder`` to draw like, and those of ``inputs`` to read.

    Both are read, cut, divided and noted as the source 'folder' does it. They differ in number,
    and none belongs to another: the data set is not aligned. Copies of a test picture of the other
    folder are left out of the training.
    Raises PocketganError where a folder is not named, where one is the other or lies in it, and
    for what the source 'folder' refuses.
    """
    if request.folder is None or request.inputs is None:
        raise PocketganError(
            "The data source 'domains' needs two folders.",
            "Name in data.folder the pictures to draw like, and in data.inputs those to read.",
        )
    if request.folder.resolve() == request.inputs.resolve():
        raise PocketganError(
            f"{request.folder} is named as the folder of both domains.", "Name two folders."
        )
    _refuse_nested(request.folder.resolve(), request.inputs.resolve())
    targets = folder.load(request)
    inputs = folder.load(replace(request, folder=request.inputs))
    notes = [
        f"{part}: {note}"
        for part, data in (("data.folder", targets), ("data.inputs", inputs))
        for note in data.notes
        if not note.startswith(folder.NO_CLASSES)  # nobody asked for any
    ]
    pictures = _without(targets.train, inputs.test)
    pictures_to_read = _without(inputs.train, targets.test)
    copies = len(targets.train) - len(pictures), len(inputs.train) - len(pictures_to_read)
    notes += [
        f"{part}: {count} copies of test pictures of the other folder are left out"
        for part, count in zip(("data.folder", "data.inputs"), copies, strict=True)
        if count
    ]
    return replace(
        targets,
        train=pictures,
        train_labels=None,
        test_labels=None,
        classes=(),
        train_inputs=pictures_to_read,
        test_inputs=inputs.test,
        aligned=False,
        notes=tuple(notes),
    )


def _without(pictures: Images, others: Images) -> Images:
    """The pictures [N, H, W, C] that equal none of the others."""
    contents = {picture.tobytes() for picture in others}
    is_other = [picture.tobytes() not in contents for picture in pictures]
    different: Images = pictures[np.array(is_other, bool)]
    return different


def _refuse_nested(targets: Path, inputs: Path) -> None:
    """PocketganError where the pictures of one domain would be part of the other."""
    for inner, outer in ((targets, inputs), (inputs, targets)):
        if outer in inner.parents:
            raise PocketganError(
                f"{inner} lies in {outer}: its pictures would be of both domains.",
                "Move one of the folders out of the other.",
            )
