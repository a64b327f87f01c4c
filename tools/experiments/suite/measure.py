"""The fixed set of generators through all variants and targets.

What was measured is kept after each member and target, so that an interrupted call goes on, and a
later one may add targets, sizes or families.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import FrozenModel, Measurement, Size
from deploy.machine import describe_machine
from deploy.targets.target import Target
from pipeline.atomic import write_bytes, write_text
from pipeline.tflite import convert as lite
from pipeline.tflite import count
from pipeline.tflite.count import refuse_float
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, read_metadata, write_metadata
from pipeline.training.randomness import Prior, Purpose, latents
from tools.experiments.suite import generators
from tools.experiments.suite.generators import (
    FAMILIES,
    LATENT,
    PIXELS,
    WIDTHS,
    Member,
    build,
    left_out,
    members,
)

SCHEMA: Literal["pocketgan.suite"] = "pocketgan.suite"
SCHEMA_VERSION: Literal[1] = 1
FILE, FILES = "suite.json", "files"
PACKAGES = ("pocketgan", "tensorflow", "tf-keras", "ai-edge-litert", "numpy")

FLOAT, INT8 = "float32", "int8-ptq"
VARIANTS = (FLOAT, "float16", "dynamic-range", INT8)
CALIBRATION = 16

# Few runs: that the whole set is done while a person waits counts more than headline precision.
ROUNDS = 2
RUNS = 256
FEWEST_RUNS = 8
SECONDS = 0.5
"""What the runs of one process may take; big members get fewer runs for it."""
MACS_PER_SECOND = 8e9
"""About what one thread does, to plan by."""
COUNTED_MACS_PER_SECOND = 20e6
"""The same of a counting emulator, to be patient by."""

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, and how many processes of how many have ended."""


class Result(FrozenModel):
    """One member of the set, and what was measured of it."""

    name: str
    family: str
    pixels: Size
    width: Size
    parameters: Size
    macs: Size
    """Multiply-accumulates of one picture."""
    bytes: dict[str, Size]
    """Of each variant's file."""
    measurements: tuple[Measurement, ...] = ()

    def on(self, target: str, variant: str) -> Measurement | None:
        """What was measured there with one thread, if anything was."""
        return next(
            (m for m in self.measurements if m.target == target and m.variant == variant), None
        )


class Suite(FrozenModel):
    """Everything in ``suite.json``."""

    schema_: Literal["pocketgan.suite"] = Field(SCHEMA, alias="schema")
    schema_version: Literal[1] = SCHEMA_VERSION
    generators: int
    """Version of the set."""
    date: str
    """Of the latest measurement, ISO 8601."""
    seed: Size
    versions: dict[str, str]
    machine: dict[str, JsonValue]
    left_out: tuple[str, ...]
    """Why some of the set's combinations do not exist."""
    results: tuple[Result, ...] = ()

    @property
    def targets(self) -> list[str]:
        """Those that measured anything, in order of their first appearance."""
        return list(dict.fromkeys(m.target for r in self.results for m in r.measurements))

    def result(self, name: str) -> Result | None:
        """The member called ``name``."""
        return next((result for result in self.results if result.name == name), None)


def read(folder: Path) -> Suite:
    """What an earlier ``run`` left in ``folder``.

    Raises:
        PocketganError: there is no such file, or it is none of this version.
    """
    path = folder / FILE
    try:
        return Suite.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise PocketganError(
            f"{path} cannot be read as a suite's results", "Remove it, or name another folder."
        ) from error


def run(
    targets: Sequence[Target],
    folder: Path,
    *,
    families: Sequence[str] = FAMILIES,
    pixels: Sequence[int] = PIXELS,
    widths: Sequence[int] = WIDTHS,
    seed: int = 0,
    rounds: int = ROUNDS,
    runs: int = RUNS,
    on_progress: OnProgress = lambda name, done, total: None,
) -> Suite:
    """Write the members' files, measure them on ``targets``, keep the figures in ``folder``.

    Args:
        rounds, runs: as in ``deploy.harness.MeasuringPlan``; members that take long get fewer runs.
        on_progress: called after each process.

    Returns:
        All that ``folder`` holds now: of this call and, not repeated, of earlier ones. Failures are
        in the measurements' ``error``; the next call tries those again.

    Raises:
        PocketganError: no such member, a target is not available, a file cannot be made, or the
            folder's figures are of other versions, another seed or another processor.
    """
    wanted = members(families, pixels, widths)
    for target in targets:
        target.require()
    suite = _begin(folder, seed)
    done, total = 0, sum(_processes(target, wanted, rounds) for target in targets)
    for _, group in groupby(wanted, key=lambda member: (member.pixels, member.width)):
        same_size = list(group)
        on_progress(same_size[0].name, done, total)
        suite, files = _with_files(suite, same_size, folder, seed)
        results = [result for member in same_size if (result := suite.result(member.name))]
        largest = max(result.macs for result in results)
        for target in targets:
            plan = plan_for(target, largest, rounds=rounds, runs=runs)
            counted_progress = _counted(on_progress, same_size[0], done, total)
            for result in _measured(
                results, target, files=files, plan=plan, on_progress=counted_progress
            ):
                suite = _with_result(suite, result)
            done += _processes(target, same_size, rounds)
            results = [result for member in same_size if (result := suite.result(member.name))]
            write_text(folder / FILE, suite.model_dump_json(by_alias=True, indent=1) + "\n")
    return suite


def _with_files(
    suite: Suite, same_size: Sequence[Member], folder: Path, seed: int
) -> tuple[Suite, dict[str, Path]]:
    """The suite with a result for each member, and "member/variant" → its file, written."""
    files: dict[str, Path] = {}
    for member in same_size:
        paths = write(member, folder / FILES, seed)
        files |= {f"{member.name}/{variant}": path for variant, path in paths.items()}
        suite = _with_result(suite, suite.result(member.name) or _describe(member, paths))
    return suite, files


