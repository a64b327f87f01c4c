"""What a stage is: its declaration, what it is handed, and what it gives back.

A stage declares beside its function what it needs, and its context hands out nothing else: whatever
decides a result is therefore part of the key that tells whether the result is stale.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from pipeline.data.dataset import Dataset
from pipeline.recipe.plain import as_dict
from pipeline.recipe.sections import Recipe
from pipeline.tensorflow_setup import THREADS

FOR_ALL = ("name", "seed", "threads")
"""What all stages read of a recipe."""
SECTIONS = tuple(section.name for section in fields(Recipe) if section.name not in FOR_ALL)
"""The sections of a recipe, in its order."""
SCRATCH = ".scratch"
FIRST_FILE = "first.tflite"

PACKAGES = (
    "pocketgan",
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "numpy",
)


@cache
def package_versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


class Record(BaseModel):
    """What a stage leaves beside its results: ``stage.json``."""

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
    threads: int = THREADS
    versions: dict[str, str]
    seconds: float
    metrics: dict[str, Any] = {}
    events: list[str] = []


@dataclass(frozen=True)
class Outcome:
    """What a stage says of its work besides the files that it wrote."""

    metrics: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)


Work = Callable[["StageContext"], Outcome]
Declared = ParamSpec("Declared")


@dataclass(frozen=True)
class SharedStorage:
    """Where workers on other machines find the trials of a search. It decides no byte."""

    address: str = field(repr=False)
    """Of an Optuna storage; may hold a password, so it stands in no file."""
    artifacts: str | None = field(default=None, repr=False)
    """Folder or fsspec URL for what trials read; None for the run's own folder."""


class UndeclaredError(Exception):
    """A stage reads what it does not declare: a fault of the stage, not of the person's input."""

    def __init__(self, stage: str, item: str, declaration: str) -> None:
        super().__init__(f"stage {stage} reads {item} without declaring it in `{declaration}`")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A step of a plan; calling it does its work."""

    work: Work = field(kw_only=False)
    """Fills the context's folder."""
    name: str = field(kw_only=False)
    settings: tuple[str, ...]
    """Sections of the recipe that it reads; the seed is read by all."""
    needs: tuple[str, ...] = ()
    """Names of the stages whose folders it reads."""
    reads_pictures: bool | Callable[[Recipe], bool] = False
    """Whether it reads the recipe's pictures, or of which recipes."""
    check: Callable[["StageContext"], None] | None = None
    """Raises PocketganError for what cannot work; asked before any stage of the plan runs."""
    files: Callable[[Recipe], Iterable[Path | None]] = lambda _: ()
    """Files and folders outside the run that it reads; they count by their content."""

    def __call__(self, ctx: "StageContext") -> Outcome:
        return self.work(ctx)

    def reads_pictures_of(self, recipe: Recipe) -> bool:
        """Whether the pictures of this recipe are part of what decides its result."""
        reads = self.reads_pictures
        return reads if isinstance(reads, bool) else reads(recipe)


def _as_decorator(
    declare: Callable[Concatenate[Work, Declared], Stage],
) -> Callable[Declared, Callable[[Work], Stage]]:
    return lambda *name, **declared: lambda work: declare(work, *name, **declared)


stage = _as_decorator(Stage)
"""Decorator: the function below is the work of a stage that reads this and nothing else."""


class StageContext:
    """What a stage is handed: its folder, and of everything else what it declares.

    Reading anything undeclared raises UndeclaredError. It can be pickled for a worker, where it is
    made anew.
    """

    def __init__(
        self,
        stage: Stage,
        recipe: Recipe,
        *,
        folder: Path,
        inputs: Mapping[str, Path],
        records: Mapping[str, Record],
        lineage: Iterable[str],
        cache: Path,
        load_dataset: Callable[[], Dataset],
        workers: int | None,
        storage: SharedStorage | None,
        remake: tuple[Callable[..., "StageContext"], tuple[Any, ...]],
    ) -> None:
        self.stage = stage
        self.recipe = cast(Recipe, _DeclaredRecipe(recipe, stage))
        """What all stages read, and the declared sections."""
        self.folder = folder
        """To fill; it becomes the stage's folder when the work is done."""
        self.inputs: Mapping[str, Path] = _DeclaredInputs(stage, inputs)
        """Stage → its finished folder."""
        self.records: Mapping[str, Record] = _DeclaredInputs(stage, records)
        """Stage → its record."""
        self.cache = cache
        """Folder of what all runs beside this one share."""
        self.workers = workers
        """Most processes that may work side by side; None for as many as fit."""
        self.storage = storage
        """Whose workers make the trials of the search; None where this machine does."""
        self._whole = recipe
        self._remake = remake  # function and arguments
        self._lineage = frozenset(lineage)
        self._load_dataset = load_dataset

    def __reduce__(self) -> tuple[Callable[..., "StageContext"], tuple[Any, ...]]:
        return self._remake

    @property
    def dataset(self) -> Dataset:
        """The pictures of the recipe, uint8, split into train and test."""
        if not self.stage.reads_pictures_of(self._whole):
            raise UndeclaredError(self.stage.name, "the pictures", "reads_pictures")
        return self._load_dataset()

    @property
    def scratch(self) -> Path:
        """A folder for checkpoints: it survives a kill, and goes when the stage is done."""
        folder = self.folder / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def first_file(self) -> Path:
        """What a user may try before all is done, beside the folders of the stages."""
        return self.folder.parent / FIRST_FILE

    def declared_settings(self) -> dict[str, Any]:
        """What all stages read and the declared sections, as plain values in the recipe's order."""
        declared = (*FOR_ALL, *self.stage.settings)
        return {name: value for name, value in as_dict(self._whole).items() if name in declared}

    def lineage_settings(self) -> dict[str, Any]:
        """The sections that this stage and all before it declare: what its files follow from."""
        values = as_dict(self._whole).items()
        return {name: value for name, value in values if name in self._lineage}


class _DeclaredRecipe:
    """A recipe of which only the declared sections can be read."""

    def __init__(self, recipe: Recipe, stage: Stage) -> None:
        self._recipe, self._stage = recipe, stage

    def __getattr__(self, name: str) -> Any:
        if name in SECTIONS and name not in self._stage.settings:
            raise UndeclaredError(self._stage.name, f"section '{name}' of the recipe", "settings")
        return getattr(self._recipe, name)


Value = TypeVar("Value")


class _DeclaredInputs(dict[str, Value]):
    """Values by the name of a needed stage."""

    def __init__(self, stage: Stage, values: Mapping[str, Value]) -> None:
        super().__init__(values)
        self._stage = stage

    def __missing__(self, name: str) -> Value:
        raise UndeclaredError(self._stage.name, f"what stage {name} left", "needs")

    def get(self, name: str, default: Any = None) -> Any:
        """As ``[name]``: of what is not declared there is no default either."""
        return self[name]
