"""The command line: a table from command to function.

Exit codes: 0 done; 2 bad input, said in one message; 3 a gate of the recipe failed; 130 Ctrl-C.
"""

import errno
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from importlib.metadata import version
from pkgutil import resolve_name

from rich.table import Table
from rich.text import Text

from deploy.errors import PocketganError, one_of, printable
from pipeline.commands.arguments import BAD_INPUT, INTERRUPTED, OK, SUMMARIES, refusal
from pipeline.commands.run import stage
from pipeline.consoles import console
from pipeline.guard import GOES_ON
from pipeline.plans import FROM_SCRATCH
from pipeline.tensorflow_setup import configure_tensorflow

ZIP_YEARS = range(1980, 2108)
_UNMAPPED = "failed to map segment"
"""What the loader says of a library for which there is no memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors that a person can mend become one message and exit code 2."""
    command, *others = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if command in ("-h", "--help"):
        _print_overview()
        return OK
    if command == "--version":
        print(f"pocketgan {version('pocketgan')}")
        return OK
    try:
        configure_tensorflow()
        _refuse_clock()
        if command not in COMMANDS:
            raise PocketganError(f"There is no command '{command}'.", one_of(command, COMMANDS))
        _refuse_unreadable(others)
        return COMMANDS[command](others)
    except PocketganError as error:
        return refuse(error, [command, *others])
    except KeyboardInterrupt:
        complain("stopped. What was done is kept; the same command goes on from there.")
        return INTERRUPTED
    except OSError as error:
        return refuse(_explained(error), [command, *others])
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and _UNMAPPED not in str(error):
            raise
        return refuse(PocketganError("memory ran out.", GOES_ON), [command, *others])


def _refuse_clock() -> None:
    """PocketganError where the clock stands at a year that the archives we write cannot hold."""
    today = date.today()
    if today.year not in ZIP_YEARS:
        raise PocketganError(
            f"this machine's clock says {today}; archives, as networks are kept in, hold years "
            f"from {ZIP_YEARS[0]} to {ZIP_YEARS[-1]}.",
            "Set the clock, then give the command again.",
        )


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    """PocketganError for a name whose bytes are no text: no report could hold it."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise PocketganError(f"the name {argument!a} is not UTF-8.", "Rename it.") from error


def _print_overview() -> None:
    output = console(highlight=False)
    output.print(
        "[bold]pocketgan[/]: a GAN goes in; a small int8 .tflite generator that still draws comes "
        "out, with proof.\n\nStart with  [bold]pocketgan run digits[/]  and open "
        "runs/digits/7-report/report.html.\nA generator that reads pictures: "
        "[bold]pocketgan compress GENERATOR --inputs PHOTOS --max-gzip-kb 20[/].\n",
        markup=True,
    )
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, summary in SUMMARIES.items():
        table.add_row(Text(name, style="bold"), summary)
    output.print(table)
    output.print(
        "\n`pocketgan COMMAND --help` tells more of each, `pocketgan --version` which this is."
    )


def refuse(error: PocketganError, arguments: Sequence[str]) -> int:
    """Say what is wrong; with ``--json`` on standard output, too, where a program reads on."""
    if "--json" in arguments:
        with suppress(OSError):  # nobody reads it, or its disk is full: it is said below
            print(json.dumps(refusal(arguments[0], error), indent=1), flush=True)
    return complain(str(error))


def complain(message: str) -> int:
    text = "\n".join(map(printable, f"pocketgan: {message}".split("\n")))
    console(stderr=True, highlight=False, soft_wrap=True).print(text, style="red")
    return BAD_INPUT


def _explained(error: OSError) -> PocketganError:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PocketganError(
            f"{where}no space is left on the disk.", "Make room, then run the command again."
        )
    remedy = "Look whether that path is right, or name another."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = (
            "Let yourself read and write there, or name another folder: --runs DIR for runs, "
            "--out DIR for what a command writes."
        )
    return PocketganError(f"{where}{error.strerror or error}.", remedy)


def _in(function: str) -> Callable[[list[str]], int]:
    """The function ``module:name`` of ``pipeline.commands``, imported when it is called."""

    def act(arguments: list[str]) -> int:
        code: int = resolve_name(f"pipeline.commands.{function}")(arguments)
        return code

    return act


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    **{name: _in(f"{name}:{name}") for name in SUMMARIES},
    **{name: partial(stage, name) for name in FROM_SCRATCH.names},
    "benchmark": _in("benchmark:benchmark"),
    "explain": _in("explain:explain_file"),
    "verify": _in("verify:verify"),
    "list": _in("list:list_names"),
}


def run_as_program() -> None:
    """Entry point of the ``pocketgan`` command."""
    sys.exit(main())
