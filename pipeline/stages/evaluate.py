"""Quality of what each .tflite file draws, as a judge sees it that knows the real pictures."""

import hashlib
import json
from pathlib import Path

import numpy as np

from pipeline.artifacts import Evaluation, find_variants, write_evaluation
from pipeline.determinism import prepare
from pipeline.metrics.judge import Judge, train_judge
from pipeline.metrics.quality import Quality, RealImages, floor, measure
from pipeline.networks.pixels import to_uint8
from pipeline.stage import Outcome, StageContext, package_versions, stage
from pipeline.stages.inputs import generator_inputs, whole_batches
from pipeline.stages.provenance import read_pixel_range
from pipeline.tflite.runtime import draw
from pipeline.training.objectives.generation import FIXED_PICTURES
from pipeline.training.randomness import Purpose
from pipeline.variants import BASELINE

REAL = "real"
_SETTINGS = ("data", "generator", "convert", "evaluate")


def _evaluate(ctx: StageContext) -> Outcome:
    """Write the figures of every variant and of the floor, and pictures of the same latents."""
    recipe, count = ctx.recipe, ctx.recipe.evaluate.samples
    prepare(recipe.seed)
    judge = find_judge(ctx)
    real = RealImages.seen_by(judge, ctx.dataset.test)
    inputs, fixed = (
        generator_inputs(ctx, purpose, whole_batches(ctx, number))
        for purpose, number in ((Purpose.EVALUATION, count), (Purpose.FIXED, FIXED_PICTURES))
    )
    samples = {REAL: ctx.dataset.test[:FIXED_PICTURES]}
    qualities: dict[str, Quality] = {}
    reference: np.ndarray | None = None
    for name, file in find_variants(ctx.inputs["convert"]).items():
        drawings = pictures(file, inputs, f"evaluate {name}")[:count]
        if name == BASELINE:
            reference = drawings
        other = None if name == BASELINE else reference
        qualities[name] = measure(drawings, real, seed=recipe.seed, same_latents=other)
        samples[name] = pictures(file, fixed)[:FIXED_PICTURES]
    bottom = floor(ctx.dataset, judge, samples=count, seed=recipe.seed)
    facts = {
        "sha256": judge.sha256,
        "accuracy": judge.accuracy,
        "task": "tell the classes" if judge.classes else "tell the four rotations",
    }
    evaluation = Evaluation(judge=facts, floor=bottom, variants=qualities)
    write_evaluation(evaluation, samples, ctx.folder)
    return Outcome(
        {
            "judge_accuracy": judge.accuracy,
            "frechet_floor": bottom.frechet,
            **{f"frechet_{name}": quality.frechet for name, quality in qualities.items()},
        }
    )


evaluate = stage("evaluate", needs=("convert",), settings=_SETTINGS, reads_pictures=True)(_evaluate)
evaluate_student = stage(
    "evaluate",
    needs=("teacher", "convert"),
    settings=(*_SETTINGS, "teacher"),
    reads_pictures=True,
)(_evaluate)


def find_judge(ctx: StageContext) -> Judge:
    """The judge of these pictures, trained once and kept for all runs beside this one."""
    steps, seed = ctx.recipe.evaluate.judge_steps, ctx.recipe.seed
    facts = {
        "data": ctx.dataset.sha256,
        "steps": steps,
        "seed": seed,
        "versions": package_versions(),
    }
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path = ctx.cache / f"judge-{name[:16]}.npz"
    if path.exists():
        return Judge.load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    judge = train_judge(ctx.dataset, steps=steps, seed=seed)
    judge.save(path)
    return judge


def pictures(file: Path, inputs: np.ndarray, description: str = "") -> np.ndarray:
    """uint8 [N, H, W, C] of a file that says in its provenance what its pixels' range is."""
    return to_uint8(draw(file, inputs, description), read_pixel_range(file.read_bytes()))
