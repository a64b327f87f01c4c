"""Recipes: found, read from files and command lines, and checked."""

import warnings
from argparse import ArgumentError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from jsonargparse import ArgumentParser, Namespace, get_loader

from deploy.errors import PocketganError, guess, one_of
from deploy.repeated_keys import repeated_key
from pipeline.parser_words import reason
from pipeline.recipe.mistakes import mistakes_of
from pipeline.recipe.sections import Recipe

RECIPES_FOLDER = Path(__file__).parent.parent / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Name → file of the recipes that come with pocketgan."""
    return {path.stem: path for path in sorted(RECIPES_FOLDER.glob("*.yaml"))}


def find_recipe(name: str) -> Path:
    """The file of a shipped recipe's name, or the path itself; PocketganError if there is none."""
    shipped = shipped_recipes()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.is_file():
        return path
    raise PocketganError(
        f"There is no recipe '{name}': neither a file, a folder of pictures, nor a recipe that "
        "ships.",
        one_of(name, shipped),
    )


def load_recipe(
    base: str | Mapping[str, Any], *overrides: Sequence[str] | Mapping[str, Any]
) -> Recipe:
    """The checked recipe of ``base``, changed by each of ``overrides`` in turn.

    ``base`` is the name of a recipe that ships, the path of a YAML file, or values as such a file
    holds them. An override is a list of command-line arguments, such as ``["--train.steps", "9"]``,
    or again values, whose keys may have dots: ``{"train.steps": 9}``.

    Raises PocketganError naming the file or the command line, the key, and what would be right.
    """
    if isinstance(base, str):
        path = find_recipe(base)
        origin, values = f"recipe {path}", {"name": path.stem, **read_values(path)}
    else:
        origin, values = f"recipe {base.get('name', '')}", dict(base)
    recipe, namespace = _apply(values, to=None, origin=origin)
    for override in overrides:
        if override:
            origin = "options" if isinstance(override, Mapping) else "command line"
            recipe, namespace = _apply(override, to=namespace, origin=origin)
    return recipe


@cache
def _parser() -> ArgumentParser:
    """Of recipes; making it takes as long as what it does for one."""
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(Recipe)
    return parser


def read_values(path: Path) -> dict[str, Any]:
    """Section → values of a recipe's file, not checked yet. PocketganError if it is no YAML."""
    with _explained(f"recipe {path}"):
        text = path.read_text(encoding="utf-8")
        plain = yaml.safe_load(text)  # its syntax errors name line and cause
        _refuse_repeated_key(text)
        if plain:
            _check_sections(plain)
        values: dict[str, Any] = get_loader("yaml")(text) or {}  # 1e-3 is a number here, not a text
    if not values:
        raise PocketganError(
            f"recipe {path} is empty: it does not say what to train on.",
            "Name the pictures, for instance with the line `data: {source: digits}`.",
        )
    return values


def _apply(
    change: Sequence[str] | Mapping[str, Any],
    *,
    to: Namespace | None,
    origin: str,
) -> tuple[Recipe, Namespace]:
    """``to`` with a change, as a checked recipe and for the next change."""
    parser = _parser()
    with _explained(origin):
        if isinstance(change, Mapping):
            _check_sections(change)
            namespace = parser.parse_object(dict(change), namespace=to)
        else:
            namespace = parser.parse_args(list(change), namespace=to)
        recipe = Recipe(**dict(parser.instantiate(namespace)))
    for problem, remedy in mistakes_of(recipe):
        raise PocketganError(f"{origin}: {problem}", remedy)
    return recipe, namespace


@contextmanager
def _explained(origin: str) -> Iterator[None]:
    """Mistakes in values become PocketganError, beginning with ``origin``: where they stand."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except RecursionError as error:
        raise PocketganError(
            f"{origin}: a value holds itself.", "Write it out where an alias (*) names it."
        ) from error
    except (ArgumentError, yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise PocketganError(
            f"{origin}: {reason(error, [f'--{key}' for key in recipe_keys()])}",
            "`pocketgan run --help` explains every key and its values.",
        ) from error


@cache
def recipe_keys() -> dict[str, Any]:
    """Every key of a recipe, dotted, with its type; those of sections too."""
    return _keys_of(Recipe, "")


def _keys_of(section: Any, above: str) -> dict[str, Any]:
    types = {f"{above}{name}": wanted for name, wanted in get_type_hints(section).items()}
    for key, wanted in list(types.items()):
        if is_dataclass(wanted):
            types |= _keys_of(wanted, f"{key}.")
    return types


def _check_sections(values: Any, above: str = "") -> None:
    """Raise ValueError, naming the key, for what the parser passes over or calls by other names.

    A number where a section belongs, an empty value, which it takes for None, and an unknown key.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{above.rstrip('.') or 'the file'} holds no keys but {values!r}")
    types = recipe_keys()
    for name, value in values.items():
        key = f"{above}{name}"
        wanted = types.get(key.removesuffix("+"))
        if is_dataclass(wanted):
            _check_sections(value, f"{key}.")
        elif wanted is None and not _is_below_a_leaf(key, types):
            raise ValueError(f"there is no key '{key}'. {guess(key, types)}".rstrip())
        elif value is None and wanted is not None and type(None) not in get_args(wanted):
            raise ValueError(f"{key} has no value")


def _is_below_a_leaf(key: str, types: Mapping[str, Any]) -> bool:
    """Whether a key belongs to a value that has keys of its own, such as prune.layers."""
    above = key.rpartition(".")[0]
    if not above:
        return False
    return not is_dataclass(types[above]) if above in types else _is_below_a_leaf(above, types)


def _refuse_repeated_key(text: str) -> None:
    """Raise ValueError for a key that stands twice in the YAML ``text``."""
    if repeated := repeated_key(text):
        lines = f"{repeated.first_line} and {repeated.line}"
        raise ValueError(f"the key '{repeated.name}' stands twice, in lines {lines}")
