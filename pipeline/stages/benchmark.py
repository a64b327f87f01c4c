"""Speed and memory of each .tflite file on each target, each in fresh processes."""

import json
from dataclasses import asdict

import numpy as np

from deploy.harness import Plan, measure
from deploy.machine import describe_machine
from deploy.targets import find_target
from pipeline import progress
from pipeline.atomic import write_text
from pipeline.report.benchmark.grid import place
from pipeline.run import Outcome, StageContext
from pipeline.stages import networks
from pipeline.training.randomness import Purpose
from pipeline.variants import find_variants

INPUTS = 64
"""Latents, or a few more, that every variant draws in turn, so that all do the same work."""
MEASUREMENTS = "measurements.json"
MACHINE = "machine.json"


def benchmark(ctx: StageContext) -> Outcome:
    """Write one measurement a target, variant and number of threads, and what machine this is."""
    settings = ctx.recipe.benchmark
    inputs = ctx.scratch / "latents.npy"
    count = networks.whole_batches(ctx, INPUTS)
    np.save(inputs, networks.inputs(ctx, Purpose.EVALUATION, count))
    with progress.bar() as bar:
        task = bar.add_task("benchmark", total=None)
        measurements = measure(
            find_variants(ctx.inputs["convert"]),
            [find_target(name) for name in settings.targets],
            Plan(
                threads=settings.threads,
                rounds=settings.rounds,
                runs=settings.runs,
                warmup=settings.warmup,
                seed=ctx.recipe.seed,
                latents=inputs,
            ),
            on_progress=lambda name, done, total: bar.update(
                task, description=f"benchmark {name}", completed=done, total=total
            ),
        )
    figures = [measurement.model_dump() for measurement in measurements]
    write_text(ctx.folder / MEASUREMENTS, json.dumps(figures, indent=1) + "\n")
    machine = asdict(describe_machine())
    write_text(ctx.folder / MACHINE, json.dumps(machine, indent=1) + "\n")
    first = min(settings.threads)
    return Outcome(
        {
            f"p50_ms_{m.variant}": m.p50_ms
            for m in measurements
            if m.target == "local" and m.threads == first
        },
        [
            f"{m.variant} on {place(m.target, m.threads)}: {m.error}"
            for m in measurements
            if m.error
        ],
    )
