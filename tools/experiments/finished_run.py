"""A finished run, opened for an experiment: what its stages wrote, its judge for other files."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.metrics.quality import RealImages, measure
from pipeline.metrics.trivial import trivial_baseline
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.stage import SECTIONS, Outcome, StageContext, stage
from pipeline.stages.evaluate import find_judge, pictures
from pipeline.stages.inputs import class_count, examples, generator_inputs, held_back
from pipeline.stages.provenance import read_pixel_range, with_provenance
from pipeline.tflite import count
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, read_metadata
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


def labelled(ctx: StageContext, content: bytes, name: str) -> bytes:
    """Another .tflite of the run's generator, with its pixels' range inside it as in the run's own.

    A file that says already where it comes from stays as it is.
    """
    if read_metadata(content, PROVENANCE) is not None:
        return content
    pixels = read_pixel_range(variant(ctx, BASELINE).read_bytes())
    return with_provenance(content, ctx, name, pixels)


@dataclass(frozen=True, kw_only=True)
class PictureQuality:
    """How good pictures are; ``psnr`` and ``ssim`` are against float32, others against the truth.

    None where all is equal, where no truth is known, or where pictures are too small for a window.
    ``as_asked`` is the share of pictures in which the judge sees the class that was asked for; None
    where no class can be asked for.
    """

    frechet: float
    recall: float
    psnr: float | None
    ssim: float | None
    psnr_truth: float | None
    ssim_truth: float | None
    as_asked: float | None


@dataclass(frozen=True, kw_only=True)
class FileQuality(PictureQuality):
    """Contents of a .tflite, and quality of what it draws."""

    bytes: int
    bytes_gzip: int
    weights: int
    macs: int
    float_ops: int
    zeros: float | None


class Examiner:
    """Measures files of the same generator as stage evaluate does: same judge, same inputs."""

    def __init__(self, ctx: StageContext) -> None:
        self._seed = ctx.recipe.seed
        self.judge = find_judge(ctx)
        self._real = RealImages.seen_by(self.judge, ctx.dataset.test)
        self._classes = class_count(ctx)
        self._inputs = generator_inputs(ctx, Purpose.EVALUATION, ctx.recipe.evaluate.samples)
        self._test, self._examples = held_back(ctx), examples(ctx)
        self._reference = self._pictures(variant(ctx, BASELINE))

    def examine(self, file: Path) -> FileQuality:
        """Read the file, run it, and compare its pictures with the real ones."""
        model = read_model(file)
        return FileQuality(
            bytes=model.size,
            bytes_gzip=model.size_gzip,
            weights=count.parameters(model),
            macs=count.total_macs(model),
            float_ops=len(float_ops(model)),
            zeros=count.zero_share(count.kernels(model)),
            **asdict(self._quality(self._pictures(file))),
        )

    def trivial(self) -> tuple[str, PictureQuality]:
        """What needs no network: how it is made of the inputs, and how good it is.

        Raises ValueError for a generator that reads latents.
        """
        if self._test is None:
            raise ValueError("of latents no picture is made without a network")
        inputs = self._test.inputs[: len(self._inputs)]
        shape = self._reference.shape[1:]
        name, images = trivial_baseline(
            inputs,
            shape,
            visible=self._test.visible,
            mask=self._test.mask,
            examples=self._examples,
        )
        return name, self._quality(images)

    def _quality(self, images: Images) -> PictureQuality:
        truth = None if self._test is None or self._test.truth is None else self._test.truth
        quality = measure(
            images,
            self._real,
            seed=self._seed,
            same_latents=self._reference,
            truth=None if truth is None else truth[: len(images)],
        )
        return PictureQuality(
            frechet=quality.frechet,
            recall=quality.recall,
            psnr=quality.psnr,
            ssim=quality.ssim,
            psnr_truth=quality.psnr_truth,
            ssim_truth=quality.ssim_truth,
            as_asked=self._as_asked(images),
        )

    def _as_asked(self, images: Images) -> float | None:
        if not self._classes:
            return None
        predicted = self.judge.predict(images)
        if predicted is None:
            return None
        return float(np.mean(predicted == self._inputs[:, -self._classes :].argmax(axis=1)))

    def _pictures(self, file: Path) -> Images:
        return pictures(file, self._inputs, f"draw {file.stem}")
