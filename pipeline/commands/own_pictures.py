"""`pocketgan run FOLDER`: a recipe for pictures of one's own, out of a look at them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError, plain
from pipeline.data.survey import survey
from pipeline.networks.settings import IMAGENET_SIDE
from pipeline.plans import RECIPE, command_for
from pipeline.recipe.reading import RECIPES_FOLDER, load_recipe, read_values
from pipeline.recipe.sections import DataSettings, Recipe

BASE = RECIPES_FOLDER / "base" / "own-pictures.yaml"
STEPS = {64: 9000, 32: 12000}
"""Side in pixels → steps of the training; larger pictures are shrunk to the largest side here."""
TEST_FRACTION, TEST_FRACTION_OF_FEW, FEW = 0.1, 0.2, 1000
"""Share of the pictures kept for the test, and that of fewer than FEW, since a judge needs some."""
LEAST_TEST = 6
"""Test pictures that the figures need (``evaluate.FEWEST``, whose module loads TensorFlow)."""
SMALLEST_CLASS = 20
"""With fewer pictures of a class the network learns them by heart."""
MANY = 20_000
"""Pictures from which on they need no augmentation (Zhao 2020 has gains up to CIFAR's 50,000, but
most below a fifth of them)."""
UNPUBLISHED = {
    "discriminator": {"name": "r3gan", "width": 16},
    "train": {"loss": "relativistic", "r1": 0.5, "r2": 0.5, "r1_every": 1},
}
"""Where the published network cannot look at the pictures."""


def recipe_of(folder: Path, overrides: Sequence[str]) -> Recipe:
    """The recipe for a folder of pictures, changed by the command line.

    Raises PocketganError for a folder without a picture that can be read, for a run's folder, and
    as ``load_recipe`` does.
    """
    if (folder / RECIPE).is_file():
        raise PocketganError(
            f"{folder} is the folder of a run, not of pictures.",
            f"Go on with it: {command_for(folder)}",
        )
    base = read_values(BASE)
    values = _merged({"name": _name(folder), **base}, _of_pictures(folder, base["train"]["batch"]))
    size = load_recipe(values, overrides).data
    return load_recipe(_merged(values, _of_size(size)), overrides)


def _of_pictures(folder: Path, batch: int) -> dict[str, Any]:
    """What follows from a look at the pictures; ``batch`` is that of a training on enough."""
    pictures = survey(folder)
    test_fraction = _test_fraction(pictures.count)
    to_train_on = pictures.count - max(1, round(test_fraction * pictures.count))
    train: dict[str, Any] = {"batch": max(1, min(batch, to_train_on))}
    if pictures.count >= MANY:
        train["augment"] = []
    return {
        "data": {
            "source": "folder",
            "folder": str(folder),
            "image_size": next((size for size in STEPS if size <= pictures.side), pictures.side),
            "channels": 1 if pictures.grey else 3,
            "test_fraction": test_fraction,
        },
        "generator": {"conditional": min(pictures.classes, default=0) >= SMALLEST_CLASS},
        "train": train,
    }


def _test_fraction(count: int) -> float:
    """A share that leaves the figures enough of ``count`` pictures, half of them at most."""
    if count >= FEW:
        return TEST_FRACTION
    return max(TEST_FRACTION_OF_FEW, min(0.5, LEAST_TEST / count))


def _of_size(data: DataSettings) -> dict[str, Any]:
    """What follows from the size and the colours that the pictures get."""
    side = min(data.shape[:2])
    steps = next((steps for size, steps in STEPS.items() if size <= side), STEPS[min(STEPS)])
    values: dict[str, Any] = {"train": {"steps": steps}}
    if data.channels == 3 and side >= IMAGENET_SIDE:
        return values
    return _merged(UNPUBLISHED, values)


def choices(recipe: Recipe) -> list[str]:
    """What was chosen, a line each with the option that changes it."""
    data, train = recipe.data, recipe.train
    colour = "grey" if data.channels == 1 else "colour"
    classes = "classes: the sub-folders" if recipe.generator.conditional else "no classes"
    return [
        f"recipe for {plain(str(data.folder))}, each value to be changed by its option:",
        f"{data.image_size} pixels a side (--data.image_size), {colour} (--data.channels), "
        f"{classes} (--generator.conditional)",
        f"network {recipe.generator.name} (--generator.name), {train.steps:,} steps of "
        f"{train.batch} pictures (--train.steps), augmented by "
        f"{', '.join(train.augment) or 'nothing'} (--train.augment)",
    ]


def _name(folder: Path) -> str:
    """The folder's own, in characters that a run's folder may have."""
    return re.sub(r"[^\w.-]+", "-", folder.resolve().name).strip("-.") or "pictures"


def _merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    sections = {name: {**base.get(name, {}), **section} for name, section in change.items()}
    return {**base, **sections}
