"""What compress starts from, of latents and of pictures, and what its help says of both."""

from typing import Any

from pipeline.recipe.reading import RECIPES_FOLDER, load_recipe, read_values
from pipeline.recipe.sections import Recipe

LATENTS_BASE = RECIPES_FOLDER / "base" / "compress.yaml"
PICTURES_BASE = RECIPES_FOLDER / "base" / "compress-pictures.yaml"
_OF_COMPRESS = ("budget", "search", "teacher")
"""Sections that no run's recipe decides on."""


def default_of(key: str) -> str:
    """What the help of an option says of its ``section.name``; empty where nothing is set."""
    if key.split(".")[0] not in _OF_COMPRESS:
        return ""
    latents, pictures = (_value(recipe, key) for recipe in _recipes())
    return "" if latents is pictures is None else f" (default: {_both(latents, pictures)})"


def changed_defaults() -> list[str]:
    """Options with what compress sets them to, where that is not the recipe's own default."""
    bases = (read_values(LATENTS_BASE), read_values(PICTURES_BASE))
    keys = dict.fromkeys(
        f"{section}.{name}" for base in bases for section, names in base.items() for name in names
    )
    recipes = _recipes()
    values = {key: _both(*(_value(recipe, key) for recipe in recipes)) for key in keys}
    return [f"--{key}: {value}" for key, value in values.items()]


def starting_recipe(*, latent: bool) -> Recipe:
    """What compress starts from where a generator reads latents, or pictures."""
    file = LATENTS_BASE if latent else PICTURES_BASE
    return load_recipe({"name": file.stem, **read_values(file)})


def _recipes() -> tuple[Recipe, Recipe]:
    """That for generators of latents, and that for those which read pictures."""
    return starting_recipe(latent=True), starting_recipe(latent=False)


def _value(recipe: Recipe, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(recipe, section), name)


def _both(latents: Any, pictures: Any) -> str:
    if latents == pictures:
        return _text(latents)
    return f"{_text(latents)} (latents), {_text(pictures)} (pictures)"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return "none" if value is None else str(value)
