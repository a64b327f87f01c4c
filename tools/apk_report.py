"""What an APK weighs, and whether its native libraries suit pages of 16 KB.

python -m tools.apk_report build/pocketgan-demo.apk [--json] [--markdown FILE]
"""

import argparse
import struct
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.errors import PocketganError
from tools.build_apk import PAGE_BYTES
from tools.console import run_as_program, show_table
from tools.tables import Table, percent, whole


@dataclass(frozen=True)
class ApkPart:
    """A part of an APK: files of one kind."""

    name: str
    bytes: int  # unpacked
    packed: int  # in the APK
    alignment: int | None = None  # of a native library's segments, smallest


def entries(apk: Path) -> list[ApkPart]:
    """Models and native libraries one by one, the rest by kind; the largest first.

    Raises PocketganError where the file is no APK.
    """
    try:
        archive = zipfile.ZipFile(apk)
    except (OSError, zipfile.BadZipFile) as error:
        raise PocketganError(f"{apk} is no APK: {error}", "Build one: make android") from error
    with archive:
        contents = [
            ApkPart(info.filename, info.file_size, info.compress_size, alignment(archive, info))
            for info in archive.infolist()
        ]
    named = [entry for entry in contents if entry.alignment or entry.name.endswith(".tflite")]
    size, packed = Counter[str](), Counter[str]()
    for entry in contents:
        if entry not in named:
            kind = "classes.dex" if entry.name.endswith(".dex") else "resources, golden vectors"
            size[kind] += entry.bytes
            packed[kind] += entry.packed
    overhead = apk.stat().st_size - sum(entry.packed for entry in contents)
    rest = [ApkPart(kind, size[kind], packed[kind]) for kind in size]
    rest.append(ApkPart("alignment, index, signature", overhead, overhead))
    return sorted([*named, *rest], key=lambda entry: -entry.packed)


def alignment(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int | None:
    """Of a native library: to what its loaded segments are aligned, the least of them."""
    return segment_alignment(archive.read(info)) if info.filename.endswith(".so") else None


def segment_alignment(library: bytes) -> int:
    """Smallest p_align of the PT_LOAD headers of an ELF file, little-endian, 32 or 64 bits."""
    wide = library[4] == 2
    (table,) = struct.unpack_from("<Q" if wide else "<I", library, 32 if wide else 28)
    size, count = struct.unpack_from("<HH", library, 54 if wide else 42)
    alignments: list[int] = []
    for number in range(count):
        header = struct.unpack_from("<IIQQQQQQ" if wide else "<8I", library, table + number * size)
        if header[0] == 1:  # PT_LOAD
            alignments.append(header[7])
    return min(alignments)


def as_table(apk: Path, contents: list[ApkPart]) -> Table:
    size = apk.stat().st_size
    rows = [
        (entry.name, *map(whole, (entry.bytes, entry.packed)), percent(entry.packed / size))
        for entry in contents
    ]
    small = sorted(
        f"{entry.name} ({entry.alignment // 1024} KB)"
        for entry in contents
        if entry.alignment and entry.alignment < PAGE_BYTES
    )
    notes = [f"{apk.name}: {whole(size)} bytes"]
    if small:
        notes.append(f"not aligned to pages of 16 KB: {', '.join(small)}")
    return Table(("part", "bytes", "in the APK", "share"), rows, notes)


def main() -> int:
    parser = argparse.ArgumentParser(description="What an APK weighs.")
    parser.add_argument("apk", type=Path)
    parser.add_argument("--json", action="store_true", help="the rows as JSON")
    parser.add_argument("--markdown", type=Path, help="write the table to this file, for the docs")
    options = parser.parse_args()
    contents = entries(options.apk)
    show_table(as_table(options.apk, contents), [asdict(entry) for entry in contents], options)
    return 0


if __name__ == "__main__":
    run_as_program(main)
