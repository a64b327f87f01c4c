"""A shelf of boards: a YAML file that names them by labels, ``targets:FILE`` as a target::

    boards:
      Raspberry Pi 4: ssh:pi@pi4.lan
      old phone: android:R58N12ABCDE

A shelf holds what runs elsewhere: boards by ssh, phones by serial. What runs on this machine is
named beside it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.errors import PocketganError, one_of
from deploy.home import in_home
from deploy.repeated_keys import repeated_key

PREFIX = "targets:"
KINDS_OF_BOARDS = ("ssh:", "android:")
EXAMPLE = """Write for instance:
    boards:
      Raspberry Pi 4: ssh:pi@pi4.lan
      phone: android:SERIAL"""
LONGEST_LABEL = 60


def paths(names: Iterable[str]) -> list[Path]:
    """The files of those of the targets' ``names`` that are shelves."""
    # No shell turns a ~ into the home within a word, and none reads a recipe.
    files = (Path(name.removeprefix(PREFIX)) for name in names if name.startswith(PREFIX))
    return [in_home(file) for file in files]


def read_shelf(path: Path) -> dict[str, str]:
    """Label → target's name, in the file's order.

    Raises:
        PocketganError: there is no such file, or it is no shelf; says where and what.
    """
    document = _read(path)
    if not isinstance(document, Mapping) or "boards" not in document:
        raise PocketganError(f"{path} is no shelf: it has no `boards`", EXAMPLE)
    for key in document:
        if key != "boards":
            raise PocketganError(
                f"{path}: a shelf has no key {key!r}", one_of(str(key), ["boards"])
            )
    boards = document["boards"]
    if not isinstance(boards, Mapping) or not boards:
        raise PocketganError(f"{path}: `boards` holds no labels with targets", EXAMPLE)
    for label, name in boards.items():
        _check(path, label, name)
    names = list(boards.values())
    for name in names:
        if names.count(name) > 1:
            raise PocketganError(f"{path}: {name} stands there twice", "Name each board once.")
    return dict(boards)


def _read(path: Path) -> Any:
    try:
        text = path.read_text("utf-8")
        document, repeated = yaml.safe_load(text), repeated_key(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise PocketganError(f"cannot read the shelf {path}: {reason}", EXAMPLE) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise PocketganError(f"{path}{place}: {problem}", EXAMPLE) from error
    if repeated:
        problem = f"{path}, line {repeated.line}: {repeated.name!r} stands there twice"
        raise PocketganError(problem, EXAMPLE)
    return document


def _check(path: Path, label: object, name: object) -> None:
    """Whether a label and a target's name can stand on a shelf."""
    if not isinstance(label, str) or not label.strip() or not label.isprintable():
        raise PocketganError(f"{path}: {label!r} is no label", "Write it as text, in quotes.")
    if len(label) > LONGEST_LABEL:
        problem = f"{path}: a label is longer than {LONGEST_LABEL} characters: {label}"
        raise PocketganError(problem, "Shorten it.")
    if not isinstance(name, str):
        raise PocketganError(f"{path}: {label}: its target is no text", EXAMPLE)
    if not name.startswith(KINDS_OF_BOARDS):
        raise PocketganError(
            f"{path}: {label}: {name!r} is no board",
            "Write ssh:user@host[:port] or android:SERIAL; what runs on this machine is named by "
            "a --target of its own.",
        )
