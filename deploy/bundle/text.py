"""Names that a stranger chose, made safe to show: those of classes are names of folders."""


def plain(text: str) -> str:
    """The same without control characters, so that it stays in its line."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
