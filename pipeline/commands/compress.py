"""The command compress: a generator and a budget become a recipe, and the recipe is run."""

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.artifacts import DISCRIMINATOR
from pipeline.commands.admission import admitted
from pipeline.commands.arguments import (
    RUNNING,
    add_common,
    asks_for_help,
    command_parser,
    parse_with_overrides,
)
from pipeline.commands.check import add_generator, teacher_of
from pipeline.commands.compress_options import AS_THEY_ARE, GROUPS, MORE, OPTIONS, epilog
from pipeline.commands.missing_options import missing_options
from pipeline.commands.run import run_all, storage_of
from pipeline.commands.starting_values import (
    LATENTS_BASE,
    PICTURES_BASE,
    changed_defaults,
    default_of,
)
from pipeline.data.sources import TEACHER
from pipeline.importers.formats import Format, format_of
from pipeline.importers.tfjs_files import model_json
from pipeline.native_log import native_log
from pipeline.plans import FROM_SCRATCH, RECIPE
from pipeline.recipe.reading import load_recipe, read_values
from pipeline.recipe.sections import Recipe
from pipeline.report.run.gates import completed
from pipeline.run import RECORD, Run, content_sha256, file_sha256
from pipeline.search.budget import gates_of
from pipeline.tensorflow_setup import load_tensorflow, use_threads
from pipeline.workers import refuse_too_many

LOCAL = "local"
ENOUGH_STEPS = {"student": 3000, "quantize": 2000}
"""Steps that a student gets even where half of its teacher's are fewer, but no more than those."""
MATCHING_OF_COPIES = 100.0
"""Where a fresh discriminator compares copies with their teacher's pictures (docs/decisions.md)."""
L1_OF_COPIES = 1e-5
"""A student that sees its teacher's pictures only loses more to the penalty, and fewer bytes need
saving: docs/decisions.md."""
FEWER_MACS, FEWEST_PARTS = 4, 4
NOT_COUNTED = (
    "the generator's multiply-accumulates cannot be counted: a student may take as many as there "
    "is time for, more than the generator itself, where --max-macs does not say otherwise"
)
OF_A_RUN = (
    *("seed", "threads", "data", "generator", "discriminator", "train", "translation", "convert"),
    "evaluate",
)
"""Sections of a run's recipe that its student keeps."""


def compress(arguments: list[str]) -> int:
    options, overrides = parse_compress(arguments)
    refuse_too_many(options.workers)
    storage = storage_of(options)
    with native_log(Path(os.devnull)):
        load_tensorflow()
        run = run_of(options, overrides)
        run.workers, run.storage = options.workers, storage
    return run_all(run, options)


