"""``python -m pipeline`` is ``pocketgan``."""

from pipeline.cli import run_as_program

run_as_program()
