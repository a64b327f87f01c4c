import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.bundle.files import COVERED, SUMS, checksums, differences


def test_sums_are_of_every_other_file(parts: dict[str, bytes]) -> None:
    named = [line.split("  ")[1] for line in parts[SUMS].decode().splitlines()]
    assert named == sorted(set(parts) - {SUMS}) == list(COVERED)
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
