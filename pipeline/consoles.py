"""Standard output and standard error, where a person reads them and where a program does."""

import os
import re
import shutil
import sys
from typing import IO, Any, cast

from rich.console import Console
from rich.text import Text

from deploy.errors import printable

UNWRAPPED = 100_000
"""Columns of what is no terminal: a path that is wrapped cannot be used any more."""
BEST = "*"
"""What stands before the best figure of several."""
_UNKNOWN = "0"
"""COLUMNS, as some shells set it where they do not know."""


class _Unpadded:
    """A stream that lines reach without the blanks that fill up the last column of a table."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(re.sub(r" +$", "", text, flags=re.MULTILINE))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A console that breaks lines on a terminal only, or where COLUMNS says how wide it is.

    Brackets and colons are what they are, not marks of style: paths and names are a stranger's.
    ``options`` are those of rich.
    """
    stream = sys.stderr if stderr else sys.stdout
    said = os.environ.get("COLUMNS")
    wraps = stream.isatty() or said not in (None, _UNKNOWN)
    if not wraps:
        options["width"] = UNWRAPPED
    elif said == _UNKNOWN:  # rich would print nothing
        options["width"] = shutil.get_terminal_size().columns
    if not wraps and not stderr:
        options["file"] = cast(IO[str], _Unpadded(stream))
    return Console(stderr=stderr, markup=False, emoji=False, **options)


def title(name: str, more: str = "") -> Text:
    """A line that begins with a name."""
    return Text.assemble((printable(name), "bold"), printable(more))


def done(text: str) -> Text:
    """A line that tells of something that went well."""
    return Text.assemble(("✓", "green"), f" {printable(text)}")


def caution(text: str) -> Text:
    """A line that warns."""
    return Text.assemble(("!", "yellow"), f" {printable(text)}")


def best(figure: str, colour: str = "green") -> Text:
    """A figure that no other is better than: the star says so where nothing is bold."""
    return Text(f"{BEST}{figure}", style=f"bold {colour}")


def cell(text: str, **options: Any) -> Text:
    """What stands in a cell of a table, in its lines; ``options`` are those of rich."""
    return Text("\n".join(map(printable, text.split("\n"))), **options)
