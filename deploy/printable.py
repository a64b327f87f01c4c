"""Names that a stranger chose, made safe to show: those of classes are names of folders."""


def printable(text: str, hidden: str | None = None) -> str:
    """``text`` in one line: what would move the cursor or hide is ``hidden``, or an escape."""
    return "".join(
        c if c.isprintable() else hidden or c.encode("unicode_escape").decode() for c in text
    )


def plain(text: str) -> str:
    """``text`` in one line: what would move the cursor or hide is a replacement character."""
    return printable(text, "\N{REPLACEMENT CHARACTER}")
