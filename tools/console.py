"""How the tools of this folder talk: errors that a person can mend, one message, exit code 2."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from deploy.errors import PocketganError
from pipeline.atomic import write_text
from pipeline.consoles import console
from tools.tables import Table

BAD_INPUT, INTERRUPTED = 2, 130


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Where a tool that makes a table puts it."""
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/digits")
    parser.add_argument("--json", action="store_true", help="the rows as JSON on standard output")
    parser.add_argument("--markdown", type=Path, help="write the table to this file, for the docs")


def show_table(table: Table, rows: Any, options: argparse.Namespace) -> None:
    """Print ``found``, or ``rows`` as JSON, and write the Markdown that was asked for."""
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        console().print(table.for_terminal())
    if options.markdown:
        write_text(options.markdown, table.markdown())


def run_as_program(main: Callable[[], int]) -> NoReturn:
    """End the program with what ``main`` gives."""
    try:
        sys.exit(main())
    except (PocketganError, OSError) as error:
        console(stderr=True, soft_wrap=True).print(str(error), style="red")
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
