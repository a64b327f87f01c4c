"""The two plans that a run can follow: a GAN is trained here, or a generator is there already."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

import yaml

from pipeline.native_log import native_log
from pipeline.recipe.sections import Recipe
from pipeline.stage import Stage

RECIPE = "recipe.yaml"


def command_for(folder: Path, command: str = "run") -> str:
    """What makes all that is due in a run's folder, or one stage: a line for a shell."""
    folder = folder.absolute()
    recipe, runs = str(folder / RECIPE), str(folder.parent)
    return shlex.join(["pocketgan", command, recipe, "--runs", runs])


class Step(NamedTuple):
    """A stage of a plan, before it is loaded."""

    title: str
    """What it does, in a line."""
    declared_in: str
    """Where it is declared, below ``pipeline.stages``: ``module:function``."""


@dataclass(frozen=True)
class Plan:
    """The stages of a run, in order, by name; they are loaded when one is asked for."""

    steps: Mapping[str, Step]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.steps)

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """Name → declaration. Loads TensorFlow, quietly."""
        with native_log(Path(os.devnull)):
            return {
                name: resolve_name(f"pipeline.stages.{step.declared_in}")
                for name, step in self.steps.items()
            }

    def folder(self, run: Path, name: str) -> Path:
        """The folder of a stage in a run's folder."""
        return run / f"{self.names.index(name) + 1}-{name}"

    def lineage(self, name: str) -> set[str]:
        """The sections of the recipe that a stage and all before it declare."""
        stage = self.stages[name]
        return set(stage.settings).union(*(self.lineage(need) for need in stage.needs))


_QUANTIZE = "fold batch norm, then fine-tune with int8 rounding"
_CONVERT = "write every variant as .tflite, and check it"
_EVALUATE = "measure what each file draws"
_BENCHMARK = "measure speed and memory of each file"
_REPORT = "put it all on one page"

FROM_SCRATCH = Plan(
    {
        "train": Step("train the GAN; keep the averaged generator", "train:train"),
        "prune": Step("grow zeros in the kernels while the training goes on", "prune:prune"),
        "quantize": Step(_QUANTIZE, "quantize:quantize"),
        "convert": Step(_CONVERT, "convert:convert"),
        "evaluate": Step(_EVALUATE, "evaluate:evaluate"),
        "benchmark": Step(_BENCHMARK, "benchmark:benchmark"),
        "report": Step(_REPORT, "report:report"),
    }
)
"""The plan of a recipe: a GAN is trained here."""

FROM_TEACHER = Plan(
    {
        "teacher": Step("import the generator; let it draw for its student", "teacher:teacher"),
        "search": Step("try students that fit the budget; the best go on", "search:search"),
        "student": Step(
            "distill the chosen one, and train it as a GAN where wanted", "student:student"
        ),
        "quantize": Step(_QUANTIZE, "quantize_student:quantize_student"),
        "convert": Step(_CONVERT, "convert:convert_student"),
        "evaluate": Step(_EVALUATE, "evaluate:evaluate_student"),
        "benchmark": Step(_BENCHMARK, "benchmark:benchmark_student"),
        "report": Step(_REPORT, "report:report_student"),
    }
)
"""The plan of `pocketgan compress`: a generator is there, and a smaller one learns from it."""


def plan_of(recipe: Recipe) -> Plan:
    """The plan that a recipe follows."""
    return FROM_SCRATCH if recipe.teacher.file is None else FROM_TEACHER


def plan_of_folder(folder: Path) -> Plan:
    """The plan of the run in a folder, as its recipe says; FROM_SCRATCH where that is damaged."""
    try:
        recipe = yaml.safe_load((folder / RECIPE).read_text(encoding="utf-8"))
        file = recipe["teacher"]["file"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return FROM_SCRATCH  # recipes of older versions know no teacher
    return FROM_SCRATCH if file is None else FROM_TEACHER
