"""A user's own images: a folder of files of any size and format that Pillow reads."""

import shlex
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Labels
from pipeline.data.dataset import Dataset, divide
from pipeline.data.listing import find, is_hidden, listed, name, text, unread
from pipeline.data.picture import TOO_SMALL
from pipeline.data.reading import COPIED, Decoded, Request, read, single

NO_CLASSES = "no classes"
"""How a note begins that says why sub-folders are no classes."""


def load(request: Request) -> Dataset:
    """Every image below the request's folder as [N, image_size, image_size, channels], uint8.

    Images are turned upright and either cut to the square in their middle and resized, or cut into
    tiles, all of a photo's on one side of the division into train and test; copies of a test
    picture are left out. Broken ones are skipped and listed in the notes. Names of sub-folders
    become classes when every usable image lies directly in one and there are at least two. The
    decoded images are kept in the request's cache until a file, its size or its time changes.
    Raises PocketganError where the folder is missing or holds fewer than two usable images, and
    where a file cannot be read from the disk or the cache cannot be written.
    """
    folder = request.folder
    if folder is None:
        raise PocketganError(
            "The data source 'folder' was given no folder.", "Name the folder of your images."
        )
    files = find(folder)
    decoded = read([(path,) for path in files], single, request)
    usable = [path for path, count in zip(files, decoded.counts, strict=True) if count]
    notes = (*_notes(folder, files, decoded), *unread(folder), *_loose(folder, usable))
    if not usable:
        raise PocketganError(
            f"{folder}: none of its {len(files)} images can be read; {notes[1]}.",
            "Lower data.image_size, or let data.cut be whole."
            if TOO_SMALL in notes[1]
            else "Open one in an image viewer; save it as PNG or JPEG.",
        )
    originals = decoded.originals[decoded.counts > 0]
    if len(np.unique(originals)) == 1:
        same = "" if len(usable) == 1 else f", {len(usable)} times"
        raise PocketganError(
            f"{folder} holds a single usable image ({name(usable[0], folder)}{same}).",
            "Add images: a GAN needs some hundreds to learn from, and some of them for the test.",
        )
    classes, labels = labels_of(folder, usable)
    counts = decoded.counts[decoded.counts > 0]
    train, test = divide(
        counts, labels, test_fraction=request.test_fraction, seed=request.seed, originals=originals
    )
    images = decoded.pictures[:, 0]
    all_labels = None if labels is None else np.repeat(labels, counts)
    return Dataset(
        name=text(folder.resolve().name),
        train=images[train],
        test=images[test],
        train_labels=None if all_labels is None else all_labels[train],
        test_labels=None if all_labels is None else all_labels[test],
        classes=classes,
        notes=notes,
    )


def refuse_inside(folder: Path, run: Path) -> None:
    """PocketganError where ``load`` would find in ``folder`` what ``run`` draws: what is hidden it
    does not."""
    pictures, results = folder.resolve(), run.resolve()
    if not results.is_relative_to(pictures) or is_hidden(results, pictures):
        return
    elsewhere = shlex.quote(str(pictures.parent / "runs"))
    raise PocketganError(
        f"{run} lies in {folder}, so that what the run draws would be read as pictures.",
        f"Add --runs {elsewhere}, or any other folder that is not below the pictures.",
    )


def _notes(folder: Path, files: list[Path], decoded: Decoded) -> tuple[str, ...]:
    names = [name(path, folder) for path in files]
    skipped = decoded.skipped(names)
    others = (*listed(decoded.copies(names), COPIED), *decoded.treatments)
    if not skipped:
        return others
    summary = f"{len(skipped)} of {len(files)} images are broken or too small and were skipped"
    return (summary, *skipped, *others)


def _loose(folder: Path, files: list[Path]) -> list[str]:
    """A note on pictures that keep sub-folders from being classes; none where there are no such."""
    inside = {path.relative_to(folder).parts[0] for path in files if path.parent != folder}
    outside = [path for path in files if len(path.relative_to(folder).parts) != 2]
    if len(inside) < 2 or not outside:
        return []
    where = "beside" if outside[0].parent == folder else "deeper inside"
    more = f" and {len(outside) - 1} more" if len(outside) > 1 else ""
    return [
        f"{NO_CLASSES}: {where} the {len(inside)} sub-folders lie pictures "
        f"({name(outside[0], folder)}{more}); if those are classes, move these into one"
    ]


def labels_of(folder: Path, files: list[Path]) -> tuple[tuple[str, ...], Labels | None]:
    """Names of the classes, and the class number of each file; none and None where sub-folders are
    no classes."""
    parents = {path.parent for path in files}
    if len(parents) < 2 or any(parent.parent != folder for parent in parents):
        return (), None
    classes = sorted(parents)
    number = {parent: index for index, parent in enumerate(classes)}
    labels = np.array([number[path.parent] for path in files], np.int64)
    return tuple(name(parent, folder) for parent in classes), labels
