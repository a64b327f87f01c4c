"""`pocketgan run FOLDER`: a recipe for pictures of one's own, out of a look at them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError
from pipeline.data.survey import survey
from pipeline.plans import RECIPE
from pipeline.recipe import RECIPES_FOLDER, Recipe, read_values

BASE = RECIPES_FOLDER / "base" / "own-pictures.yaml"
STEPS = {64: 9000, 32: 12000}
"""Side in pixels → steps of the training; larger pictures are shrunk to the largest side here."""
TEST_FRACTION, TEST_FRACTION_OF_FEW, FEW = 0.1, 0.2, 1000
"""Share of the pictures kept for the test, and that of fewer than FEW, since a judge needs some."""
SMALLEST_CLASS = 20
"""With fewer pictures of a class the network learns them by heart."""
MANY = 20_000
"""Pictures from which on they need no augmentation (Zhao 2020 has gains up to CIFAR's 50,000, but
most below a fifth of them)."""


def recipe_values(folder: Path) -> dict[str, Any]:
    """What a recipe for a folder of pictures says, before the command line changes it.

    Raises PocketganError for a folder without a picture that can be read, and for a run's folder.
    """
    folder = folder.expanduser()
    if (folder / RECIPE).is_file():
        raise PocketganError(
            f"{folder} is the folder of a run, not of pictures.",
            f"Go on with it by `pocketgan run {folder / RECIPE} --runs {folder.parent}`.",
        )
    pictures = survey(folder)
    side = next((size for size in STEPS if size <= pictures.side), pictures.side)
    values = {"name": _name(folder), **read_values(BASE)}
    test_fraction = TEST_FRACTION if pictures.count >= FEW else TEST_FRACTION_OF_FEW
    train: dict[str, Any] = {"steps": STEPS.get(side, STEPS[min(STEPS)])}
    if pictures.count >= MANY:
        train["augment"] = []
    return _merged(
        values,
        {
            "data": {
                "source": "folder",
                "folder": str(folder),
                "image_size": side,
                "channels": 1 if pictures.grey else 3,
                "test_fraction": test_fraction,
            },
            "generator": {"conditional": min(pictures.classes, default=0) >= SMALLEST_CLASS},
            "train": train,
        },
    )


def choices(recipe: Recipe) -> list[str]:
    """What was chosen, a line each with the option that changes it."""
    data, train = recipe.data, recipe.train
    colour = "grey" if data.channels == 1 else "colour"
    classes = "classes: the sub-folders" if recipe.generator.conditional else "no classes"
    return [
        f"recipe for {data.folder}, each value to be changed by its option:",
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
