"""Ways into the tiny run, and a context for a stage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.stage import SECTIONS, Outcome, Record, StageContext, stage

ANYTHING = stage("anything", settings=SECTIONS, reads_pictures=True)(lambda _: Outcome())


@pytest.fixture
def tiny(tiny_runs: Path, tiny_recipe: Path) -> Run:
    """The finished run. For looking at only."""
    return Run(load_recipe(str(tiny_recipe)), tiny_runs)


@pytest.fixture
def record(tiny: Run) -> Callable[[str], Record]:
    """A function that gives a stage's record."""

    def read(name: str) -> Record:
        record_of_stage = tiny.record(name)
        assert record_of_stage is not None
        return record_of_stage

    return read


@pytest.fixture
def ctx(tiny_recipe: Path, tmp_path: Path) -> Callable[..., StageContext]:
    """A function that makes a context that allows everything; arguments change the recipe."""

    def make(*overrides: str) -> StageContext:
        run = Run(load_recipe(str(tiny_recipe), overrides), tmp_path)
        return run.context(ANYTHING, tmp_path)

    return make


@pytest.fixture
def unequal(tmp_path: Path) -> str:
    """A folder of two classes, one with three times as many pictures as the other."""
    random = np.random.default_rng(0)
    for name, count in {"a": 60, "b": 20}.items():
        folder = tmp_path / "unequal" / name
        folder.mkdir(parents=True)
        for number in range(count):
            noise = random.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{number}.png")
    return str(tmp_path / "unequal")
