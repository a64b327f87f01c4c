from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], str]:
    """A function that writes a recipe's text to a file and gives its path."""

    def write(text: str, name: str = "mine.yaml") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write
