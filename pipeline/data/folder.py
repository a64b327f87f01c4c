"""A user's own images: a folder of files of any size and format that Pillow reads."""

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL

from deploy.errors import PocketganError
from pipeline.arrays import Images, Labels
from pipeline.atomic import replaced
from pipeline.data import picture
from pipeline.data.dataset import Dataset, split
from pipeline.progress import track

# For each file why it was skipped; empty where it was read.
Reasons = npt.NDArray[np.str_]


def load(
    folder: Path,
    *,
    image_size: int,
    channels: int,
    cache: Path,
    test_fraction: float,
    seed: int,
) -> Dataset:
    """Every image below ``folder`` as [N, image_size, image_size, channels], uint8.

    Images are turned upright, cut to the square in their middle and resized (``picture.decode``).
    Broken ones are skipped and listed in the notes. Names of sub-folders become classes when every
    usable image lies directly in one and there are at least two. The decoded images are kept in
    the folder ``cache`` until a file, its size or its time changes.
    Raises PocketganError where the folder is missing or holds fewer than two usable images, and
    where a file cannot be read from the disk or the cache cannot be written.
    """
    files = find(folder)
    images, reasons = _cached(files, image_size, channels, cache)
    usable = [path for path, reason in zip(files, reasons, strict=True) if not reason]
    notes = _notes(folder, files, reasons)
    if not usable:
        raise PocketganError(
            f"{folder}: none of its {len(files)} images can be read; {notes[1]}.",
            "Open one in an image viewer; save it as PNG or JPEG.",
        )
    if len(usable) == 1:
        raise PocketganError(
            f"{folder} holds a single usable image ({_name(usable[0], folder)}).",
            "Add images: a GAN needs some hundreds to learn from, and some of them for the test.",
        )
    classes, labels = _labels(folder, usable)
    train, test, train_labels, test_labels = split(images, labels, test_fraction, seed)
    return Dataset(
        name=_text(folder.resolve().name),
        train=train,
        test=test,
        train_labels=train_labels,
        test_labels=test_labels,
        classes=classes,
        notes=notes,
    )


def find(folder: Path) -> list[Path]:
    """Files with an ending of an image, in an order that no file system decides.

    Raises PocketganError where there is no folder, or no image in it.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise PocketganError(f"{folder} {problem}.", "Give a folder of image files.")
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in picture.endings()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    if not files:
        raise PocketganError(
            f"{folder} holds no image.",
            "Give a folder of image files; their names must end in .png, .jpg, .webp or another"
            " ending that Pillow knows.",
        )
    return sorted(files)


def _cached(
    files: list[Path], image_size: int, channels: int, cache: Path
) -> tuple[Images, Reasons]:
    """The usable images of ``files`` and why others were skipped, decoded or from the cache."""
    path = cache / f"images-{_key(files, image_size, channels)}.npz"
    try:
        with path.open("rb") as stream, np.load(stream) as stored:
            return stored["images"], stored["reasons"]
    except Exception:  # no such file, or damaged in one of many ways: it is only a copy
        images, reasons = _decode(files, image_size, channels)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as partial, partial.open("wb") as file:
            np.savez(file, images=images, reasons=reasons)
    except OSError as error:
        raise PocketganError(
            f"The decoded images cannot be stored in {cache}: {error.strerror}.",
            f"Make room for {images.nbytes:,} bytes, or give another folder for the cache.",
        ) from error
    return images, reasons


def _key(files: list[Path], image_size: int, channels: int) -> str:
    """A hash of all that decides the decoded pixels, short of reading the files."""
    listing = [
        (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files
    ]
    decides = json.dumps([listing, image_size, channels, PIL.__version__])
    return hashlib.sha256(decides.encode()).hexdigest()[:32]


def _decode(files: list[Path], image_size: int, channels: int) -> tuple[Images, Reasons]:
    images, reasons = [], []
    for path in track(files, "Reading images"):
        content = _content(path)
        try:
            images.append(picture.decode(content, image_size, channels))
            reasons.append("")
        except Exception as error:  # Pillow's plugins raise nearly anything for a broken file
            reasons.append(_reason(error))
    shape = (-1, image_size, image_size, channels)
    return np.array(images, np.uint8).reshape(shape), np.array(reasons, np.str_)


def _content(path: Path) -> bytes:
    """The bytes of a file. One that the system withholds is not broken: no cache shall say so."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PocketganError(
            f"{path} cannot be read: {error.strerror}.",
            "Make it readable, or move it out of the folder.",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, PIL.UnidentifiedImageError):
        return "not an image that Pillow knows"
    return " ".join(str(error).split()) or type(error).__name__


def _notes(folder: Path, files: list[Path], reasons: Reasons) -> tuple[str, ...]:
    skipped = [
        f"{_name(path, folder)}: {reason}"
        for path, reason in zip(files, reasons, strict=True)
        if reason
    ]
    if not skipped:
        return ()
    return (f"{len(skipped)} of {len(files)} images are broken and were skipped", *skipped)


def _labels(folder: Path, files: list[Path]) -> tuple[tuple[str, ...], Labels | None]:
    parents = {path.parent for path in files}
    if len(parents) < 2 or any(parent.parent != folder for parent in parents):
        return (), None
    classes = sorted(parents)
    number = {parent: index for index, parent in enumerate(classes)}
    labels = np.array([number[path.parent] for path in files], np.int64)
    return tuple(_name(parent, folder) for parent in classes), labels


def _name(path: Path, folder: Path) -> str:
    """The path below ``folder``."""
    return _text(path.relative_to(folder).as_posix())


def _text(name: str) -> str:
    """A file's name in characters that every report takes, whatever bytes it has on the disk."""
    return name.encode(errors="replace").decode()
