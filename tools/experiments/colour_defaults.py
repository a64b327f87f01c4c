"""Which networks, loss and regularizers draw pictures of one's own best in the same work?

Every setting below trains on the folder of pictures for as long a CPU time (all threads together,
so that other work on the machine costs none of them anything), its learning rates falling to their
end by then. Its averaged generator then draws as many pictures as the judge compares: Fréchet
distance, KID and recall by the published judge of colour (from 32 pixels on), float32.

    python -m tools.experiments.colour_defaults FOLDER [--size 64] [--minutes 20]
        [--only NAME …] [--seed N] [--pictures OUT] [--json]

`--pictures` leaves a grid of 64 for each there, of the fixed latents, not chosen by hand.
Its figures stand in docs/decisions.md.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.determinism import prepare
from pipeline.metrics.imagenet import ImageNetJudge
from pipeline.metrics.quality import RealImages, measure
from pipeline.networks.pixels import TRANSLATED, to_uint8
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.run import Run
from pipeline.stage import StageContext
from pipeline.stages import training
from pipeline.stages.inputs import generator_inputs
from pipeline.training.randomness import Purpose
from tools.console import run_as_program
from tools.experiments.readme_picture import grid
from tools.tables import Table, cell, whole

WARM_UP, TIMED = 3, 16
"""Steps before the clock starts: a graph is built at the first of each kind; and steps timed."""
SAMPLES, BATCH, ROWS = 2000, 100, 4
COMMON: dict[str, Any] = {
    "train": {"batch": 32, "final_rate": 0.0, "ema": 0.998, "augment": ["shift", "cutout"]}
}

_TRAINED_HERE: dict[str, Any] = {"discriminator": {"name": "r3gan", "width": 16}}
_RATES = {"generator_rate": 5e-4, "discriminator_rate": 5e-4}
_RELATIVISTIC = {"train": {"loss": "relativistic", "r1": 0.5, "r2": 0.5, **_RATES}}
_HINGE: dict[str, Any] = {
    "discriminator": {**_TRAINED_HERE["discriminator"], "spectral_norm": True},
    "train": {"loss": "hinge", "generator_rate": 2e-4, "discriminator_rate": 4e-4},
}
_PROJECTED = {"discriminator": {"name": "projected"}, "train": {"loss": "hinge", **_RATES}}
_DCGAN = {"generator": {"name": "dcgan", "width": 32}}
_RESIZE = {"generator": {"name": "resize", "width": 16}}

SETTINGS: dict[str, dict[str, Any]] = {
    "readme": {"train": {"batch": 64, "augment": ["shift", "cutout", "brightness"], "r1": 0.1}},
    "dcgan, r1": {**_DCGAN, **_TRAINED_HERE, "train": {"r1": 0.5, **_RATES}},
    "dcgan, hinge": {**_DCGAN, **_HINGE},
    "dcgan, projected": {**_DCGAN, **_PROJECTED},
    "r3gan, projected": {"generator": {"name": "r3gan", "width": 16}, **_PROJECTED},
    "resize, hinge": {**_RESIZE, **_HINGE},
    "resize, relativistic": {**_RESIZE, **_TRAINED_HERE, **_RELATIVISTIC},
    "resize, projected": {**_RESIZE, **_PROJECTED},
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one setting came to."""

    setting: str
    steps: int
    seconds_a_step: float
    """CPU seconds of all threads."""
    parameters: int
    frechet: float
    kid: float
    recall: float
    precision: float


def recipe_of(setting: str, folder: Path, *, size: int, seed: int) -> Recipe:
    """A recipe for pictures of one's own with the setting's networks and rules."""
    values: dict[str, Any] = {
        "name": "colour",
        "seed": seed,
        "data": {
            "source": "folder",
            "folder": str(folder),
            "image_size": size,
            "channels": 3,
            "test_fraction": 0.1,
        },
    }
    chosen = SETTINGS[setting]
    common = COMMON if setting != "readme" else {}
    for section in {*chosen, *common}:
        values[section] = {**common.get(section, {}), **chosen.get(section, {})}
    return load_recipe(values)


def context_of(recipe: Recipe, folder: Path) -> StageContext:
    """What stage train is handed."""
    run = Run(recipe, folder)
    return run.context(run.plan.stages["train"], folder / "train")


def cpu_seconds_a_step(ctx: StageContext) -> float:
    """Of a training that is thrown away."""
    trainer = training.trainer(ctx, training.build_networks(ctx), settings=ctx.recipe.train)
    every = ctx.recipe.train.r1_every
    for number in (*range(WARM_UP), *[every] * WARM_UP):
        trainer.step(regularize=trainer.objective.regularizes_at(number))
    started = time.process_time()
    for number in range(TIMED):
        trainer.step(regularize=trainer.objective.regularizes_at(number))
    return (time.process_time() - started) / TIMED


def compare(
    setting: str, folder: Path, *, size: int, minutes: float, seed: int, grids: Path | None
) -> Row:
    """Train for so many minutes of CPU time, draw and measure."""
    recipe = recipe_of(setting, folder, size=size, seed=seed)
    prepare(seed)
    with tempfile.TemporaryDirectory() as temporary:
        ctx = context_of(recipe, Path(temporary))
        seconds = cpu_seconds_a_step(ctx)
        steps = max(1, round(60 * minutes / seconds))
        rules = replace(recipe.train, steps=steps, check_every=max(1, steps // 40))
        ctx = context_of(replace(recipe, train=rules), Path(temporary))
        networks = training.build_networks(ctx)
        trainer = training.trainer(ctx, networks, settings=ctx.recipe.train)
        trainer.train(Path(temporary) / "checkpoint.npz", setting)
        trainer.recalibrate()
        inputs = generator_inputs(ctx, Purpose.EVALUATION, SAMPLES)
        outputs = networks.generator.predict(inputs, batch_size=BATCH, verbose=0)
        pictures = to_uint8(outputs, TRANSLATED)
        real = RealImages.seen_by(ImageNetJudge(), ctx.dataset.test)
        quality = measure(pictures, real, seed=seed)
    if grids is not None:
        grids.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grid(trainer.fixed_pictures(), ROWS)).save(grids / f"{setting}.png")
    return Row(
        setting=setting,
        steps=steps,
        seconds_a_step=seconds,
        parameters=networks.generator.count_params(),
        frechet=quality.frechet,
        kid=quality.kid,
        recall=quality.recall,
        precision=quality.precision,
    )


def table(rows: list[Row]) -> Table:
    """One row a setting, the best by Fréchet distance first."""
    headings = (
        "setting",
        "steps",
        "CPU ms a step",
        "weights",
        "Fréchet",
        "KID",
        "recall",
        "precision",
    )
    cells = [
        [
            row.setting,
            whole(row.steps),
            whole(1000 * row.seconds_a_step),
            whole(row.parameters),
            *map(cell, (row.frechet, row.kid, row.recall, row.precision)),
        ]
        for row in sorted(rows, key=lambda row: row.frechet)
    ]
    return Table(headings, cells, [])


def main() -> int:
    """0, always: it only measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of pictures")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=20.0, help="of CPU time for each")
    parser.add_argument(
        "--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="NAME"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="folder for a grid of each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for setting in options.only:
        rows.append(
            compare(
                setting,
                options.folder,
                size=options.size,
                minutes=options.minutes,
                seed=options.seed,
                grids=options.pictures,
            )
        )
        if not options.json:
            print(table(rows[-1:]).markdown())
    print(json.dumps([asdict(row) for row in rows]) if options.json else table(rows).markdown())
    return 0


if __name__ == "__main__":
    run_as_program(main)
