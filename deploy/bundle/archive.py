"""Bundles on the disk: a folder, or the same as one zip. Both are read without trusting them.

The zip is a function of its contents alone: everything stored, one fixed date. So the same contents
give the same zip on every machine, whatever its zlib, and a zip that was touched anywhere is found
by packing its contents again.
"""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from deploy.bundle.files import KNOWN, MOST_BYTES, Contents
from deploy.errors import PocketganError

DATE = (1980, 1, 1, 0, 0, 0)
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_MOST_ENTRIES = 64
_GET_IT_AGAIN = "Get the bundle again from where it came."
_OR_UNPACK = f"{_GET_IT_AGAIN} If another program packed it again, unpack it, verify the folder."


def pack(contents: Contents) -> bytes:
    """The zip of a bundle; the same contents give the same bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = _MODE << 16
            entry.create_system = _UNIX
            archive.writestr(entry, contents[name])
    return written.getvalue()


def read(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files of a bundle's folder or zip, and what is wrong with how they are kept.

    Raises PocketganError where it is neither, cannot be read, or is a zip that no bundle is.
    """
    try:
        if path.is_dir():
            return _read_folder(path)
        if not path.is_file():
            problem = "is neither a folder nor a file" if path.exists() else "does not exist"
            raise PocketganError(f"{path} {problem}.", "Name a bundle's folder or its zip.")
        if path.stat().st_size > MOST_BYTES:
            raise PocketganError(f"{path} is larger than any bundle.", _GET_IT_AGAIN)
        return _read_zip(path)
    except OSError as error:
        where = error.filename or path
        raise PocketganError(f"{where} cannot be read: {error.strerror}.") from error


# ---------------------------------------------------------------------- a folder


def _read_folder(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    contents: dict[str, bytes] = {}
    problems: list[str] = []
    left = MOST_BYTES
    for name, entry in _walk(folder, ""):
        if name not in KNOWN:
            problems.append(f"{name} belongs to no bundle")
        elif not entry.is_file(follow_symlinks=False):
            problems.append(f"{name} is not a file of its own but a link or a device")
        elif (left := left - entry.stat(follow_symlinks=False).st_size) < 0:
            raise PocketganError(f"{folder} is larger than any bundle.", _GET_IT_AGAIN)
        else:
            contents[name] = Path(entry.path).read_bytes()
    return contents, problems


_FOLDERS = {name.split("/")[0] for name in KNOWN if "/" in name}


def _walk(folder: Path, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything in the folder, but what lies in folders that no bundle has."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{above}{entry.name}"
            if name in _FOLDERS and entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{name}/")
            else:
                yield name, entry


# ---------------------------------------------------------------------- a zip


def _read_zip(path: Path) -> tuple[dict[str, bytes], list[str]]:
    packed = path.read_bytes()
    try:
        contents = _unpack(packed)
    except _NoBundleError as error:
        raise PocketganError(f"{path}: {error}.", _OR_UNPACK) from error
    # Whatever a damaged zip makes the reader stumble over.
    except (
        zipfile.BadZipFile,
        EOFError,
        LookupError,
        NotImplementedError,
        OverflowError,
        RuntimeError,
        ValueError,
        struct.error,
    ) as error:
        reason = " ".join(str(error).split())
        raise PocketganError(f"{path} is damaged or no zip: {reason}.", _GET_IT_AGAIN) from error
    if pack(contents) != packed:
        return contents, [
            "the zip is not as pocketgan packs its files: it was changed, or packed again by "
            "another program (then verify the unpacked folder)"
        ]
    return contents, []


class _NoBundleError(Exception):
    """What in a zip no bundle has."""


def _unpack(packed: bytes) -> dict[str, bytes]:
    """Only entries that a bundle has, stored, each once, and together no more than the zip."""
    contents: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_ENTRIES:
            raise _NoBundleError(f"it has {len(entries)} entries, a bundle has {len(KNOWN)}")
        if sum(entry.file_size for entry in entries) > len(packed):
            raise _NoBundleError("its entries claim to be larger than the zip")
        for entry in entries:
            name = entry.filename
            if name not in KNOWN:
                raise _NoBundleError(f"it holds {name!a}, which belongs to no bundle")
            if name in contents:
                raise _NoBundleError(f"it holds {name} twice")
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                raise _NoBundleError(f"its {name} is not a plain file but a link or a device")
            if entry.compress_type != zipfile.ZIP_STORED:
                raise _NoBundleError(f"its {name} is compressed, and a bundle's files are not")
            contents[name] = archive.read(entry)
    return contents
