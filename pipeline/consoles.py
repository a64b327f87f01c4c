"""Standard output and standard error, where a person reads them and where a program does."""

import os
import sys
from typing import Any

from rich.console import Console

UNWRAPPED = 100_000
"""Columns of what is no terminal: a path that is wrapped cannot be used any more."""


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A console that breaks lines on a terminal only, or where COLUMNS says how wide it is.

    ``options`` are those of rich.
    """
    stream = sys.stderr if stderr else sys.stdout
    wraps = stream.isatty() or "COLUMNS" in os.environ
    return Console(stderr=stderr, width=None if wraps else UNWRAPPED, **options)
