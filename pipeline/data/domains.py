"""Two folders of pictures that no pairs connect, such as photos and paintings."""

from dataclasses import replace
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.data import folder
from pipeline.data.dataset import Dataset
from pipeline.data.reading import Request


def load(request: Request) -> Dataset:
    """Pictures of the request's ``folder`` to draw like, and those of ``inputs`` to read.

    Both are read, cut, divided and noted as the source 'folder' does it. They differ in number,
    and none belongs to another: the data set is not aligned.
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
    return replace(
        targets,
        train_labels=None,
        test_labels=None,
        classes=(),
        train_inputs=inputs.train,
        test_inputs=inputs.test,
        aligned=False,
        notes=tuple(notes),
    )


def _refuse_nested(targets: Path, inputs: Path) -> None:
    """PocketganError where the pictures of one domain would be part of the other."""
    for inner, outer in ((targets, inputs), (inputs, targets)):
        if outer in inner.parents:
            raise PocketganError(
                f"{inner} lies in {outer}: its pictures would be of both domains.",
                "Move one of the folders out of the other.",
            )
