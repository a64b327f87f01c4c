"""The files of a bundle: their names, their limits and their checksums.

The list is closed: a bundle holds these files and no other.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping

Contents = Mapping[str, bytes]
"""Path inside the bundle → bytes."""

GENERATOR = "generator.tflite"
MODEL = "model.json"
CARD = "CARD.md"
SHEET = "contact_sheet.png"
LATENTS = "golden/latents.f32"
INPUTS = "golden/inputs.bin"
OUTPUTS = "golden/outputs.bin"
PLAIN = "golden/plain.bin"
CODE = ("code/Generator.kt", "code/Generator.swift", "code/generator.cc", "code/generator.py")
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"

COVERED = tuple(sorted((GENERATOR, MODEL, CARD, SHEET, LATENTS, INPUTS, OUTPUTS, PLAIN, *CODE)))
"""What the checksums are of."""
REQUIRED = (*COVERED, SUMS)
KNOWN = (*REQUIRED, SIGNATURE)

MOST_BYTES = 1 << 30
"""Of a bundle; more than any generator for a phone takes."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


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
    yield from (f"{SUMS} lists {name}, which no bundle holds" for name in gone)
    if not wrong and listed == here:
        yield f"{SUMS} was changed: its lines are not in the order or form that they had"


def _parse(sums: bytes) -> dict[str, str] | None:
    """Path → digest; None where a line is of another form."""
    matches = [_LINE.fullmatch(line) for line in sums.decode("utf-8", "replace").splitlines()]
    return None if None in matches else {match[2]: match[1] for match in matches if match}
