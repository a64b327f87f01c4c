"""A finished run, read without TensorFlow and without the pictures it was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.report import schema
from pipeline.run import RECORD, STAGES, Record, file_sha256, read_record, stage_folder
from pipeline.variants import find_variants


@dataclass(frozen=True)
class FinishedRun:
    """What the stages left. ``unfinished`` says what is missing, if anything is."""

    folder: Path
    records: dict[str, Record]
    """Of the stages that are complete."""
    report: schema.Report | None
    """None where it is missing, or of other files than are there now."""
    unfinished: tuple[str, ...]

    @property
    def source(self) -> str:
        """The data source that the recipe names."""
        record = self.records.get("convert") or self.records.get("train")
        return str(record.settings["data"]["source"]) if record else "unknown"

    def stage(self, name: str) -> Path:
        return stage_folder(self.folder, name)

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
    for stage in STAGES:
        record = read_record(stage_folder(folder, stage))
        problem = _lack(folder, stage, record, records)
        if record is not None and not problem:
            records[stage] = record
        else:
            problems.append(problem)
    report = (
        schema.read(stage_folder(folder, "report") / schema.FILE) if "report" in records else None
    )
    return FinishedRun(folder, records, report, tuple(problems))


def _is_run(folder: Path) -> bool:
    return (folder / "recipe.yaml").is_file()


def _lack(folder: Path, stage: str, record: Record | None, complete: dict[str, Record]) -> str:
    """Why a stage is not complete; empty if it is."""
    if record is None:
        there = stage_folder(folder, stage).exists()
        return f"stage {stage} " + ("left a broken record" if there else "has not run")
    for need in STAGES[stage].needs:
        if need not in complete:
            return f"stage {stage} needs {need}, which is not complete"
        if record.inputs.get(need) != file_sha256(stage_folder(folder, need) / RECORD):
            return f"stage {stage} was made from another {need} than is there now"
    changed = next(_changed(stage_folder(folder, stage), record), None)
    return f"stage {stage}: {changed} is missing or was changed" if changed else ""


def _changed(folder: Path, record: Record) -> Iterator[str]:
    for file, digest in record.outputs.items():
        path = folder / file
        if not path.is_file() or file_sha256(path) != digest:
            yield file
