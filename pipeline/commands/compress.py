"""The command compress: a generator and a budget become a recipe, and the recipe is run."""

import argparse
import hashlib
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from deploy.errors import PocketganError
from pipeline import progress, recipe_file
from pipeline.commands.check import add_generator, generator_options
from pipeline.commands.run import run_all
from pipeline.data.sources import TEACHER
from pipeline.native_log import native_log
from pipeline.recipe import SHIPPED, Recipe
from pipeline.run import RECORD, Run, file_sha256, stage_folder
from pipeline.search.budget import gates_of

COMPRESS = """The smallest generator within a budget, from yours or anyone's: a generator goes in,
and a budget; a small int8 .tflite that draws like it comes out, with a report. Students within the
budget are tried, the best is taught by the generator and rounded to int8. GENERATOR is a run's
folder, a .keras or .h5 file, or a SavedModel (`pocketgan check` says whether it can be compressed).
The same command again goes on where it was stopped, and does nothing that is done."""
EPILOG = """Every value of the recipe can be changed too, for instance --search.trials 40,
--student.steps 8000 or --search.study sqlite:///study.db; `pocketgan run --help` explains each.
Examples: pocketgan compress runs/digits --max-gzip-kb 12;
pocketgan compress dcgan.keras --max-kb 60 --max-ms 0.2;
pocketgan compress pix2pix.keras --inputs photos --max-macs 20000000"""
LOCAL = "local"
ENOUGH = {"student": 3000, "quantize": 2000}
"""Steps that a student gets even where half of its teacher's are fewer, but no more than those."""
L1_OF_COPIES = 1e-5
"""A student that sees its teacher's pictures only loses more to the penalty, and fewer bytes need
saving: docs/decisions.md."""
BASE = SHIPPED / "base" / "compress.yaml"
OF_A_RUN = ("seed", "data", "generator", "discriminator", "train", "convert", "evaluate")
"""Sections of a run's recipe that its student keeps."""

_VALUES = {
    "max_kb": ("budget.max_kb", "the file's length, in 1,000 bytes"),
    "max_gzip_kb": ("budget.max_gzip_kb", "the gzipped file's length, in 1,000 bytes"),
    "max_macs": ("budget.max_macs", "multiply-accumulates of a picture"),
    "max_ms": ("budget.max_ms", "median milliseconds of a picture on the target, one thread"),
    "max_quality_drop": (
        "budget.max_quality_drop",
        "how much the Fréchet distance may grow: 5%% or 0.05; the smallest such file is made",
    ),
    "target": ("budget.target", "where --max-ms holds; `pocketgan targets` lists them"),
    "data": ("data.source", "real pictures: a source of `pocketgan list`; without, none are used"),
    "data_folder": ("data.folder", "folder of real pictures, or of the source's files"),
    "discriminator": (
        "teacher.discriminator",
        "the discriminator's file, if you have it; a run's is used unless this is 'none'",
    ),
    "inputs": ("teacher.inputs", "folder of pictures, for a generator that reads pictures"),
    "trials": ("search.trials", "students to try"),
    "name": ("name", "of the run's folder; by default the generator's with the budget"),
}


def compress(arguments: list[str]) -> int:
    """Make the recipe and run it."""
    options, overrides = parse(arguments)
    if options.quiet or options.json:
        progress.silence()
    with native_log(Path(os.devnull)):
        run = run_of(options, overrides)
    return run_all(run, options)