def parse_compress(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command's own options, and what is left over: values of the recipe.

    Raises PocketganError for an unknown option, one without its value, or no generator.
    """
    usage = "pocketgan compress GENERATOR [--max-gzip-kb N …] [options]"
    parser = command_parser("compress", more=MORE, usage=usage)
    explains = asks_for_help(arguments)
    if explains:
        parser.epilog = epilog(changed_defaults())
    groups = dict[str, Any]()
    for heading, sections in GROUPS.items():
        groups |= dict.fromkeys(sections, parser.add_argument_group(heading))
    for name, (key, words) in OPTIONS.items():
        default = default_of(key) if explains else ""
        option = f"--{name.replace('_', '-')}"
        groups[key.split(".")[0]].add_argument(option, type=str, help=words + default)
    groups["data"].add_argument(
        "--data-free", action="store_true", help="of a run use the generator only, no pictures"
    )
    add_common(groups["name"], RUNNING)
    add_generator(parser)
    return parse_with_overrides(parser, arguments)


def run_of(options: Any, overrides: list[str]) -> Run:
    """The run of a generator and a budget, everything that can be refused at once refused.

    Raises PocketganError for a generator, a budget, or what goes with them, that does not do.
    """
    path = Path(options.generator)
    of_run = read_values(path / RECIPE) if (path / RECIPE).is_file() else {}
    use_threads(_threads(options, of_run))
    paired = bool(of_run) and load_recipe(of_run).data.translated
    with progress.console.status(f"load {path}"):
        teacher = teacher_of(
            options, lambda teacher: missing_options(teacher, options, overrides, paired=paired)
        )
    recipe = _recipe_of(teacher, options, of_run, overrides)
    bounded = _bounded(recipe, teacher)
    run = admitted(bounded, teacher, Path(options.runs))
    if bounded.budget != recipe.budget:
        progress.console.print(
            f"  budget: besides, at most {bounded.budget.max_macs:,} multiply-accumulates a "
            "picture, a quarter of the generator's or what --minutes leave time to train; "
            "--max-macs N changes that",
            soft_wrap=True,
        )
    return run


def _threads(options: Any, of_run: Mapping[str, Any]) -> int:
    """Of the recipe that is not there yet: loading its teacher is TensorFlow's work already."""
    of_run = {key: of_run[key] for key in ("threads",) if key in of_run}
    asked_for = {} if options.threads is None else {"threads": options.threads}
    threads: int = load_recipe({"name": "threads"}, of_run, asked_for).threads
    return threads


def _recipe_of(
    teacher: Any, options: Any, of_run: Mapping[str, Any], overrides: list[str]
) -> Recipe:
    """The base, then what the run says, what the generator says, what the person says."""
    has_pictures = bool(of_run or options.data or options.data_folder)
    copies_only = options.data_free or options.inputs or not has_pictures
    return load_recipe(
        _base_values(teacher, options, of_run, copies_only=copies_only),
        _option_values(
            options, runs_discriminator=bool(of_run and teacher.latent) and not copies_only
        ),
        overrides,
    )


def _bounded(recipe: Recipe, teacher: Any) -> Recipe:
    """The recipe with gates for its budget, and a limit of work where a translator's has none."""
    if not teacher.latent and recipe.budget.max_macs is None:
        most = _most_macs(teacher, recipe)
        recipe = replace(recipe, budget=replace(recipe.budget, max_macs=most))
    gates = completed(recipe.report.gates, gates_of(recipe.budget))
    return replace(recipe, report=replace(recipe.report, gates=gates))


def _base_values(
    teacher: Any, options: Any, of_run: Mapping[str, Any], *, copies_only: bool
) -> dict[str, Any]:
    """Section → values, before the options: ``copies_only`` is without real pictures."""
    from pipeline.search.trials import picture_batch

    path = Path(options.generator)
    base = read_values(LATENTS_BASE if teacher.latent else PICTURES_BASE)
    values = base | {key: of_run[key] for key in OF_A_RUN if key in of_run}
    steps = of_run.get("train", {}).get("steps")
    if steps and teacher.latent:
        # Half of the teacher's steps; of a short training more.
        for section, enough in ENOUGH_STEPS.items():
            values[section] |= {"steps": max(math.ceil(steps / 2), min(steps, enough))}
    if copies_only:
        values["data"] = {"source": TEACHER}
        if teacher.latent:
            values["quantize"] |= {"l1": L1_OF_COPIES}
            values["student"] |= {"matching": MATCHING_OF_COPIES}
    if not teacher.latent:
        side, across = teacher.model.input_shape[1:3]
        values["train"]["batch"] = picture_batch(side * across)
    height, width, channels = teacher.model.output_shape[1:]
    if values.get("data", {}).get("coupled"):  # the data has the width of one of both halves
        width //= 2
    size = {"image_size": height, "image_width": None if width == height else width}
    values["data"] = {**values.get("data", {}), **size, "channels": channels}
    values["generator"] = {
        **values.get("generator", {}),
        "latent": max(1, teacher.latent),
        "conditional": teacher.classes > 0,
    }
    values["teacher"] = values.get("teacher", {}) | {
        "file": str(path),
        "sha256": _sha256(path),
        "classes": options.classes or 0,
        "input": options.input or [],
        **{name: getattr(options, name) for name in AS_THEY_ARE},
    }
    if options.target not in (None, LOCAL):
        values["benchmark"] = {"targets": [LOCAL, options.target]}
    return values | {"name": _name(path, options)}


def _most_macs(teacher: Any, recipe: Recipe) -> int | None:
    """Bytes alone allow few weights at the picture's full size, slower than the teacher itself.

    And so much work that most of the distillation would not fit into the time.
    """
    from pipeline.search.trials import picture_batch
    from pipeline.search.work import DISTILL, affordable_macs, known_macs

    macs = known_macs(teacher)
    if not macs:
        progress.console.print(NOT_COUNTED)
    limits = [macs // FEWER_MACS]
    if recipe.budget.minutes is not None:
        side, across = teacher.model.input_shape[1:3]
        steps = max(1, recipe.student.imitate // FEWEST_PARTS)
        batch = picture_batch(side * across)
        limits.append(affordable_macs(steps, recipe.budget.minutes, batch=batch, share=DISTILL))
    return min(filter(None, limits), default=None)


def _option_values(options: Any, *, runs_discriminator: bool) -> dict[str, Any]:
    """Key of the recipe → value, of the options that were given or follow from those."""
    values = {key: getattr(options, name) for name, (key, _) in OPTIONS.items()}
    if runs_discriminator and not options.discriminator:
        folder = FROM_SCRATCH.folder(Path(options.generator), "train")
        values["teacher.discriminator"] = str(folder / DISCRIMINATOR)
    elif options.discriminator == "none":
        values["teacher.discriminator"] = None
    if options.data_folder and not options.data:
        values["data.source"] = "folder"
    if options.max_quality_drop is not None:
        values["budget.max_quality_drop"] = _share(options.max_quality_drop)
    return {key: value for key, value in values.items() if value is not None}


def _share(value: str) -> float:
    """5% → 0.05."""
    try:
        share = float(value[:-1]) / 100 if value.endswith("%") else float(value)
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        raise PocketganError(
            f"--max-quality-drop {value} is no share above 0.", "Give for instance 5% or 0.05."
        )
    if share >= 1 and not value.endswith("%"):
        raise PocketganError(
            f"--max-quality-drop {value} would let the distance grow by {share:.0%}.",
            f"Give --max-quality-drop {value}% if that is meant, or {share:.0%}.",
        )
    return share


def _name(path: Path, options: Any) -> str:
    """digits-12kbgz-0.1ms: the generator and its budget, so that budgets have runs of their own."""
    parts = [
        (options.max_kb, "kb"),
        (options.max_gzip_kb, "kbgz"),
        (options.max_ms, "ms"),
        (options.max_macs, "macs"),
        (options.max_flash_kb, "kbflash"),
        (options.max_quality_drop, "drop"),
    ]
    free = ["free"] if options.data_free else []
    words = [f"{value}{unit}".replace("%", "pct") for value, unit in parts if value]
    whole = path.resolve()
    name = whole.name if whole.is_dir() else whole.stem
    return "-".join([name.lstrip(".") or "generator", *words, *free])


def _sha256(path: Path) -> str:
    """Of the file, and those that it names; of a folder's; of a run's record of its training."""
    record = FROM_SCRATCH.folder(path, "train") / RECORD
    if record.is_file():
        return file_sha256(record)
    files = [path] if path.is_dir() else _files_of(path)
    if len(files) == 1:
        return content_sha256(path)
    return hashlib.sha256(" ".join(map(content_sha256, files)).encode()).hexdigest()


def _files_of(path: Path) -> list[Path]:
    """A generator's file, and those beside it that it names."""
    file_format = format_of(path)
    if file_format is Format.TFJS:
        return model_json.files_of(model_json.read(path))
    if file_format is Format.ONNX:
        from pipeline.importers.onnx_files.reading import files_of  # the library takes its time

        return files_of(path)
    return [path]
