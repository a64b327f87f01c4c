"""Do two processes that share each batch train what one process trains?

A sketch of `tf.distribute` in the one training loop. Every process draws the whole batch of a step,
which depends on the seed alone, takes its own part of it, and averages gradients with the others by
MultiWorkerMirroredStrategy (gRPC on the loopback); each updates networks of its own, which stay
equal. Losses of each step are compared with those of one process, relative to their mean size; so
are losses of one process that adds its sums up on another number of threads, for scale. Normalized
networks (the recipe `digits`) see the statistics of their own part of a batch only.

    python -m tools.experiments.data_parallel [--recipes r3gan digits] [--steps 20]

Its figures stand in docs/decisions.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import PocketganError
from pipeline.consoles import console
from tools.console import run_as_program
from tools.postgresql import free_port
from tools.tables import Table

RECIPES = ("r3gan", "digits")
WORKERS = 2
TOOL = "tools.experiments.data_parallel"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work(options.recipes[0], options.steps, options.worker)
        return 0
    rows = [row for recipe in options.recipes for row in _rows(recipe, options.steps)]
    headings = ["", "furthest loss from one process's", "at the first step", "CPU ms a step"]
    console().print(Table(headings, rows, []).for_terminal())
    return 0


def _rows(recipe: str, steps: int) -> list[list[str]]:
    (one,) = _train(recipe, steps, processes=1)
    (threads,) = _train(recipe, steps, processes=1, environment=threads_of(1))
    shared = _train(recipe, steps, processes=WORKERS)
    return [
        _row(f"{recipe}: {WORKERS} processes", one, shared),
        _row(f"{recipe}: one process of one thread, not two", one, [threads]),
        [f"{recipe}: one process", "", "", f"{one['cpu_ms']:.0f}"],
    ]


def threads_of(count: int) -> dict[str, str]:
    """For the environment of a process."""
    return {"DATA_PARALLEL_THREADS": str(count)}


def _row(name: str, one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    expected = np.array(one["losses"])
    apart = np.mean([other["losses"] for other in others], axis=0) - expected
    share = np.abs(apart) / np.abs(expected).mean(axis=0)
    cpu = sum(other["cpu_ms"] for other in others)
    return [name, f"{share.max():.1e}", f"{share[0].max():.1e}", f"{cpu:.0f}"]


def _train(
    recipe: str, steps: int, *, processes: int, environment: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """What each process wrote: its losses [steps, 2] and its CPU time."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(processes)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{index}.json" for index in range(processes)]
        running = []
        for index, file in enumerate(files):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            command = [sys.executable, "-m", TOOL, "--recipes", recipe, "--steps", f"{steps}"]
            own = {"TF_CONFIG": json.dumps(task), **threads_of(2), **(environment or {})}
            running.append(
                subprocess.Popen([*command, "--worker", str(file)], env=os.environ | own)
            )
        if max(process.wait() for process in running):
            raise PocketganError(f"a process that trained {recipe} failed.", "It says why, above.")
        return [json.loads(file.read_bytes()) for file in files]


# ---------------------------------------------------------------------- in each process


def _work(recipe: str, steps: int, file: Path) -> None:
    from pipeline.tensorflow_setup import configure_tensorflow, use_threads

    configure_tensorflow()
    use_threads(int(os.environ["DATA_PARALLEL_THREADS"]))
    task = json.loads(os.environ["TF_CONFIG"])
    count, index = len(task["cluster"]["worker"]), int(task["task"]["index"])
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy() if count > 1 else None
    trainer = _trainer(recipe, steps)
    if strategy is not None:
        _share(trainer, strategy, count=count, index=index)
    losses, started = [], 0.0
    for step in range(steps):
        metrics = trainer.step(regularize=trainer.objective.regularizes_at(step), phase=0)
        losses.append([float(value) for value in metrics[:2]])
        if step == 1:  # both graphs are there
            started = time.process_time()
    cpu_ms = 1000 * (time.process_time() - started) / max(1, steps - 2)
    file.write_text(json.dumps({"losses": losses, "cpu_ms": cpu_ms}))


def _trainer(name: str, steps: int) -> Any:
    """As the stage train has it, but without augmentation, whose random numbers are a part's own,
    and without R1 and R2, which cost time and ask nothing else."""
    from pipeline.determinism import prepare
    from pipeline.recipe.reading import load_recipe
    from pipeline.run import Run
    from tools.experiments.step_time import build, trainer_of

    recipe = load_recipe(name)
    dataset = Run(recipe, Path("runs")).dataset
    classes = len(dataset.classes) if recipe.generator.conditional else 0
    networks = build(recipe, classes)
    prepare(recipe.seed)
    settings = replace(recipe.train, augment=[], r1=0.0, r2=0.0, steps=steps)
    return trainer_of(networks, dataset, classes=classes, settings=settings, seed=recipe.seed)


def _share(trainer: Any, strategy: Any, *, count: int, index: int) -> None:
    """Let the trainer take its part of each batch, and average gradients with the others."""
    import tensorflow as tf

    objective = trainer.objective
    draw, size = objective.batch, objective.settings.batch // count

    def part(seeds: Any) -> Any:
        whole = draw(seeds)
        tensors = {one.name: getattr(whole, one.name) for one in fields(whole)}
        own = slice(index * size, (index + 1) * size)
        return replace(whole, **{n: v[own] for n, v in tensors.items() if v is not None})

    def mean(values: list[Any]) -> Any:
        def reduce() -> Any:
            context = tf.distribute.get_replica_context()
            placed = [tf.identity(value) for value in values]  # on the device of the replica
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, placed)

        return strategy.run(reduce)

    def averaged(apply: Callable[..., Any]) -> Callable[..., Any]:
        def apply_mean(pairs: Any) -> Any:
            gradients, variables = zip(*pairs, strict=True)
            return apply(zip(mean([*gradients]), variables, strict=True))

        return apply_mean

    objective.batch = part
    for optimizer in (trainer._generator_optimizer, trainer._discriminator_optimizer):
        optimizer.apply_gradients = averaged(optimizer.apply_gradients)


if __name__ == "__main__":
    run_as_program(main)
