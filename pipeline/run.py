"""A run's folder: a numbered sub-folder a stage, each with a record of what it was made from.

A stage is fresh when its record says that it was made by the same settings, from the same inputs,
with the same versions. Everything else is stale and is made again.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy.errors import PocketganError
from deploy.home import in_home
from pipeline.artifacts import read_teacher_dataset
from pipeline.atomic import (
    clear_partial_files,
    finish_replacing,
    locked,
    replace_folder,
    write_text,
)
from pipeline.data import sources
from pipeline.data.dataset import Dataset
from pipeline.data.folder import refuse_inside
from pipeline.data.reading import Request
from pipeline.data.sources import TEACHER
from pipeline.native_log import LOG, native_log
from pipeline.plans import FROM_TEACHER, RECIPE, plan_of
from pipeline.recipe.plain import as_dict, leaves, to_yaml
from pipeline.recipe.sections import Recipe
from pipeline.stage import (
    SCRATCH,
    Record,
    SharedStorage,
    Stage,
    StageContext,
    package_versions,
)
from pipeline.tensorflow_setup import THREADS

RECORD = "stage.json"
CACHE = ".cache"
_KEY_FILE = "key"
_LOCK = ".lock"


class Run:
    """The folder ``root/NAME`` that a recipe fills. Create, ``lock``, then ``make`` stages."""

    def __init__(self, recipe: Recipe, root: Path, *, workers: int | None = None) -> None:
        self.recipe, self.root = recipe, root
        self.workers = workers  # most processes side by side; None: as many as fit
        self.storage: SharedStorage | None = None  # whose workers make the trials of a search
        self.folder = root / recipe.name
        self.plan = plan_of(recipe)
        self._staleness: dict[str, str] = {}

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures of the recipe: uint8 arrays, split into train and test."""
        data = self.recipe.data
        if data.source == TEACHER:
            if self.plan is not FROM_TEACHER:
                raise PocketganError(
                    "data.source: a run without a teacher has no teacher's pictures.",
                    "Name another source (`pocketgan list`), or use `pocketgan compress`.",
                )
            return read_teacher_dataset(self.path("teacher"))
        request = Request(
            image_size=data.image_size,
            image_width=data.image_width,
            channels=data.channels,
            folder=data.folder and in_home(data.folder),
            cache=self.root / CACHE,
            test_fraction=data.test_fraction,
            seed=self.recipe.seed,
            inputs=data.inputs and in_home(data.inputs),
            degrade=data.degrade,
            cut=data.cut,
            coupled=data.coupled,
            size_is_fixed=self.recipe.teacher.file is not None,
        )
        return sources.load(data.source, request, minimum=self.recipe.train.batch)

    @cached_property
    def _data_sha256(self) -> str:
        return self.dataset.sha256

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Nobody else works in this folder meanwhile; the system lifts the lock of the killed.

        A folder in which nothing was done does not stay.
        """
        missing = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():  # who finds it locked leaves it: another may just have begun there
            self._tidy()
            try:
                yield
            finally:
                if missing and {path.name for path in self.folder.iterdir()} <= {_LOCK, RECIPE}:
                    shutil.rmtree(self.folder)
                    with suppress(OSError):  # what is not empty stays
                        for folder in missing[1:]:
                            folder.rmdir()

    def _tidy(self) -> None:
        """Clear what killed processes left, but for what is resumed."""
        for name in self.plan.names:
            finish_replacing(self.path(name))
        clear_partial_files(self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.folder / _LOCK, wait=False))
            except (BlockingIOError, FileNotFoundError) as error:  # it is there, or just went
                raise PocketganError(
                    f"{self.folder}: another pocketgan works in this folder.",
                    "Wait for it, or give this run another name with --name.",
                ) from error
            yield

    def path(self, name: str) -> Path:
        """The folder of a stage."""
        return self.plan.folder(self.folder, name)

    def record(self, name: str) -> Record | None:
        """What a stage wrote about itself; None where it is missing or unreadable."""
        return read_record(self.path(name))

    def staleness(self, name: str) -> str:
        """Why the stage must be made (again); empty if it need not.

        Asked once a stage until something is made: a later stage asks for all before it.
        """
        if name not in self._staleness:
            self._staleness[name] = self._compare(name)
        return self._staleness[name]

    def _compare(self, name: str) -> str:
        stage = self.plan.stages[name]
        for need in stage.needs:
            if self.staleness(need):
                return f"{need} must run first"
        record = self.record(name)
        if record is None:
            return "it has not run yet" if not self.path(name).exists() else "its record is broken"
        if record.key != self._key(stage):
            return f"it was made from something else ({self._difference(stage, record)})"
        changed = changed_output(self.path(name), record)
        return f"{self.path(name) / changed} is missing or was changed" if changed else ""

    def make(self, name: str) -> Record:
        """Run one stage on fresh inputs, resuming what a killed one left; the result appears whole.

        Raises PocketganError where an input is missing, broken or of another recipe.
        """
        stage = self.plan.stages[name]
        for need in stage.needs:
            reason = self.staleness(need)
            if reason:
                raise PocketganError(
                    f"{self.folder}: stage {name} needs {need}, but {reason}.",
                    f"Run `pocketgan {need} RECIPE`, or `pocketgan run RECIPE` for all stages.",
                )
        key = self._key(stage)
        partial = self._partial(stage, key)
        write_text(self.folder / RECIPE, to_yaml(self.recipe))
        record = read_record(partial)  # there where only its last steps are left to do
        if record is None or changed_output(partial, record):
            record = self._fill(partial, stage, key)
        shutil.rmtree(partial / SCRATCH, ignore_errors=True)
        (partial / _KEY_FILE).unlink(missing_ok=True)
        replace_folder(partial, self.path(name))
        self._staleness.clear()
        return record

    def _fill(self, partial: Path, stage: Stage, key: str) -> Record:
        """Do the stage's work; its record, written when all else is."""
        started = time.monotonic()
        try:
            with native_log(partial / LOG):
                outcome = stage(self.context(stage, partial))
        except PocketganError:
            if not (partial / SCRATCH).exists():  # nothing there could be resumed
                shutil.rmtree(partial)
            raise
        record = Record(
            stage=stage.name,
            key=key,
            settings=self._settings(stage),
            inputs=self._inputs(stage),
            outputs=_outputs(partial),
            seed=self.recipe.seed,
            threads=self.recipe.threads,
            versions=package_versions(),
            seconds=round(time.monotonic() - started, 2),
            metrics=outcome.metrics,
            events=outcome.events,
        )
        write_text(partial / RECORD, record.model_dump_json(indent=1) + "\n")
        return record

    def context(self, stage: Stage, folder: Path) -> StageContext:
        """What a stage that fills ``folder`` is handed."""
        records = {need: record for need in stage.needs if (record := self.record(need))}
        return StageContext(
            stage,
            self.recipe,
            folder=folder,
            inputs={need: self.path(need) for need in stage.needs},
            records=records,
            lineage=set(stage.settings).union(*map(self.plan.lineage, stage.needs)),
            cache=self.root / CACHE,
            load_dataset=lambda: self.dataset,
            workers=self.workers,
            storage=self.storage,
            remake=(_context_in_worker, (self.recipe, self.root, stage.name, folder)),
        )

    def check(self) -> None:
        """Raise PocketganError for what cannot work, as a stage of the plan says or because the run
        would lie among its pictures; runs no stage."""
        data, teacher = self.recipe.data, self.recipe.teacher
        for folder in (data.folder, data.inputs, teacher.inputs):
            if folder is not None:
                refuse_inside(in_home(folder), self.folder)
        stages = self.plan.stages.values()
        with native_log(Path(os.devnull)):
            for stage in stages:
                if stage.check is not None:
                    stage.check(self.context(stage, self.folder))

    def _partial(self, stage: Stage, key: str) -> Path:
        """The folder that is being filled: kept if a killed run left it for the same result."""
        partial = self.folder / f".{self.path(stage.name).name}.partial"
        if _key_of(partial) != key:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            write_text(partial / _KEY_FILE, key)
        return partial

    def _settings(self, stage: Stage) -> dict[str, Any]:
        whole = as_dict(self.recipe)
        return {section: whole[section] for section in stage.settings if section in whole}

    def _inputs(self, stage: Stage) -> dict[str, str]:
        """Hashes of records, not keys: times and memory differ when they are measured again."""
        return {need: file_sha256(self.path(need) / RECORD) for need in stage.needs}

    def _key(self, stage: Stage) -> str:
        """Hash of everything that decides the result."""
        files = {str(path): content_sha256(path) for path in stage.files(self.recipe) if path}
        threads = self.recipe.threads
        facts = {
            **({"files": files} if files else {}),
            **({"threads": threads} if threads != THREADS else {}),
            "stage": stage.name,
            "settings": self._settings(stage),
            "inputs": self._inputs(stage),
            "data": self._data_sha256 if stage.reads_pictures_of(self.recipe) else None,
            "seed": self.recipe.seed,
            "versions": package_versions(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _difference(self, stage: Stage, record: Record) -> str:
        """The first thing that differs, in words."""
        seed, threads, versions = self.recipe.seed, self.recipe.threads, package_versions()
        now, then = (
            {key: value for key, value in leaves(facts) if value != {}}
            for facts in (
                {**self._settings(stage), "seed": seed, "threads": threads, **versions},
                {**record.settings, "seed": record.seed, "threads": record.threads}
                | record.versions,
            )
        )
        for section in self._settings(stage):
            if section not in record.settings:
                return f"an older version did not record section '{section}'"
        for key in [*now, *then]:
            if now.get(key) != then.get(key):
                return f"{key}: {then.get(key)} then, {now.get(key)} now"
        return "other inputs or data"


def _context_in_worker(recipe: Recipe, root: Path, stage: str, folder: Path) -> StageContext:
    """What the stage that fills ``folder`` was handed, in another process, which has no workers."""
    run = Run(recipe, root, workers=1)
    return run.context(run.plan.stages[stage], folder)


def _key_of(partial: Path) -> str:
    """What a folder was being filled for; empty where that is unknown."""
    file = partial / _KEY_FILE
    if file.is_file():
        return file.read_text()
    record = read_record(partial)
    return record.key if record else ""


def _outputs(partial: Path) -> dict[str, str]:
    """File → sha256, of what a stage leaves."""
    paths = {path.relative_to(partial): path for path in sorted(partial.rglob("*"))}
    return {
        str(name): file_sha256(path)
        for name, path in paths.items()
        if path.is_file() and str(name) not in (_KEY_FILE, RECORD) and name.parts[0] != SCRATCH
    }


def read_record(folder: Path) -> Record | None:
    """The record in a stage's folder; None where it is missing or unreadable."""
    try:
        return Record.model_validate_json((folder / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def changed_output(folder: Path, record: Record) -> str:
    """The first file of a stage that is missing or is not as it was written; empty if none is."""
    for file, digest in record.outputs.items():
        path = folder / file
        if not path.is_file() or file_sha256(path) != digest:
            return file
    return ""


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(path: Path) -> str:
    """Of a file, or of all files in a folder; "missing" where there is neither."""
    if not path.exists():
        return "missing"
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return hashlib.sha256(" ".join(map(file_sha256, files)).encode()).hexdigest()
