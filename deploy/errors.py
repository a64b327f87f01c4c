"""What a person reads: the one error that is meant for people, and text made safe to show."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class PocketganError(Exception):
    """Something a person can mend: what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with code 2.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n  {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


def guess(name: str, names: Iterable[str]) -> str:
    """A question: the one of ``names`` that was likely meant by ``name``; empty if none is like it.

    For dotted keys the last part counts too: of ``data.steps`` that is ``train.steps``.
    """
    names = list(names)
    close = get_close_matches(name, names, n=1) or [
        other for other in names if other.rpartition(".")[2] == name.strip("-").rpartition(".")[2]
    ]
    return f"Did you mean '{close[0]}'?" if close else ""


def one_of(name: str, names: Iterable[str]) -> str:
    """A remedy for a ``name`` that there is not: the likely one, and all there are."""
    names = list(names)
    return " ".join(filter(None, [guess(name, names), f"Known: {', '.join(names)}."]))


def one_line(error: BaseException, most: int | None = None) -> str:
    """The message of an error without line breaks and colours; at most ``most`` characters."""
    return " ".join(_COLOUR.sub("", str(error)).split())[:most]


def printable(text: str, hidden: str | None = None) -> str:
    """A stranger's ``text`` in one line: what would move the cursor is ``hidden``, or an escape."""
    return "".join(
        c if c.isprintable() else hidden or c.encode("unicode_escape").decode() for c in text
    )


def plain(text: str) -> str:
    """``text`` in one line: what would move the cursor or hide is a replacement character."""
    return printable(text, "\N{REPLACEMENT CHARACTER}")
