import io
import os
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.bundle import files
from deploy.bundle.files import COVERED, SUMS, checksums, differences
from deploy.errors import PocketganError

Put = Callable[[dict[str, bytes], Path], Path]


def test_sums_are_of_every_other_file(parts: dict[str, bytes]) -> None:
    named = [line.split("  ")[1] for line in parts[SUMS].decode().splitlines()]
    assert named == sorted(set(parts) - {SUMS})
    assert set(named) <= set(COVERED)
    assert list(differences(parts)) == []


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum")
def test_sha256sum_checks_them(unpacked: Path) -> None:
    command = ["sha256sum", "--check", "--strict", SUMS]
    assert subprocess.run(command, cwd=unpacked, capture_output=True).returncode == 0
    (unpacked / "CARD.md").write_text("another")
    assert subprocess.run(command, cwd=unpacked, capture_output=True).returncode != 0


def test_a_changed_a_missing_and_an_unlisted_file_are_named(parts: dict[str, bytes]) -> None:
    changed = {**parts, "CARD.md": b"another"}
    assert list(differences(changed)) == ["CARD.md was changed (or its line in SHA256SUMS)"]
    missing = {name: content for name, content in parts.items() if name != "golden/inputs.bin"}
    assert (
        list(differences(missing))
        == [
            "golden/inputs.bin is missing",
            "SHA256SUMS was changed: its lines are not in the order or form that they had",
        ][:1]
    )
    lines = parts[SUMS].splitlines(keepends=True)
    unlisted = {**parts, SUMS: b"".join(lines[1:])}
    assert list(differences(unlisted)) == [f"{COVERED[0]} is not listed in SHA256SUMS"]
    without = {name: content for name, content in parts.items() if name != SUMS}
    assert list(differences(without)) == ["SHA256SUMS is missing"]


@pytest.mark.parametrize(
    ("spoil", "answer"),
    [
        (lambda sums: sums[:-1], "order or form"),
        (lambda sums: sums + b"\n", "damaged"),
        (lambda sums: b"".join(reversed(sums.splitlines(keepends=True))), "order or form"),
        (lambda sums: sums.replace(b"  ", b" *", 1), "damaged"),
        (lambda sums: sums[:1].swapcase() + b"\xff" + sums[2:], "damaged"),
        (lambda sums: sums + b"0" * 64 + b"  ../evil\n", "lists ../evil, which no bundle holds"),
        (lambda _: b"", "is not listed"),
    ],
)
def test_sums_in_another_form_are_found(spoil, answer, parts: dict[str, bytes]) -> None:  # type: ignore[no-untyped-def]
    spoiled = {**parts, SUMS: spoil(parts[SUMS])}
    problems = list(differences(spoiled))
    assert problems
    assert answer in problems[0]


def test_checksums_leave_out_what_is_not_there() -> None:
    assert checksums({}) == b""


def test_zip_is_a_function_of_its_contents(parts: dict[str, bytes]) -> None:
    packed = files.pack(parts)
    assert packed == files.pack(dict(reversed(parts.items())))
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        entries = opened.infolist()
    assert [entry.filename for entry in entries] == sorted(parts)
    for entry in entries:
        assert entry.compress_type == zipfile.ZIP_STORED
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert stat.filemode(entry.external_attr >> 16) == "-rw-r--r--"


def test_folder_and_zip_hold_the_same(
    parts: dict[str, bytes], unpacked: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "small.zip"
    packed.write_bytes(files.pack(parts))
    assert files.read(packed) == files.read(unpacked) == (parts, [])


def _zip(*entries: tuple[str, bytes], mode: int = 0o100644, compress: int = 0) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compress) as parts:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = compress
            parts.writestr(entry, content)
    return written.getvalue()


