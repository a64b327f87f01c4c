"""The ``pocketgan`` command, also as ``python -m pipeline``."""

import sys

from deploy.errors import PocketganError
from pipeline import guard


def main() -> None:
    """Load the command line and run it, in a child process if it reads files of others.

    Ctrl-C while it loads ends quietly, as later.
    """
    arguments = sys.argv[1:]
    help_only = {"-h", "--help"} & set(arguments)
    try:
        if arguments[:1] and arguments[0] in guard.GUARDED and not (guard.is_child() or help_only):
            sys.exit(guard.run_in_child(arguments))
        from pipeline.cli import run_as_program

        run_as_program()
    except PocketganError as error:
        from pipeline.cli import refuse

        sys.exit(refuse(error, arguments))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
