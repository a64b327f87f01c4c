"""Paths that begin with a home."""

import os
from pathlib import Path


def in_home(path: Path) -> Path:
    """With a ~ or ~USER in front as that home; unchanged where there is no such user."""
    return Path(os.path.expanduser(path))
