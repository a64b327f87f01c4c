"""How the tools of this folder talk: errors that a person can mend, one message, exit code 2."""

import sys
from collections.abc import Callable
from typing import NoReturn

from rich.console import Console

from deploy.errors import PocketganError

BAD_INPUT, INTERRUPTED = 2, 130


def run_as_program(main: Callable[[], int]) -> NoReturn:
    """End the program with what ``main`` gives."""
    try:
        sys.exit(main())
    except (PocketganError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
