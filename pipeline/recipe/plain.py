"""A recipe as plain values: a file of its own, a record, its leaves."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from functools import reduce
from operator import getitem
from typing import Any

import yaml

from pipeline.recipe.sections import Recipe
from pipeline.training.settings import TranslationWeights

LATER_KEYS = (
    *("data.inputs", "data.degrade", "data.cut", "evaluate.judge", "teacher.cut", "convert.sizes"),
    *("budget.minutes", "budget.max_flash_kb", "search.halvings", "teacher.input_size"),
    *("teacher.input", "teacher.output", "teacher.on_white", "teacher.signature"),
    "teacher.self_ensemble",
    *("data.image_width", "train.r2", "train.feature_matching", "train.information"),
    *("generator.codes", "discriminator.minibatch_deviation"),
    *("evaluate.directions", "generator.truncation", "train.growth", "train.multi_agent"),
    *("data.coupled", "threads", "student.matching"),
    *(f"train.{side}_weights.orthogonal" for side in ("generator", "discriminator")),
    *(f"translation.{weight.name}" for weight in fields(TranslationWeights)),
)
"""Keys that came after runs had been made without them."""


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe, every default written out; ``load_recipe`` reads it back."""
    text: str = yaml.safe_dump(plain(recipe), sort_keys=False, allow_unicode=True)
    return text


def as_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values: the checked numbers of the dataclasses are types of their own.

    Records and provenance hold hashes of it, so a key of LATER_KEYS that has its default is left
    out: such a recipe means what it meant before there was the key.
    """
    values, defaults = plain(recipe), plain(Recipe(name=recipe.name))
    for key in LATER_KEYS:
        *sections, name = key.split(".")
        section, default = (reduce(getitem, sections, tree) for tree in (values, defaults))
        if section[name] == default[name]:
            del section[name]
    return {name: value for name, value in values.items() if value != {}}


def plain(recipe: Recipe) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(asdict(recipe), default=str))
    return values


def leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested mapping, each under its dotted key; lists count as leaves."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
