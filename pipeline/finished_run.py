"""A finished run, read without TensorFlow and without the pictures it was trained on."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError
from pipeline.artifacts import GENERATOR, REPORT, find_other_sizes, find_variants
from pipeline.importers.formats import SAVED_MODEL, GeneratorSource
from pipeline.networks.pixels import TRANSLATED
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER, RECIPE, Plan, command_for, plan_of_folder
from pipeline.recipe.reading import load_recipe, shipped_recipes
from pipeline.report.run import schema
from pipeline.run import RECORD, changed_output, file_sha256, read_record
from pipeline.stage import Record


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """What the stages left. ``unfinished`` says what is missing, if anything is."""

    folder: Path
    plan: Plan
    records: dict[str, Record]
    """Of the stages that are complete."""
    report: schema.Report | None
    """None where it is missing, or of other files than are there now."""
    unfinished: tuple[str, ...]

    @property
    def source(self) -> str:
        """The data source that the recipe names."""
        sections = (record.settings for record in self.records.values())
        sources = (str(settings["data"]["source"]) for settings in sections if "data" in settings)
        return next(sources, "unknown")

    @property
    def has_discrete_code(self) -> bool:
        """Whether the one-hot end of its latents is a code that was learnt without labels."""
        return any(codes.get("discrete") for codes in self._codes())

    @property
    def continuous_codes(self) -> int:
        """How many numbers of its latents, the first ones, are codes that were learnt."""
        return max((int(codes.get("continuous", 0)) for codes in self._codes()), default=0)

    def _codes(self) -> list[dict[str, Any]]:
        sections = (record.settings.get("generator", {}) for record in self.records.values())
        return [generator.get("codes", {}) for generator in sections]

    def stage(self, name: str) -> Path:
        return self.plan.folder(self.folder, name)

    def variant(self, name: str) -> Path:
        """The file of a variant; PocketganError where the run did not convert it."""
        variants = find_variants(self.stage("convert"))
        if name not in variants:
            raise PocketganError(
                f"{self.folder} has no variant '{name}'.",
                f"It has: {', '.join(variants) or 'none yet; run `pocketgan run RECIPE`'}.",
            )
        return variants[name]

    def other_size(self, name: str, size: str) -> Path:
        """The file of a variant for pictures of that size, as 480x320; PocketganError where the run
        has none."""
        sizes = find_other_sizes(self.stage("convert"), name)
        if size not in sizes:
            raise PocketganError(
                f"{self.folder} has no file of '{name}' for pictures of {size}.",
                f"It has: {', '.join(sizes)}."
                if sizes
                else f"Add `convert: {{sizes: [{size}]}}` to its recipe and run it again.",
            )
        return sizes[size]


def open_run(name: str, runs: Path) -> FinishedRun:
    """The run of that name in ``runs``, or in the folder of that path.

    Raises PocketganError where there is none.
    """
    folder = next((path for path in (runs / name, Path(name)) if _is_run(path)), None)
    if folder is None:
        names = sorted(path.name for path in runs.glob("*") if _is_run(path))
        others = (
            f"Runs in {runs}: {', '.join(names)}." if names else f"There is no run in {runs} yet."
        )
        recipe = name if name in shipped_recipes() else "digits"
        way = f"`pocketgan run {recipe} --runs {shlex.quote(str(runs))}` makes one"
        raise PocketganError(
            f"There is no run '{name}'.",
            f"{others} Name one, or the folder of one; {way}.",
        )
    records: dict[str, Record] = {}
    problems: list[str] = []
    plan = plan_of_folder(folder)
    folders = {name: plan.folder(folder, name) for name in plan.names}
    for name in plan.names:
        record = read_record(folders[name])
        problem = _incomplete(name, folders, record, records)
        if record is not None and not problem:
            records[name] = record
        else:
            problems.append(problem)
    report = schema.read(folders["report"] / REPORT) if "report" in records else None
    return FinishedRun(
        folder=folder, plan=plan, records=records, report=report, unfinished=tuple(problems)
    )


def read_report(name: str, runs: Path) -> schema.Report:
    """The report of the run of that name in ``runs`` or of that folder, or in that report.json.

    Raises PocketganError where there is none: whether it is a run that is not finished, or no run.
    """
    if Path(name).is_file():
        return schema.read(Path(name))
    run = open_run(name, runs)
    file = run.stage("report") / REPORT
    if not file.is_file():
        raise PocketganError(
            f"{run.folder} has no report yet: {run.unfinished[0]}.",
            f"Finish it: {command_for(run.folder)}",
        )
    return schema.read(file)


def generator_of(path: Path) -> GeneratorSource:
    """The trained generator of the run in a folder; any other path as it is.

    Raises PocketganError for a run that has none, or whose generator is compressed already.
    """
    if not _is_run(path) or (path / SAVED_MODEL).is_file():
        return GeneratorSource(path=path, file=path)
    file = FROM_SCRATCH.folder(path, "train") / GENERATOR
    if file.is_file():
        recipe = load_recipe(str(path / RECIPE))
        origin = f"the teacher of run {path.name}"
        if recipe.data.translated:
            return GeneratorSource(path=path, file=file, origin=origin, input_pixels=TRANSLATED)
        return GeneratorSource(path=path, file=file, latent=recipe.generator.latent, origin=origin)
    if plan_of_folder(path) is FROM_TEACHER:
        raise PocketganError(
            f"{path} is a run of `pocketgan compress`: what it made is compressed already.",
            "Give the generator that it was made from, or another run.",
        )
    raise PocketganError(
        f"{path} is a run without a trained generator.",
        f"Train it: {command_for(path, 'train')}",
    )


def _is_run(folder: Path) -> bool:
    return (folder / RECIPE).is_file()


def _incomplete(
    name: str,
    folders: Mapping[str, Path],
    record: Record | None,
    complete: Mapping[str, Record],
) -> str:
    """Why a stage is not complete; empty if it is."""
    folder = folders[name]
    if record is None:
        return f"stage {name} " + ("left a broken record" if folder.exists() else "has not run")
    for need, digest in record.inputs.items():
        if need not in complete:
            return f"stage {name} needs {need}, which is not complete"
        if digest != file_sha256(folders[need] / RECORD):
            return f"stage {name} was made from another {need} than is there now"
    changed = changed_output(folder, record)
    return f"stage {name}: {changed} is missing or was changed" if changed else ""
