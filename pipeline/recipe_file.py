"""Reading a recipe: a file that ships or a path, then what the command line changes."""

import difflib
import glob
import json
import warnings
from argparse import ArgumentError
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from os import PathLike
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from jsonargparse import ArgumentParser, set_parsing_settings

from deploy.errors import PocketganError
from pipeline.data.sources import SOURCES
from pipeline.recipe import LEAST_BITS, MOST_BITS, SHIPPED, Recipe
from pipeline.report.run.gates import parse_gate


def shipped() -> dict[str, Path]:
    """Name → file of the recipes that come with pocketgan."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def find(name: str) -> Path:
    """The file of a shipped recipe's name, or the path itself; PocketganError if there is none."""
    known = shipped()
    if name in known:
        return known[name]
    path = Path(name)
    if path.is_file():
        return path
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    raise PocketganError(
        f"There is no recipe '{name}': neither a file nor a recipe that ships.",
        f"{guess}Known: {', '.join(known)}.",
    )


def add_recipe(parser: ArgumentParser, *, docstrings: bool = False) -> None:
    """Let a parser take every value of a recipe, as ``--section.key``; docstrings for its help."""
    if docstrings:
        set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser.add_class_arguments(Recipe)


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of that name or path with command-line ``overrides`` such as ``--train.steps 9``.

    Raises PocketganError naming the file or the command line, the key, and what would be right.
    """
    path = find(name)
    recipe = _parse(path, [], f"recipe {path}")
    return _parse(path, list(overrides), "command line") if overrides else recipe


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe, every default written out; ``load`` reads it back."""
    text: str = yaml.safe_dump(as_dict(recipe), sort_keys=False, allow_unicode=True)
    return text


def as_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values: the checked numbers of the dataclasses are types of their own."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(recipe), default=str))
    return values


def _parse(path: Path, overrides: list[str], where: str) -> Recipe:
    """The checked recipe; ``where`` is what to name in an error."""
    # Escaped, because a name such as [1].yaml would be taken for a pattern that matches nothing.
    files: list[str | PathLike[str]] = [glob.escape(str(path))]
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False, default_config_files=files)
    add_recipe(parser)
    parser.set_defaults(name=path.stem)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_values(yaml.safe_load(path.read_text(encoding="utf-8")) or {}, Recipe)
            recipe = Recipe(**dict(parser.instantiate(parser.parse_args(overrides))))
    except (ArgumentError, yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise PocketganError(
            f"{where}: {reason}", "`pocketgan run --help` explains every key and its values."
        ) from error
    _check_names(recipe, where)
    return recipe


def _check_values(values: Any, part: Any, above: str = "") -> None:
    """The parser passes over a number where a section belongs, and takes an empty value for None.

    Raises ValueError that names the key.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{above.rstrip('.') or 'the file'} holds no keys but {values!r}")
    types = get_type_hints(part)
    for key, value in values.items():
        wanted = types.get(key)
        if is_dataclass(wanted):
            _check_values(value, wanted, f"{above}{key}.")
        elif value is None and type(None) not in get_args(wanted):
            raise ValueError(f"{above}{key} has no value")


def _check_names(recipe: Recipe, where: str) -> None:
    """What types cannot say, and what would otherwise be noticed only after a long training."""
    if recipe.data.source not in SOURCES:
        raise PocketganError(
            f"{where}: data.source: there is no source '{recipe.data.source}'.",
            f"Known: {', '.join(SOURCES)}.",
        )
    if recipe.name != Path(recipe.name).name or recipe.name in ("", ".", ".."):
        raise PocketganError(
            f"{where}: name: '{recipe.name}' cannot be the name of a folder.",
            "Use letters, digits, '-' and '_'.",
        )
    for layer, share in recipe.prune.layers.items():
        if not 0 <= share <= 1:
            raise PocketganError(
                f"{where}: prune.layers.{layer}: {share} is no share of zeros.",
                "Give a number from 0 to 1.",
            )
    for layer, bits in recipe.quantize.layers.items():
        if not LEAST_BITS <= bits <= MOST_BITS:
            raise PocketganError(
                f"{where}: quantize.layers.{layer}: a weight cannot have {bits} bits.",
                f"Give a whole number from {LEAST_BITS} to {MOST_BITS}.",
            )
    if not recipe.benchmark.threads:
        raise PocketganError(
            f"{where}: benchmark.threads is empty.", "Give at least one number of threads, as [1]."
        )
    for gate in recipe.report.gates:
        try:
            parse_gate(gate)
        except PocketganError as error:
            raise PocketganError(f"{where}: report.gates: {error.problem}", error.remedy) from error
