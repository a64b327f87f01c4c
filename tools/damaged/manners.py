"""Ways to damage a file, each by chance alone."""

import io
import random
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

NUMBERS = (0, -1, 2**31 - 1, 2**31, 2**63 - 1, 10**9, 10**30)
BOMB = 256 * 1024 * 1024
"""Bytes that a few hundred thousand of an archive become."""
_NUMBER, _NAME = re.compile(rb"\d+"), re.compile(rb"[A-Za-z_][\w./-]{3,40}")

Manner = Callable[[bytes, random.Random, Path], bytes]
"""The file's bytes, chance, and a sound file elsewhere that is none of its business → other bytes.
"""


def _cut(content: bytes, chance: random.Random, _: Path) -> bytes:
    return content[: chance.randrange(len(content))]


def _flip(content: bytes, chance: random.Random, _: Path) -> bytes:
    damaged = bytearray(content)
    for _number in range(chance.choice((1, 1, 2, 8, 64))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _overwrite(content: bytes, chance: random.Random, _: Path) -> bytes:
    size = min(chance.choice((1, 4, 16, 256, 4096)), len(content))
    start = chance.randrange(len(content) - size + 1)
    middle = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))
    return content[:start] + middle + content[start + size :]


def _append(content: bytes, chance: random.Random, _: Path) -> bytes:
    return content + chance.choice((chance.randbytes(chance.randrange(1, 5000)), content))


def _swap(content: bytes, chance: random.Random, _: Path) -> bytes:
    """Three pieces in another order."""
    first, second = sorted(chance.randrange(len(content) + 1) for _number in range(2))
    return content[second:] + content[first:second] + content[:first]


def _nest(content: bytes, chance: random.Random, _: Path) -> bytes:
    """Itself within itself; text within brackets, as deep as no reader goes."""
    if chance.random() < 0.5:
        place = chance.randrange(len(content))
        return content[:place] + content + content[place:]
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    depth = chance.choice((10, 1000, 100_000))
    match = _chosen(_NUMBER, content, chance)
    start, end = match.span() if match else (0, len(content))
    return content[:start] + opening * depth + content[start:end] + closing * depth + content[end:]


def _swell(content: bytes, chance: random.Random, _: Path) -> bytes:
    """A number as text, or four bytes that look like a small one, becomes huge."""
    number = chance.choice(NUMBERS)
    match = _chosen(_NUMBER, content, chance)
    if match and chance.random() < 0.7:
        return content[: match.start()] + str(number).encode() + content[match.end() :]
    small = [i for i in range(len(content) - 4) if content[i] and not any(content[i + 1 : i + 4])]
    if not small:
        return _flip(content, chance, Path())
    place = chance.choice(small)
    huge = (number % 2**32).to_bytes(4, "little")
    return content[:place] + huge + content[place + 4 :]


def _point_elsewhere(content: bytes, chance: random.Random, elsewhere: Path) -> bytes:
    """A name becomes the path of another file; of the same length where that is asked of it."""
    match = _chosen(_NAME, content, chance)
    if match is None:
        return _flip(content, chance, elsewhere)
    paths = (str(elsewhere), f"../{elsewhere.name}", f"file://{elsewhere}", "/dev/zero", "/dev/tty")
    path = chance.choice(paths).encode()
    if chance.random() < 0.5:
        path = path[: len(match[0])].rjust(len(match[0]), b"/")
    return content[: match.start()] + path + content[match.end() :]


def _chosen(
    pattern: "re.Pattern[bytes]", content: bytes, chance: random.Random
) -> "re.Match[bytes] | None":
    matches = list(pattern.finditer(content))
    return chance.choice(matches) if matches else None


MANNERS: Mapping[str, Manner] = {
    "cut": _cut,
    "bits": _flip,
    "bytes": _overwrite,
    "appended": _append,
    "swapped": _swap,
    "nested": _nest,
    "huge": _swell,
    "elsewhere": _point_elsewhere,
}


def damage(path: Path, chance: random.Random, elsewhere: Path) -> str:
    """Damage one of the files at or below ``path``; the manner, in a word.

    Inside of an archive as often as the archive itself: there it is not found by its checksum.
    """
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    file = chance.choice(files)
    if path.is_dir() and chance.random() < 0.05:
        file.unlink()
        return "missing"
    content = file.read_bytes()
    if zipfile.is_zipfile(file) and chance.random() < 0.6:
        manner, damaged = _within_archive(content, chance, elsewhere)
    else:
        manner = chance.choice([*MANNERS])
        damaged = MANNERS[manner](content, chance, elsewhere) if content else b"x"
    file.write_bytes(damaged)
    return manner


def _within_archive(content: bytes, chance: random.Random, elsewhere: Path) -> tuple[str, bytes]:
    """One member of a zip archive is damaged, renamed, or blown up."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    members = {name: archive.read(name) for name in archive.namelist()}
    chosen = chance.choice([*members])
    manner = chance.choice([*MANNERS, "bomb", "renamed"])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as damaged:
        for name, inside in members.items():
            if name != chosen:
                damaged.writestr(name, inside)
            elif manner == "bomb":
                damaged.writestr(name, inside + bytes(BOMB))
            elif manner == "renamed":
                names = (f"../{name}", str(elsewhere), f"../{elsewhere.name}", "a/" * 200 + name)
                damaged.writestr(chance.choice(names), inside)
            else:
                new = MANNERS[manner](inside, chance, elsewhere) if inside else b"x"
                damaged.writestr(name, new)
    return manner, written.getvalue()