class _Parser(argparse.ArgumentParser):
    """One message in place of usage and the end of the program."""

    def error(self, message: str) -> NoReturn:
        raise PocketganError(f"{self.prog}: {message}", f"`{self.prog} --help` tells more.")


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command's own options, and what is left over: values of the recipe.

    Raises PocketganError for an option without its value, or no generator.
    """
    made = _Parser(
        prog="pocketgan compress", description=COMPRESS, epilog=EPILOG, allow_abbrev=False
    )
    add_generator(made)
    for name, (_, words) in _VALUES.items():
        made.add_argument(f"--{name.replace('_', '-')}", help=words)
    made.add_argument(
        "--data-free", action="store_true", help="of a run use the generator only, no pictures"
    )
    made.add_argument("--runs", default="runs", help="folder in which each run has its own")
    made.add_argument("--quiet", action="store_true", help="no progress, no notes")
    made.add_argument("--json", action="store_true", help="the result as JSON")
    return made.parse_known_args(arguments)


def run_of(options: argparse.Namespace, overrides: list[str]) -> Run:
    """The run of a generator and a budget, everything that can be refused at once refused.

    Raises PocketganError for a generator, a budget, or what goes with them, that does not do.
    """
    from pipeline.importers.teacher import load_teacher
    from pipeline.search.builder import StudentBuilder
    from pipeline.search.refuse import refuse_budget, refuse_company
    from pipeline.search.space import space_of

    path = Path(options.generator)
    with progress.console.status(f"look at {path}"):
        teacher = load_teacher(path, **generator_options(options))
    _refuse_shape(teacher, options)
    recipe = _load(path, options, overrides, _facts(teacher))
    builder = StudentBuilder(teacher, recipe.seed)
    refuse_budget(recipe.budget, builder, space_of(recipe, builder))
    run = Run(recipe, Path(options.runs))
    refuse_company(run, builder)
    return run


def _facts(teacher: Any) -> dict[str, Any]:
    """What the recipe must say because the generator is so."""
    height, _, channels = teacher.model.output_shape[1:]
    return {
        "generator": {
            "latent": max(1, teacher.latent),
            "conditional": teacher.classes > 0,
        },
        "data": {"image_size": height, "channels": channels},
    }


def _refuse_shape(teacher: Any, options: argparse.Namespace) -> None:
    height, width, channels = teacher.model.output_shape[1:]
    if height != width or channels not in (1, 3):
        raise PocketganError(
            f"{options.generator} draws pictures of {height}×{width}×{channels}.",
            "compress needs square pictures in grey or colour: the metrics are made for those.",
        )
    if teacher.latent and options.inputs:
        raise PocketganError(
            f"{options.generator} reads latents, not pictures.", "Leave --inputs out."
        )
    if not teacher.latent and not options.inputs:
        raise PocketganError(
            f"{options.generator} reads pictures.",
            "Give a folder of such pictures with --inputs: its student learns from them.",
        )


def _load(
    path: Path, options: argparse.Namespace, overrides: list[str], facts: Mapping[str, Any]
) -> Recipe:
    """The base, then what the run says, what the generator says, what the person says."""
    values = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    of_run = path / "recipe.yaml"
    if of_run.is_file():
        known = yaml.safe_load(of_run.read_text(encoding="utf-8"))
        values |= {section: known[section] for section in OF_A_RUN if section in known}
        values = _by_its_teachers_steps(known, values)
    has_pictures = of_run.is_file() or options.data or options.data_folder
    if options.data_free or options.inputs or not has_pictures:
        values["data"] = {"source": TEACHER}
        values["quantize"] = {**values["quantize"], "l1": L1_OF_COPIES}
    elif of_run.is_file() and not options.discriminator:
        options.discriminator = str(stage_folder(path, "train") / "discriminator.keras")
    if options.discriminator == "none":
        options.discriminator = None
    if options.data_folder and not options.data:
        options.data = "folder"
    for section, fixed in facts.items():
        values[section] = {**values.get(section, {}), **fixed}
    values["teacher"] = {
        "file": str(path),
        "sha256": _sha256(path),
        "classes": options.classes or 0,
        "pixels": options.pixels,
        "input_pixels": options.input_pixels,
        "custom": options.custom,
        "allow_unsafe": options.allow_unsafe,
    }
    if options.target not in (None, LOCAL):
        values["benchmark"] = {"targets": [LOCAL, options.target]}
    values["name"] = _name(path, options)
    given = [
        part
        for name, (key, _) in _VALUES.items()
        if (value := getattr(options, name)) is not None
        for part in (f"--{key}", _share(value) if name == "max_quality_drop" else str(value))
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "compress.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        recipe = recipe_file.load(str(file), [*given, *overrides])
    if recipe.report.gates:
        return recipe
    return replace(recipe, report=replace(recipe.report, gates=gates_of(recipe.budget)))


def _by_its_teachers_steps(known: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A student plays, and is rounded, for half of its teacher's steps; a short game for more."""
    steps = known.get("train", {}).get("steps")
    if not steps:
        return values
    return values | {
        section: {**values[section], "steps": max(math.ceil(steps / 2), min(steps, enough))}
        for section, enough in ENOUGH.items()
    }


def _share(value: str) -> str:
    """5% → 0.05."""
    try:
        return str(float(value[:-1]) / 100) if value.endswith("%") else str(float(value))
    except ValueError as error:
        raise PocketganError(
            f"--max-quality-drop {value} is no share.", "Give for instance 5% or 0.05."
        ) from error


def _name(path: Path, options: argparse.Namespace) -> str:
    """digits-12kbgz-0.1ms: the generator and its budget, so that budgets have runs of their own."""
    parts = [
        (options.max_kb, "kb"),
        (options.max_gzip_kb, "kbgz"),
        (options.max_ms, "ms"),
        (options.max_macs, "macs"),
        (options.max_quality_drop, "drop"),
    ]
    free = ["free"] if options.data_free else []
    words = [f"{value}{unit}".replace("%", "pct") for value, unit in parts if value]
    whole = path.resolve()
    return "-".join([whole.name if whole.is_dir() else whole.stem, *words, *free])


def _sha256(path: Path) -> str:
    """Of the file; of a folder's files; of a run's record of its training."""
    record = stage_folder(path, "train") / RECORD
    if record.is_file():
        return file_sha256(record)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    together = " ".join(file_sha256(file) for file in files)
    return hashlib.sha256(together.encode()).hexdigest()
