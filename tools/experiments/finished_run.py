"""A finished run, opened for an experiment: what its stages wrote, its judge for other files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.metrics.quality import RealImages, measure
from pipeline.recipe import load_recipe
from pipeline.run import Run
from pipeline.stage import SECTIONS, Outcome, StageContext, stage
from pipeline.stages.evaluate import find_judge, pictures
from pipeline.stages.inputs import class_count, prior_inputs
from pipeline.tflite import count
from pipeline.tflite.float_ops import float_ops
from pipeline.tflite.read import read_model
from pipeline.training.randomness import Purpose
from pipeline.variants import BASELINE


def open_run(folder: Path) -> StageContext:
    """A ctx at which every stage of the run can be read, and nothing of it is written.

    Raises PocketganError where the folder holds no run, or one that is not evaluated yet.
    """
    folder = folder.resolve()
    recipe_kept = folder / "recipe.yaml"
    if not recipe_kept.is_file():
        raise PocketganError(
            f"{folder} is no run's folder: it holds no recipe.yaml.",
            "Make one with `pocketgan run digits`, then name runs/digits.",
        )
    run = Run(load_recipe(str(recipe_kept)), folder.parent)
    if run.folder != folder:
        raise PocketganError(
            f"{folder}: the recipe in it is that of a run called '{run.recipe.name}'.",
            f"Call the folder '{run.recipe.name}'.",
        )
    reason = run.staleness("evaluate")
    if reason:
        raise PocketganError(
            f"{folder}: stage evaluate is not up to date: {reason}.",
            f"Run `pocketgan run {recipe_kept} --runs {folder.parent}` first.",
        )
    everything = stage("experiment", needs=run.plan.names, settings=SECTIONS, reads_pictures=True)
    return run.context(everything(lambda _: Outcome()), folder)


def variant(ctx: StageContext, name: str) -> Path:
    """The .tflite that the run converted."""
    return ctx.inputs["convert"] / f"{name}.tflite"


@dataclass(frozen=True)
class Findings:
    """What a .tflite is and what it draws; ``psnr`` is against float32, None where all is equal.

    ``as_asked`` is the share of pictures in which the judge sees the class that was asked for; None
    where no class can be asked for.
    """

    bytes: int
    bytes_gzip: int
    float_ops: int
    zeros: float | None
    frechet: float
    recall: float
    psnr: float | None
    as_asked: float | None


class Examiner:
    """Looks at files of the same generator as stage evaluate does: same judge, same latents."""

    def __init__(self, ctx: StageContext) -> None:
        self._seed = ctx.recipe.seed
        self._judge = find_judge(ctx)
        self._real = RealImages.seen_by(self._judge, ctx.dataset.test)
        self._classes = class_count(ctx)
        self._seen = prior_inputs(ctx, Purpose.EVALUATION, ctx.recipe.evaluate.samples)
        self._reference = self._pictures(variant(ctx, BASELINE))

    def examine(self, file: Path) -> Findings:
        """Read the file, let it draw, and hold its pictures against the real ones."""
        model = read_model(file)
        drawn = self._pictures(file)
        quality = measure(drawn, self._real, seed=self._seed, same_latents=self._reference)
        return Findings(
            bytes=model.size,
            bytes_gzip=model.size_gzip,
            float_ops=len(float_ops(model)),
            zeros=count.zeros(model),
            frechet=quality.frechet,
            recall=quality.recall,
            psnr=quality.psnr,
            as_asked=self._as_asked(drawn),
        )

    def _as_asked(self, drawn: np.ndarray) -> float | None:
        seen = self._judge.predict(drawn)
        if not self._classes or seen is None:
            return None
        return float(np.mean(seen == self._seen[:, -self._classes :].argmax(axis=1)))

    def _pictures(self, file: Path) -> np.ndarray:
        return pictures(file, self._seen, f"draw {file.stem}")
