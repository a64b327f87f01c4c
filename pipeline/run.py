"""A run's folder: a numbered sub-folder a stage, each with a record of what it was made from.

A stage is fresh when its record says that it was made by the same settings, from the same inputs,
with the same versions. Everything else is stale and is made again.
"""

import fcntl
import hashlib
import importlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.errors import PocketganError
from pipeline.atomic import replace_folder, write_text
from pipeline.data import drawn, sources
from pipeline.data.dataset import Dataset
from pipeline.data.sources import TEACHER
from pipeline.native_log import LOG, native_log
from pipeline.recipe import Recipe, as_dict, to_yaml

RECIPE, RECORD = "recipe.yaml", "stage.json"
SCRATCH = ".scratch"
PACKAGES = (
    "pocketgan",
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "numpy",
)


class Record(BaseModel):
    """What a stage leaves beside its results."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    key: str
    """Hash of settings, inputs, data, seed and versions."""
    settings: dict[str, Any]
    inputs: dict[str, str]
    """Name of a stage → sha256 of its record, which names what was read by its hash."""
    outputs: dict[str, str]
    """File → sha256."""
    seed: int
    versions: dict[str, str]
    seconds: float
    metrics: dict[str, Any] = {}
    events: list[str] = []


@dataclass(frozen=True)
class Outcome:
    """What a stage has to say besides the files it wrote."""

    metrics: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StageContext:
    """What a stage is given: the recipe, a folder to fill, the earlier folders, the data."""

    recipe: Recipe
    folder: Path
    inputs: Mapping[str, Path]
    run: "Run"

    @property
    def dataset(self) -> Dataset:
        """The pictures; read once a run."""
        return self.run.dataset

    @property
    def scratch(self) -> Path:
        """A folder for checkpoints: it outlives a kill, and goes when the stage is done."""
        folder = self.folder / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder


@dataclass(frozen=True)
class Stage:
    """A step of a path; its entry is the function of the same name in ``pipeline.stages``."""

    name: str
    describe: str
    needs: tuple[str, ...]
    sections: tuple[str, ...]
    """The sections of the recipe that decide its result."""
    data: bool = False
    """Whether it reads the pictures."""

    def work(self, ctx: StageContext) -> Outcome:
        """Fill the context's folder."""
        module = importlib.import_module(f"pipeline.stages.{self.name}")
        entry: Callable[[StageContext], Outcome] = getattr(module, self.name)
        return entry(ctx)


_NETWORKS = ("data", "generator", "discriminator", "train")


def _path(*stages: Stage) -> dict[str, Stage]:
    return {stage.name: stage for stage in stages}


def _last(*made: str) -> tuple[Stage, ...]:
    """The stages in which every path ends; ``made`` are those that hold generators."""
    return (
        Stage(
            "convert",
            "write every variant as .tflite, and check it",
            made,
            ("data", "generator", "convert"),
            True,
        ),
        Stage(
            "evaluate",
            "measure what each file draws",
            ("convert",),
            ("data", "generator", "evaluate"),
            True,
        ),
        Stage(
            "benchmark",
            "measure speed and memory of each file",
            ("convert",),
            ("generator", "benchmark"),
            True,
        ),
        Stage(
            "report",
            "put it all on one page",
            (*made, "convert", "evaluate", "benchmark"),
            ("report",),
            True,
        ),
    )


_QUANTIZE = "fold batch norm, then fine-tune with int8 rounding"

STAGES = _path(
    Stage("train", "play the GAN game; keep the averaged generator", (), _NETWORKS, True),
    Stage(
        "prune",
        "grow zeros in the kernels while the game goes on",
        ("train",),
        (*_NETWORKS, "prune"),
        True,
    ),
    Stage("quantize", _QUANTIZE, ("train", "prune"), (*_NETWORKS, "quantize"), True),
    *_last("train", "prune", "quantize"),
)
"""The path of a recipe: a GAN is trained here."""

COMPRESSION = _path(
    Stage(
        "teacher",
        "take in the generator; let it draw what its student learns from",
        (),
        ("generator", "teacher"),
    ),
    Stage(
        "search",
        "try students that fit the budget; the best go on",
        ("teacher",),
        ("data", "generator", "evaluate", "budget", "search"),
        True,
    ),
    Stage(
        "student",
        "teach the chosen one: imitation, then the game",
        ("teacher", "search"),
        (*_NETWORKS, "evaluate", "budget", "search", "student"),
        True,
    ),
    Stage(
        "quantize",
        _QUANTIZE,
        ("teacher", "student"),
        (*_NETWORKS, "budget", "student", "quantize"),
        True,
    ),
    *_last("teacher", "search", "student", "quantize"),
)
"""The path of `pocketgan compress`: a generator is there, and a smaller one is taught by it."""


def path_of(recipe: Recipe) -> dict[str, Stage]:
    """The stages that a recipe goes through, in order."""
    return STAGES if recipe.teacher.file is None else COMPRESSION