def _processes(target: Target, wanted: Sequence[Member], rounds: int) -> int:
    return len(wanted) * len(VARIANTS) * (rounds if target.timed else 1)


def _measured(
    results: Sequence[Result],
    target: Target,
    *,
    files: dict[str, Path],
    plan: MeasuringPlan,
    on_progress: OnProgress,
) -> Iterator[Result]:
    """``results`` with what ``target`` says; their files take turns, since they are compared.

    A file of ``files`` is called member/variant.
    """
    earlier = [
        m.model_copy(update={"variant": f"{result.name}/{m.variant}"})
        for result in results
        for m in result.measurements
    ]
    fresh = measure(files, [target], plan=plan, earlier=earlier, on_progress=on_progress)
    for result in results:
        mine = [
            m.model_copy(update={"variant": m.variant.split("/")[1]})
            for m in fresh
            if m.variant.split("/")[0] == result.name
        ]
        yield _with_measurements(result, target, mine)


def _counted(on_progress: OnProgress, member: Member, before: int, total: int) -> OnProgress:
    """One call's progress as part of the whole."""
    size = f"{member.pixels} pixels, width {member.width}"
    return lambda target, done, _: on_progress(f"{size} on {target}", before + done, total)


def plan_for(target: Target, macs: int, *, rounds: int = ROUNDS, runs: int = RUNS) -> MeasuringPlan:
    """How members with so many MACs are measured: big ones with fewer runs, and more patience."""
    if not target.timed:
        return MeasuringPlan(
            rounds=1, runs=1, warmup=0, time_limit=120 + macs / COUNTED_MACS_PER_SECOND
        )
    affordable = int(SECONDS * MACS_PER_SECOND / max(macs, 1))
    each = max(FEWEST_RUNS, min(-(-runs // rounds), affordable))
    return MeasuringPlan(rounds=rounds, runs=each * rounds, warmup=each // 2)


def write(member: Member, folder: Path, seed: int) -> dict[str, Path]:
    """The files of ``member``, by variant; those that are there already are not made again.

    Each file carries member, seed and versions as provenance: by that it is recognised.
    """
    paths = {v: folder / f"{member.name}-seed{seed}" / f"{v}.tflite" for v in VARIANTS}
    provenance = {v: _provenance(member, seed, v) for v in VARIANTS}
    missing = [v for v in VARIANTS if not _is_made(paths[v], provenance[v])]
    if missing:
        paths[FLOAT].parent.mkdir(parents=True, exist_ok=True)
        makers = _makers(member, seed)
        for variant in missing:
            content = write_metadata(makers[variant](), PROVENANCE, provenance[variant])
            if variant == INT8:
                refuse_float(read_model(content), f"{variant} of {member.name}")
            write_bytes(paths[variant], content)
    return paths


def _makers(member: Member, seed: int) -> dict[str, Callable[[], bytes]]:
    model = build(member, seed)
    calibration = latents(seed, Purpose.CALIBRATION, count=CALIBRATION, prior=Prior(LATENT))
    return {
        FLOAT: lambda: lite.to_float32(model),
        "float16": lambda: lite.to_float16(model),
        "dynamic-range": lambda: lite.to_dynamic_range(model),
        INT8: lambda: lite.to_int8_post_training(model, calibration),
    }


def _provenance(member: Member, seed: int, variant: str) -> bytes:
    facts = {
        "pocketgan": _versions(),
        "generators": generators.VERSION,
        "generator": member.name,
        "seed": seed,
        "variant": variant,
    }
    return json.dumps(facts, sort_keys=True).encode()


def _is_made(path: Path, provenance: bytes) -> bool:
    try:
        return read_metadata(path.read_bytes(), PROVENANCE) == provenance
    except (OSError, PocketganError):
        return False


def _versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def _begin(folder: Path, seed: int) -> Suite:
    """An empty suite, or the one that an earlier call left."""
    fresh = Suite(
        schema=SCHEMA,
        generators=generators.VERSION,
        date=_now(),
        seed=seed,
        versions=_versions(),
        machine=json.loads(json.dumps(asdict(describe_machine()))),
        left_out=tuple(left_out()),
    )
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / FILE).exists():
        return fresh
    earlier = read(folder)
    for what, then, now in (
        ("generators", earlier.generators, fresh.generators),
        ("seed", earlier.seed, fresh.seed),
        ("versions", earlier.versions, fresh.versions),
        ("processor", earlier.machine.get("cpu"), fresh.machine.get("cpu")),
    ):
        if then != now:
            raise PocketganError(
                f"{folder / FILE} holds figures of other {what}: {then} then, {now} now",
                "Name another folder, or remove the file to measure everything again.",
            )
    return earlier


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _describe(member: Member, files: dict[str, Path]) -> Result:
    model = read_model(files[FLOAT])
    return Result(
        name=member.name,
        family=member.family,
        pixels=member.pixels,
        width=member.width,
        parameters=count.parameters(model),
        macs=count.total_macs(model),
        bytes={variant: path.stat().st_size for variant, path in files.items()},
    )


def _with_measurements(result: Result, target: Target, fresh: Sequence[Measurement]) -> Result:
    others = tuple(m for m in result.measurements if m.target != target.name)
    return result.model_copy(update={"measurements": (*others, *fresh)})


def _with_result(suite: Suite, result: Result) -> Suite:
    """With ``result`` in its place; the set's order is kept whatever came first."""
    results = {r.name: r for r in suite.results} | {result.name: result}
    ordered = tuple(results[m.name] for m in members() if m.name in results)
    return suite.model_copy(update={"results": ordered, "date": _now()})
