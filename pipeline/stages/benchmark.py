"""Speed and memory of each .tflite file on each target, each in fresh processes."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from deploy.harness import ENERGY_S, MeasuringPlan, measure
from deploy.machine import describe_machine
from deploy.targets import find_targets, shelf
from pipeline import progress
from pipeline.artifacts import MACHINE, MEASUREMENTS, find_variants
from pipeline.recipe.sections import Recipe
from pipeline.report.benchmark.grid import target_title
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages.inputs import batched_inputs
from pipeline.training.randomness import Purpose

INPUTS = 64
"""Inputs, or a few more, that every variant draws in turn, so that all do the same work."""
_SETTINGS = ("generator", "convert", "benchmark")


def _benchmark(ctx: StageContext) -> Outcome:
    """Write one measurement a target, variant and number of threads, and what machine this is."""
    settings = ctx.recipe.benchmark
    inputs = ctx.scratch / "latents.npy"
    values = batched_inputs(ctx, Purpose.EVALUATION, INPUTS)
    np.save(inputs, values.reshape(len(values), -1))
    with progress.bar() as bar:
        measurements = measure(
            find_variants(ctx.inputs["convert"]),
            find_targets(settings.targets, progress.ask),
            plan=MeasuringPlan(
                threads=settings.threads,
                rounds=settings.rounds,
                runs=settings.runs,
                warmup=settings.warmup,
                seed=ctx.recipe.seed,
                latents=inputs,
                energy_s=ENERGY_S,
            ),
            on_progress=progress.lines(bar),
        )
    MEASUREMENTS.write(tuple(measurements), ctx.folder)
    MACHINE.write(asdict(describe_machine()), ctx.folder)
    first = min(settings.threads)
    return Outcome(
        {
            f"p50_ms_{m.variant}": m.p50_ms
            for m in measurements
            if m.target == "local" and m.threads == first
        },
        [
            f"{m.variant} on {target_title(m.title, m.threads)}: {m.error}"
            for m in measurements
            if m.error
        ],
    )


def _check_targets(ctx: StageContext) -> None:
    """PocketganError for a target that there is not, or a shelf that cannot be read."""
    find_targets(ctx.recipe.benchmark.targets)


def _shelves(recipe: Recipe) -> list[Path]:
    return shelf.paths(recipe.benchmark.targets)


benchmark = stage(
    "benchmark",
    needs=("convert",),
    settings=_SETTINGS,
    reads_pictures=True,
    files=_shelves,
    check=_check_targets,
)(_benchmark)
benchmark_student = stage(
    "benchmark",
    needs=("teacher", "convert"),
    settings=("data", *_SETTINGS, "teacher"),
    reads_pictures=True,
    files=_shelves,
    check=_check_targets,
)(_benchmark)