def path_of_folder(folder: Path) -> dict[str, Stage]:
    """The stages of the run in a folder, as its recipe has it; ``STAGES`` where that is damaged."""
    try:
        given = yaml.safe_load((folder / RECIPE).read_text(encoding="utf-8"))["teacher"]["file"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return STAGES  # recipes of older versions know no teacher
    return STAGES if given is None else COMPRESSION


class Run:
    """The folder ``root/NAME`` that a recipe fills. Create, ``lock``, then ``make`` stages."""

    def __init__(self, recipe: Recipe, root: Path) -> None:
        self.recipe = recipe
        self.root = root
        self.folder = root / recipe.name
        self.stages = path_of(recipe)
        self._known: dict[str, str] = {}

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures of the recipe: uint8 arrays, split into train and test."""
        data = self.recipe.data
        if data.source == TEACHER:
            return drawn.read(self.path("teacher"))
        return sources.load(
            data.source,
            image_size=data.image_size,
            channels=data.channels,
            folder=data.folder,
            cache=self.root / ".cache",
            test_fraction=data.test_fraction,
            seed=self.recipe.seed,
            minimum=self.recipe.train.batch,
        )

    @cached_property
    def _data_sha256(self) -> str:
        return self.dataset.sha256

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Nobody else works in this folder meanwhile; the system lifts the lock of the killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PocketganError(
                    f"{self.folder}: another pocketgan works in this folder.",
                    "Wait for it, or give this run another name with --name.",
                ) from error
            yield

    def path(self, name: str) -> Path:
        """The folder of a stage."""
        return stage_folder(self.folder, name, self.stages)

    def record(self, name: str) -> Record | None:
        """What a stage wrote about itself; None where it is missing or unreadable."""
        return read_record(self.path(name))

    def is_fresh(self, name: str) -> bool:
        """Whether making the stage now would give what is there already."""
        return self.staleness(name) == ""

    def staleness(self, name: str) -> str:
        """Why the stage must be made (again); empty if it need not.

        Asked once a stage until something is made: a later stage asks for all before it.
        """
        if name not in self._known:
            self._known[name] = self._look(name)
        return self._known[name]

    def _look(self, name: str) -> str:
        stage = self.stages[name]
        for need in stage.needs:
            if self.staleness(need):
                return f"{need} must run first"
        record = self.record(name)
        if record is None:
            return "it has not run yet" if not self.path(name).exists() else "its record is broken"
        if record.key != self._key(stage):
            return f"it was made from something else ({self._difference(stage, record)})"
        for file, digest in record.outputs.items():
            path = self.path(name) / file
            if not path.is_file() or file_sha256(path) != digest:
                return f"{path} is missing or was changed"
        return ""

    def make(self, name: str) -> Record:
        """Run one stage on fresh inputs, resuming what a killed one left; the result appears whole.

        Raises PocketganError where an input is missing, broken or of another recipe.
        """
        stage = self.stages[name]
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
        started = time.monotonic()
        inputs = {need: self.path(need) for need in stage.needs}
        with native_log(partial / LOG):
            outcome = stage.work(StageContext(self.recipe, partial, inputs, self))
        shutil.rmtree(partial / SCRATCH, ignore_errors=True)
        record = Record(
            stage=name,
            key=key,
            settings=self._settings(stage),
            inputs=self._inputs(stage),
            outputs={
                str(path.relative_to(partial)): file_sha256(path)
                for path in sorted(partial.rglob("*"))
                if path.is_file() and path.name != _KEY_FILE
            },
            seed=self.recipe.seed,
            versions=_versions(),
            seconds=round(time.monotonic() - started, 2),
            metrics=outcome.metrics,
            events=outcome.events,
        )
        (partial / _KEY_FILE).unlink()
        write_text(partial / RECORD, record.model_dump_json(indent=1) + "\n")
        replace_folder(partial, self.path(name))
        self._known.clear()
        return record

    def _partial(self, stage: Stage, key: str) -> Path:
        """The folder that is being filled: kept if a killed run left it for the same result."""
        partial = self.folder / f".{self.path(stage.name).name}.partial"
        kept = partial / _KEY_FILE
        if not kept.is_file() or kept.read_text() != key:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            write_text(kept, key)
        return partial

    def _settings(self, stage: Stage) -> dict[str, Any]:
        whole = as_dict(self.recipe)
        return {section: whole[section] for section in stage.sections}

    def _inputs(self, stage: Stage) -> dict[str, str]:
        """Hashes of records, not keys: times and memory differ when they are measured again."""
        return {need: file_sha256(self.path(need) / RECORD) for need in stage.needs}

    def _facts(self, stage: Stage) -> dict[str, Any]:
        """Everything that decides the result."""
        return {
            "settings": self._settings(stage),
            "inputs": self._inputs(stage),
            "data": self._data_sha256 if stage.data else None,
            "seed": self.recipe.seed,
            "versions": _versions(),
        }

    def _key(self, stage: Stage) -> str:
        text = json.dumps({"stage": stage.name, **self._facts(stage)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _difference(self, stage: Stage, record: Record) -> str:
        """The first thing that differs, in words."""
        now = _flat(self._settings(stage))
        then = _flat(record.settings)
        for key in [*now, *then]:
            if now.get(key) != then.get(key):
                return f"{key}: {then.get(key)} then, {now.get(key)} now"
        if record.seed != self.recipe.seed:
            return f"seed: {record.seed} then, {self.recipe.seed} now"
        for package, number in _versions().items():
            if record.versions.get(package) != number:
                return f"{package}: {record.versions.get(package)} then, {number} now"
        return "other inputs or data"


_KEY_FILE = "key"


@cache
def _versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def stage_folder(run: Path, name: str, path: Mapping[str, Stage] = STAGES) -> Path:
    """The folder of a stage in a run's folder."""
    return run / f"{[*path].index(name) + 1}-{name}"


def read_record(folder: Path) -> Record | None:
    """The record in a stage's folder; None where it is missing or unreadable."""
    try:
        return Record.model_validate_json((folder / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def file_sha256(path: Path) -> str:
    """Of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{above}.{key}" if above else key
        flat |= _flat(value, name) if isinstance(value, dict) else {name: value}
    return flat
