"""Files of a folder of pictures: which they are, and how people are told of them."""

from collections import Counter
from collections.abc import Sequence, Set
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.data import picture

UNREAD = frozenset(
    (
        *(".heic", ".heif", ".svg", ".svgz", ".jxl", ".raw", ".cr2", ".cr3", ".nef", ".arw"),
        *(".dng", ".xcf"),
    )
)
"""Endings of pictures that Pillow does not open, in small letters."""
LISTED = 5
"""So many names of each kind of problem are listed in a note."""


def find(folder: Path) -> list[Path]:
    """Files with an ending of an image, in an order that no file system decides.

    Raises PocketganError where there is no folder, or no image in it.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise PocketganError(f"{folder} {problem}.", "Give a folder of image files.")
    files = _files(folder, picture.endings())
    if not files:
        raise PocketganError(
            ". ".join([f"{folder} holds no image", *unread(folder)]) + ".",
            "Give a folder of image files; their names must end in .png, .jpg, .webp or another"
            " ending that Pillow knows.",
        )
    return files


def unread(folder: Path) -> list[str]:
    """A note that counts the pictures in a folder whose format is not read; none without such."""
    files = _files(folder, UNREAD - picture.endings())
    endings = Counter(path.suffix.lower() for path in files)
    if not endings:
        return []
    kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
    return [f"formats that are not read: {kinds} (save them as PNG or JPEG)"]


def _files(folder: Path, endings: Set[str]) -> list[Path]:
    """What is not hidden and ends so, in an order that no file system decides."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and not is_hidden(path, folder) and path.is_file()
    )


def is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def listed(names: Sequence[str], problem: str) -> list[str]:
    """A note that counts what is wrong and lists the first few; none where nothing is wrong."""
    if not names:
        return []
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return [f"{len(names)} {problem}: {'; '.join(names[:LISTED])}{more}"]


def name(path: Path, folder: Path) -> str:
    """The path below ``folder``."""
    return text(path.relative_to(folder).as_posix())


def text(file_name: str) -> str:
    """A file's name in characters that every report takes, whatever bytes it has on the disk."""
    return file_name.encode(errors="replace").decode()
