"""Names of files as a terminal may show them."""


def printable(text: str) -> str:
    """``text`` in one line: what would move the cursor or hide is written as an escape."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
