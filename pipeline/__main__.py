"""The ``pocketgan`` command, also as ``python -m pipeline``."""

import sys


def main() -> None:
    """Load the command line and run it; Ctrl-C while it loads ends quietly, as later."""
    try:
        from pipeline.cli import run_as_program

        run_as_program()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
