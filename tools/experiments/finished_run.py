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
from pipeline.stages.inputs import class_count, generator_inputs
from pipeline.tflite import count
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.training.randomness import Purpose
from pipeline.variants import BASELINE


def open_run(folder: Path) -> StageContext:
    """A context in which every stage of the run can be read, and nothing of it is written.

    Raises PocketganError where the folder holds no run, or one that is not evaluated yet.
    """
    folder = folder.resolve()
    recipe_file = folder / "recipe.yaml"
    if not recipe_file.is_file():
        raise PocketganError(
            f"{folder} is no run's folder: it holds no recipe.yaml.",
            "Make one with `pocketgan run digits`, then name runs/digits.",
        )
    run = Run(load_recipe(str(recipe_file)), folder.parent)
    if run.folder != folder:
        raise PocketganError(
            f"{folder}: the recipe in it is that of a run called '{run.recipe.name}'.",
            f"Call the folder '{run.recipe.name}'.",
        )
    reason = run.staleness("evaluate")
    if reason:
        raise PocketganError(
            f"{folder}: stage evaluate is not up to date: {reason}.",
            f"Run `pocketgan run {recipe_file} --runs {folder.parent}` first.",
        )
    everything = stage("experiment", needs=run.plan.names, settings=SECTIONS, reads_pictures=True)
    return run.context(everything(lambda _: Outcome()), folder)


def variant(ctx: StageContext, name: str) -> Path:
    """The .tflite that the run converted."""
    return ctx.inputs["convert"] / f"{name}.tflite"


@dataclass(frozen=True, kw_only=True)
class FileQuality:
    """Contents and quality of a .tflite; ``psnr`` is against float32, None where all is equal.

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
    """Measures files of the same generator as stage evaluate does: same judge, same latents."""

    def __init__(self, ctx: StageContext) -> None:
        self._seed = ctx.recipe.seed
        self._judge = find_judge(ctx)
        self._real = RealImages.seen_by(self._judge, ctx.dataset.test)
        self._classes = class_count(ctx)
        self._inputs = generator_inputs(ctx, Purpose.EVALUATION, ctx.recipe.evaluate.samples)
        self._reference = self._pictures(variant(ctx, BASELINE))

    def examine(self, file: Path) -> FileQuality:
        """Read the file, run it, and compare its pictures with the real ones."""
        model = read_model(file)
        images = self._pictures(file)
        quality = measure(images, self._real, seed=self._seed, same_latents=self._reference)
        return FileQuality(
            bytes=model.size,
            bytes_gzip=model.size_gzip,
            float_ops=len(float_ops(model)),
            zeros=count.zero_share(count.kernels(model)),
            frechet=quality.frechet,
            recall=quality.recall,
            psnr=quality.psnr,
            as_asked=self._as_asked(images),
        )

    def _as_asked(self, images: np.ndarray) -> float | None:
        predicted = self._judge.predict(images)
        if not self._classes or predicted is None:
            return None
        return float(np.mean(predicted == self._inputs[:, -self._classes :].argmax(axis=1)))

    def _pictures(self, file: Path) -> np.ndarray:
        return pictures(file, self._inputs, f"draw {file.stem}")
