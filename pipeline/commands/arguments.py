"""Arguments of a command, parsed so that a mistake becomes one message."""

from argparse import ArgumentError
from typing import Any

from jsonargparse import ArgumentParser

from deploy.errors import PocketganError


def parser(command: str, describe: str) -> ArgumentParser:
    """A parser that raises instead of ending the program."""
    return ArgumentParser(prog=f"pocketgan {command}", description=describe, exit_on_error=False)


def parse(parser: ArgumentParser, arguments: list[str]) -> Any:
    """Parsed arguments; PocketganError in place of a usage message."""
    try:
        return parser.parse_args(arguments)
    except ArgumentError as error:
        raise PocketganError(
            f"{parser.prog}: {' '.join(str(error).split())}", f"`{parser.prog} --help` tells more."
        ) from error
