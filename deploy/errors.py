"""The one error that a person is meant to read."""


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
