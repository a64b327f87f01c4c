"""What holds of a folder of runs, whatever became of who worked in it."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deploy.bundle import files
from deploy.errors import PocketganError
from pipeline.artifacts import REPORT, STUDY, watched
from pipeline.atomic import PARTIAL
from pipeline.benchmarking import PAGE as BENCHMARK_PAGE
from pipeline.benchmarking import RESULT
from pipeline.native_log import LOG
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER, RECIPE
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.report.benchmark import schema
from pipeline.run import CACHE, RECORD, changed_output, read_record
from pipeline.search.study import open_study
from pipeline.stage import FIRST_FILE, SCRATCH
from pipeline.tflite.read import read_model

MEASURED = ("measurements.json", "machine.json", "report.html", RESULT, BENCHMARK_PAGE)
"""Files with times in them: no two runs give the same."""
LOGS = (LOG, STUDY)
"""Files with times or process numbers in them."""
DATED = "metadata.json"
"""In the file of a network: when it was written."""
LASTING = (".lock",)
"""Hidden files of a run that stay."""
STAGES = {
    plan.folder(Path(), name).name for plan in (FROM_SCRATCH, FROM_TEACHER) for name in plan.names
}


def half_made(runs: Path, name: str) -> Iterator[str]:
    """What is visible of a run, and of the cache beside it, that is not whole, in words."""
    yield from _half_cached(runs / CACHE)
    if (runs / name).exists():
        yield from _half_run(runs / name)


def _half_cached(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.npz"):
        if path.name.startswith("."):
            continue
        try:
            with np.load(path) as arrays:
                [arrays[name].size for name in arrays.files]
        except Exception as error:
            yield f"{path}: {error}"


def _half_run(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.name in STAGES or (path / RECORD).exists():
            yield from _half_stage(path)
        else:
            yield from _half_other(path)


def _half_stage(folder: Path) -> Iterator[str]:
    record = read_record(folder)
    if record is None:
        yield f"{folder} has no record"
        return
    changed = changed_output(folder, record)
    if changed:
        yield f"{folder / changed} is not as recorded"
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    more = paths - {RECORD, *record.outputs}
    if more:
        yield f"{folder}: {sorted(more)} beside what is recorded"


def _half_other(path: Path) -> Iterator[str]:
    try:
        if path.name == RECIPE:
            _read_recipe(path, path.read_bytes())
        elif path.name == FIRST_FILE:
            read_model(path)
        elif path == watched(path.parent):
            Image.open(path).load()
        elif path.name == RESULT:
            if schema.read_if_sound(path) is None:
                yield f"{path} is not sound"
        elif path.name == BENCHMARK_PAGE:
            if not path.read_text().rstrip().endswith("</html>"):
                yield f"{path} is cut"
        elif path.name in ("bundle", "bundle.zip"):
            _, problems = files.read(path)
            yield from (f"{path}: {problem}" for problem in problems)
        else:
            yield f"{path} is no part of a run"
    except Exception as error:
        yield f"{path}: {error}"


@cache  # after each fault it is mostly the same
def _read_recipe(path: Path, _content: bytes) -> Recipe:
    return load_recipe(str(path))


def search_scores(runs: Path) -> dict[tuple[str, int, int], float]:
    """(run, trial, rung) → score, of all searches that are not done."""
    scores = {}
    for journal in runs.glob(f"*/.*.partial/{SCRATCH}/{STUDY}"):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(journal, folder)
            try:
                trials = open_study(copy, 0).get_trials(deepcopy=False)
            except PocketganError:  # killed before it had a study
                continue
        run = journal.relative_to(runs).parts[0]
        for trial in trials:
            for rung, score in trial.intermediate_values.items():
                scores[run, trial.number, rung] = score
    return scores


def left_over(runs: Path) -> Iterator[str]:
    """Hidden rests, of which a finished run has none."""
    for path in runs.rglob(".*"):
        if path.name not in (*LASTING, CACHE):
            yield f"{path} is left"
    if any((runs / CACHE).rglob(PARTIAL)):
        yield f"{runs / CACHE} holds rests"


def differences(whole: Path, folder: Path) -> Iterator[str]:
    """What a run holds otherwise than the unkilled one, but for times."""
    for name in sorted(_names(whole) ^ _names(folder)):
        yield f"{name} is in one of them only"
    for name in sorted(_names(whole) & _names(folder)):
        one, other = whole / name, folder / name
        if one.name in (*MEASURED, *LOGS):
            continue
        if one.name in (RECORD, REPORT):
            if _without_times(one) != _without_times(other):
                yield f"{name} differs"
        elif _content(one) != _content(other):
            yield f"{name} has other bytes"


def _content(path: Path) -> Any:
    """The bytes of a file; of a network's all but the date."""
    if path.suffix != ".keras":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != DATED}


def _names(folder: Path) -> set[str]:
    """Files that are seen; TensorBoard's have times and processes in their names, and the first
    file goes when there are better ones."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "events.out", FIRST_FILE))
    }


def _without_times(path: Path) -> Any:
    """Of a record: the lasting parts; of a report: what its files are."""
    document = json.loads(path.read_bytes())
    if path.name == RECORD:
        return {name: document[name] for name in ("stage", "settings", "seed", "versions")}
    return [(one["name"], one["sha256"], one["quality"]) for one in document["variants"]]
