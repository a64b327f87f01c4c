"""Results that outlive their program: a file of JSON, one line for each row."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows of the file, none if there is no file; a line cut short by a kill is none."""
    text = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith(b"\n")]


def add_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Add rows, in the place of a line cut short; makes the file and its folder."""
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.writelines(lines)
