"""Names that a stranger chose, made safe to show: those of classes are names of folders."""

from collections.abc import Callable


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def printable(text: str, write: Callable[[str], str] = _escaped) -> str:
    """``text`` in one line: what would move the cursor or hide is written as an escape."""
    return "".join(c if c.isprintable() else write(c) for c in text)


def plain(text: str) -> str:
    """``text`` in one line: what would move the cursor or hide is a replacement character."""
    return printable(text, lambda _: "\N{REPLACEMENT CHARACTER}")
