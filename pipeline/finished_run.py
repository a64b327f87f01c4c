"""A finished run, read without TensorFlow and without the pictures it was trained on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.report.run import schema
from pipeline.run import (
    RECIPE,
    RECORD,
    Record,
    Stage,
    file_sha256,
    path_of_folder,
    read_record,
    stage_folder,
)
from pipeline.variants import find_variants


@dataclass(frozen=True)
class FinishedRun:
    """What the stages left. ``unfinished`` says what is missing, if anything is."""

    folder: Path
    path: Mapping[str, Stage]
    """The stages that it goes through."""
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

    def stage(self, name: str) -> Path:
        return stage_folder(self.folder, name, self.path)

    def variant(self, name: str) -> Path:
        """The file of a variant; PocketganError where the run did not convert it."""
        known = find_variants(self.stage("convert"))
        if name not in known:
            raise PocketganError(
                f"{self.folder} has no variant '{name}'.",
                f"It has: {', '.join(known) or 'none yet; run `pocketgan run RECIPE`'}.",
            )
        return known[name]


def open_run(name: str, runs: Path) -> FinishedRun:
    """The run of that name in ``runs``, or in the folder of that path.

    Raises PocketganError where there is none.
    """
    folder = next((place for place in (runs / name, Path(name)) if _is_run(place)), None)
    if folder is None:
        here = sorted(path.name for path in runs.glob("*") if _is_run(path))
        known = f"Runs in {runs}: {', '.join(here)}." if here else f"There is no run in {runs} yet."
        raise PocketganError(
            f"There is no run '{name}'.", f"{known} `pocketgan run {Path(name).name}` makes one."
        )
    records: dict[str, Record] = {}
    problems: list[str] = []
    path = path_of_folder(folder)
    folders = {stage: stage_folder(folder, stage, path) for stage in path}
    for name, stage in path.items():
        record = read_record(folders[name])
        problem = _lack(stage, folders, record, records)
        if record is not None and not problem:
            records[name] = record
        else:
            problems.append(problem)
    report = schema.read(folders["report"] / schema.FILE) if "report" in records else None
    return FinishedRun(folder, path, records, report, tuple(problems))


def _is_run(folder: Path) -> bool:
    return (folder / RECIPE).is_file()


def _lack(
    stage: Stage,
    folders: Mapping[str, Path],
    record: Record | None,
    complete: Mapping[str, Record],
) -> str:
    """Why a stage is not complete; empty if it is."""
    name, folder = stage.name, folders[stage.name]
    if record is None:
        return f"stage {name} " + ("left a broken record" if folder.exists() else "has not run")
    for need in stage.needs:
        if need not in complete:
            return f"stage {name} needs {need}, which is not complete"
        if record.inputs.get(need) != file_sha256(folders[need] / RECORD):
            return f"stage {name} was made from another {need} than is there now"
    changed = next(_changed(folder, record), None)
    return f"stage {name}: {changed} is missing or was changed" if changed else ""


def _changed(folder: Path, record: Record) -> Iterator[str]:
    for file, digest in record.outputs.items():
        path = folder / file
        if not path.is_file() or file_sha256(path) != digest:
            yield file
