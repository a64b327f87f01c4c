"""The options that say which way into a .tflite is meant: ``--signature`` and ``--size``."""

import re
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentParser

from deploy.errors import PocketganError
from pipeline.tflite.entry import PICTURE_SIDES, EntryChoice, Sides

_SIZE = re.compile(r"\d{1,5}([x×]\d{1,5})*")


def add_entry_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--signature", type=str, help="which signature is meant, where a file has several"
    )
    parser.add_argument(
        "--size",
        action="append",
        type=str,
        help="as in 640x480: the width, then the height of pictures that a file leaves free or "
        "fixes at another size; of one input of several as in photo=640x480",
    )


def entry_choice(options: Any) -> EntryChoice:
    """What ``options`` say; PocketganError for a size that is none."""
    return EntryChoice(options.signature, dict(map(_named_size, options.size or ())))


def _named_size(text: str) -> tuple[str, Sides]:
    name, _, size = text.rpartition("=")
    sides: Sequence[int] = [int(s) for s in re.split("[x×]", size)] if _SIZE.fullmatch(size) else ()
    if not sides or min(sides) < 1:
        raise PocketganError(
            f"--size {text}: that is no size", "Write for instance 256x256, or photo=256x256."
        )
    return name, tuple(sides[::-1] if len(sides) == PICTURE_SIDES else sides)
