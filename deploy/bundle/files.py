"""The files of a bundle: names, checksums, and how they lie on the disk, in a folder or one zip.

The list is closed: a bundle holds these files and no other; which of DEPENDING it holds, its
model.json says. Folders and zips are read without trusting them. The zip is a function of its
contents alone: everything stored, one fixed date. So the same contents give the same zip on every
machine, whatever its zlib, and a zip that was touched anywhere is found by packing its contents
again.
"""

import hashlib
import io
import re
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deploy.errors import PocketganError

Contents = Mapping[str, bytes]
"""Path inside the bundle → bytes."""

GENERATOR = "generator.tflite"
MODEL = "model.json"
CARD = "CARD.md"
SHEET = "contact_sheet.png"
LATENTS = "golden/latents.f32"
PICTURES = "golden/pictures.png"
MASKS = "golden/masks.png"
INPUTS = "golden/inputs.bin"
OUTPUTS = "golden/outputs.bin"
PLAIN = "golden/plain.bin"
JAVASCRIPT = "code/generator.js"
GALLERY = "gallery.html"
CODE = (
    *("code/Generator.kt", "code/Generator.swift", "code/generator.cc", "code/generator.py"),
    JAVASCRIPT,
)
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"

DEPENDING = (LATENTS, PICTURES, MASKS, JAVASCRIPT, GALLERY)
"""What only some bundles hold: model.json says what is read, of which version it is, and whether a
page that draws is there."""
COVERED = tuple(sorted({GENERATOR, MODEL, CARD, SHEET, INPUTS, OUTPUTS, PLAIN, *CODE, *DEPENDING}))
"""What the checksums are of."""
REQUIRED = (*(name for name in COVERED if name not in DEPENDING), SUMS)
KNOWN = (*COVERED, SUMS, SIGNATURE)

MOST_BYTES = 1 << 30
"""Of a bundle; more than any generator for a phone takes."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_FOLDERS = {name.split("/")[0] for name in KNOWN if "/" in name}
_MOST_ENTRIES = 64
_GET_IT_AGAIN = "Get the bundle again from where it came."


def checksums(contents: Contents) -> bytes:
    """The text of SHA256SUMS, as ``sha256sum`` writes it: a line a covered file that is there."""
    lines = [
        f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n"
        for name in COVERED
        if name in contents
    ]
    return "".join(lines).encode()


def differences(contents: Contents) -> Iterator[str]:
    """Every way in which the files are not those that SHA256SUMS tells of, in words.

    There is none only if SHA256SUMS is, byte for byte, what the files that are there give.
    """
    yield from (f"{name} is missing" for name in REQUIRED if name not in contents)
    stored, computed = contents.get(SUMS), checksums(contents)
    if stored is None or stored == computed:
        return
    listed, here = _parse(stored), _parse(computed) or {}
    if listed is None:
        yield f"{SUMS} is damaged: it is not a list of sha256 sums"
        return
    wrong = [name for name in here if name in listed and listed[name] != here[name]]
    yield from (f"{name} was changed (or its line in {SUMS})" for name in wrong)
    yield from (f"{name} is not listed in {SUMS}" for name in here if name not in listed)
    gone = [name for name in listed if name not in here and name not in REQUIRED]
    for name in gone:
        yield (
            f"{name} is missing"
            if name in DEPENDING
            else f"{SUMS} lists {name}, which no bundle holds"
        )
    if not wrong and listed == here:
        yield f"{SUMS} was changed: its lines are not in the order or form that they had"


def _parse(sums: bytes) -> dict[str, str] | None:
    """Path → digest; None where a line is of another form."""
    matches = [_LINE.fullmatch(line) for line in sums.decode("utf-8", "replace").splitlines()]
    return None if None in matches else {match[2]: match[1] for match in matches if match}


def pack(contents: Contents) -> bytes:
    """The zip of a bundle; the same contents give the same bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name)  # of 1980-01-01
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.create_system = 3  # Unix
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


def _read_folder(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    contents: dict[str, bytes] = {}
    problems: list[str] = []
    left = MOST_BYTES
    inner = [
        path
        for path in folder.iterdir()
        if path.name in _FOLDERS and stat.S_ISDIR(path.lstat().st_mode)
    ]
    listed = (path for above in (folder, *inner) for path in above.iterdir())
    for path in sorted(path for path in listed if path not in inner):
        name = path.relative_to(folder).as_posix()
        if name not in KNOWN:
            problems.append(f"{name} belongs to no bundle")
        elif not stat.S_ISREG(path.lstat().st_mode):
            problems.append(f"{name} is not a file of its own but a link or a device")
        elif (left := left - path.lstat().st_size) < 0:
            raise PocketganError(f"{folder} is larger than any bundle.", _GET_IT_AGAIN)
        else:
            contents[name] = path.read_bytes()
    return contents, problems


def _read_zip(path: Path) -> tuple[dict[str, bytes], list[str]]:
    packed = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entries = archive.infolist()
            if objection := next(_objections(entries, len(packed)), ""):
                raise PocketganError(
                    f"{path}: {objection}.",
                    f"{_GET_IT_AGAIN} If another program packed it again, unpack it, "
                    "verify the folder.",
                )
            contents = {entry.filename: archive.read(entry) for entry in entries}
    # Whatever a damaged zip makes the reader stumble over.
    except (
        zipfile.BadZipFile,
        EOFError,
        LookupError,
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


def _objections(entries: Sequence[zipfile.ZipInfo], size: int) -> Iterator[str]:
    """What no bundle's zip has: more than known entries, stored, each once, no larger than it."""
    if len(entries) > _MOST_ENTRIES:
        yield f"it has {len(entries)} entries, a bundle has {len(KNOWN)}"
    if sum(entry.file_size for entry in entries) > size:
        yield "its entries claim to be larger than the zip"
    names = [entry.filename for entry in entries]
    for name, entry in zip(names, entries, strict=True):
        if name not in KNOWN:
            yield f"it holds {name!a}, which belongs to no bundle"
        if names.count(name) > 1:
            yield f"it holds {name} twice"
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            yield f"its {name} is not a plain file but a link or a device"
        if entry.compress_type != zipfile.ZIP_STORED:
            yield f"its {name} is compressed, and a bundle's files are not"