HOSTILE = {
    "a path out of the folder": (_zip(("../evil", b"x")), "belongs to no bundle"),
    "an absolute path": (_zip(("/etc/passwd", b"x")), "belongs to no bundle"),
    "a path with backslashes": (_zip(("..\\evil", b"x")), "belongs to no bundle"),
    "a detour": (_zip(("golden/../CARD.md", b"x")), "belongs to no bundle"),
    "a link": (_zip(("CARD.md", b"/etc/passwd"), mode=0o120777), "a link or a device"),
    "a bomb": (_zip(("CARD.md", b"\0" * 10_000_000), compress=zipfile.ZIP_DEFLATED), "larger"),
    "compressed": (_zip(("CARD.md", b"abc"), compress=zipfile.ZIP_DEFLATED), "is compressed"),
    "many entries": (_zip(*((f"{n}", b"") for n in range(100))), "has 100 entries"),
    "no zip": (b"PK but no zip", "damaged or no zip"),
    "empty": (b"", "damaged or no zip"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_zip_is_refused(kind: str, tmp_path: Path) -> None:
    packed, answer = HOSTILE[kind]
    path = tmp_path / "hostile.zip"
    path.write_bytes(packed)
    with pytest.raises(PocketganError, match=answer) as raised:
        files.read(path)
    assert str(path) in str(raised.value)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_a_file_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    path.write_bytes(_zip(("CARD.md", b"one"), ("CARD.md", b"two")))
    with pytest.raises(PocketganError, match=r"holds CARD\.md twice"):
        files.read(path)


def test_zip_whose_entries_overlap_is_refused(parts: dict[str, bytes], tmp_path: Path) -> None:
    """Two entries of the directory that share one file's bytes, as in a bomb without nesting."""
    packed = bytearray(_zip(("CARD.md", b"x" * 50_000), ("model.json", b"")))
    directory = packed.index(b"PK\x01\x02")
    second = packed.index(b"PK\x01\x02", directory + 4)
    packed[second + 16 : second + 28] = packed[directory + 16 : directory + 28]
    packed[second + 42 : second + 46] = packed[directory + 42 : directory + 46]
    path = tmp_path / "overlap.zip"
    path.write_bytes(packed)
    with pytest.raises(PocketganError):
        files.read(path)


def test_zip_packed_by_another_program_is_told_from_a_damaged_one(
    parts: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "again.zip"
    path.write_bytes(_zip(*parts.items()))
    contents, problems = files.read(path)
    assert contents == parts
    assert "packed again by another program" in problems[0]


def test_what_belongs_to_no_bundle_is_told_and_not_read(unpacked: Path) -> None:
    (unpacked / ".DS_Store").write_text("x")
    (unpacked / "notes").mkdir()
    (unpacked / "notes" / "unreadable").touch(mode=0)
    (unpacked / "code" / "more.kt").write_text("x")
    _, problems = files.read(unpacked)
    assert problems == [
        f"{name} belongs to no bundle" for name in (".DS_Store", "code/more.kt", "notes")
    ]


def test_links_and_pipes_are_not_followed(unpacked: Path, parts: dict[str, bytes]) -> None:
    (unpacked / "CARD.md").unlink()
    (unpacked / "CARD.md").symlink_to("/etc/hostname")
    (unpacked / "model.json").unlink()
    os.mkfifo(unpacked / "model.json")  # reading it would never end
    contents, problems = files.read(unpacked)
    assert set(contents) == set(parts) - {"CARD.md", "model.json"}
    assert problems == [
        f"{name} is not a file of its own but a link or a device"
        for name in ("CARD.md", "model.json")
    ]


def test_link_in_place_of_a_folder_is_not_followed(unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "golden").rename(tmp_path / "elsewhere")
    (unpacked / "golden").symlink_to(tmp_path / "elsewhere")
    contents, problems = files.read(unpacked)
    assert problems == ["golden belongs to no bundle"]
    assert "golden/inputs.bin" not in contents


def test_more_bytes_than_a_bundle_has_are_not_read(
    unpacked: Path, parts: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 1000)
    packed = tmp_path / "small.zip"
    packed.write_bytes(files.pack(parts))
    for path in (unpacked, packed):
        with pytest.raises(PocketganError, match="larger than any bundle"):
            files.read(path)


def test_what_is_not_there_or_neither_is_told(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="does not exist"):
        files.read(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PocketganError, match="neither a folder nor a file"):
        files.read(tmp_path / "pipe")
