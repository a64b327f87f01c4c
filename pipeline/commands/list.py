"""The command list: what a recipe may name."""

import os
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from rich.table import Table
from rich.text import Text

from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.data.coupling import SECOND_DOMAINS
from pipeline.data.degrade import DEGRADATIONS
from pipeline.data.sources import SOURCES
from pipeline.native_log import native_log
from pipeline.recipe.reading import find_recipe, shipped_recipes

Catalogue = dict[str, dict[str, str]]


def list_names(arguments: list[str]) -> int:
    options = parse(command_parser("list", "json"), arguments)
    names = catalogue()
    show(options, names, lambda: render(names))
    return OK


def catalogue() -> Catalogue:
    """Kind → name → one line about it."""
    with native_log(Path(os.devnull)):
        from pipeline.networks.registry import DISCRIMINATORS, GENERATORS, TRANSLATORS
        from pipeline.networks.student import DOUBLINGS
        from pipeline.networks.translators import FAMILIES
        from pipeline.search.builder import SLIM
        from pipeline.training.augment import AUGMENTATIONS
        from pipeline.training.losses import LOSSES
    slim = {SLIM: "the teacher's own layers with fewer channels"}
    return {
        "recipes": {name: _first_comment(name) for name in shipped_recipes()},
        "data sources": {name: source.describe for name, source in SOURCES.items()},
        "degradations": {name: each.describe for name, each in DEGRADATIONS.items()},
        "second domains": {name: each.describe for name, each in SECOND_DOMAINS.items()},
        "generators": {
            name: _first_line(build) for name, build in (GENERATORS | TRANSLATORS).items()
        },
        "discriminators": {name: _first_line(build) for name, build in DISCRIMINATORS.items()},
        "blocks of students that read latents": {
            **{name: _first_line(double) for name, double in DOUBLINGS.items()},
            **slim,
        },
        "blocks of students that read pictures": {
            **{name: family.describe for name, family in FAMILIES.items()},
            **slim,
        },
        "losses": {name: loss.describe for name, loss in LOSSES.items()},
        "augmentations": {name: _first_line(change) for name, change in AUGMENTATIONS.items()},
    }


def render(catalogue: Mapping[str, Mapping[str, str]]) -> Table:
    """The catalogue as a table for the terminal."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for kind, names in catalogue.items():
        table.add_row(Text(kind, style="bold"), "")
        for name, describe in names.items():
            table.add_row(f"  {name}", describe)
    return table


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").strip().splitlines()[0]


def _first_comment(name: str) -> str:
    """All lines of the comment that a recipe begins with, as one."""
    lines = find_recipe(name).read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line.removeprefix("#").strip() for line in comment)
