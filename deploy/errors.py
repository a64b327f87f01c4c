"""What a person reads: the one error that is meant for people, and text made safe to show."""


class PocketganError(Exception):
    """Something a person can mend: what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with code 2.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n  {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


def one_line(error: Exception, most: int | None = None) -> str:
    """The message of an error without line breaks; at most ``most`` characters of it."""
    return " ".join(str(error).split())[:most]


def printable(text: str, hidden: str | None = None) -> str:
    """A stranger's ``text`` in one line: what would move the cursor is ``hidden``, or an escape."""
    return "".join(
        c if c.isprintable() else hidden or c.encode("unicode_escape").decode() for c in text
    )


def plain(text: str) -> str:
    """``text`` in one line: what would move the cursor or hide is a replacement character."""
    return printable(text, "\N{REPLACEMENT CHARACTER}")
