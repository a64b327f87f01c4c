"""Quality of what each .tflite file draws, as a judge sees it that knows the real pictures."""

import hashlib
import json
from pathlib import Path

import numpy as np

from pipeline.atomic import replaced, write_text
from pipeline.determinism import prepare
from pipeline.metrics.judge import Judge, train_judge
from pipeline.metrics.quality import Quality, RealImages, floor, measure
from pipeline.networks.pixels import to_uint8
from pipeline.run import Outcome, StageContext
from pipeline.stages import networks
from pipeline.tflite.draw import draw
from pipeline.tflite.metadata import PROVENANCE, read_metadata
from pipeline.training.randomness import Purpose
from pipeline.training.trainer import FIXED_PICTURES
from pipeline.variants import BASELINE, find_variants

QUALITY = "quality.json"
SAMPLES = "samples.npz"
REAL = "real"


def evaluate(ctx: StageContext) -> Outcome:
    """Write the figures of every variant and of the floor, and pictures of the same latents."""
    recipe, settings = ctx.recipe, ctx.recipe.evaluate
    prepare(recipe.seed)
    judge = find_judge(ctx)
    real = RealImages.seen_by(judge, ctx.dataset.test)
    count = settings.samples
    seen, shown = (
        networks.inputs(ctx, purpose, networks.whole_batches(ctx, number))
        for purpose, number in ((Purpose.EVALUATION, count), (Purpose.FIXED, FIXED_PICTURES))
    )
    samples = {REAL: ctx.dataset.test[:FIXED_PICTURES]}
    qualities: dict[str, Quality] = {}
    reference: np.ndarray | None = None
    for name, file in find_variants(ctx.inputs["convert"]).items():
        drawn = pictures(file, seen, f"evaluate {name}")[:count]
        if name == BASELINE:
            reference = drawn
        other = None if name == BASELINE else reference
        qualities[name] = measure(drawn, real, seed=recipe.seed, same_latents=other)
        samples[name] = pictures(file, shown)[:FIXED_PICTURES]
    with replaced(ctx.folder / SAMPLES) as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, **samples)  # type: ignore[arg-type]
    bottom = floor(ctx.dataset, judge, samples=count, seed=recipe.seed)
    figures = {
        "judge": {
            "sha256": judge.sha256,
            "accuracy": judge.accuracy,
            "task": "tell the classes" if judge.classes else "tell the four rotations",
        },
        "floor": bottom.model_dump(),
        "variants": {name: quality.model_dump() for name, quality in qualities.items()},
    }
    write_text(ctx.folder / QUALITY, json.dumps(figures, indent=1) + "\n")
    return Outcome(
        {
            "judge_accuracy": judge.accuracy,
            "frechet_floor": bottom.frechet,
            **{f"frechet_{name}": quality.frechet for name, quality in qualities.items()},
        }
    )


def find_judge(ctx: StageContext) -> Judge:
    """The judge of these pictures, trained once and kept for all runs beside this one."""
    steps, seed = ctx.recipe.evaluate.judge_steps, ctx.recipe.seed
    name = hashlib.sha256(f"{ctx.dataset.sha256} {steps} {seed}".encode()).hexdigest()
    path = ctx.run.root / ".cache" / f"judge-{name[:16]}.npz"
    if path.exists():
        return Judge.load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    judge = train_judge(ctx.dataset, steps=steps, seed=seed)
    judge.save(path)
    return judge


def pictures(file: Path, seen: np.ndarray, description: str = "") -> np.ndarray:
    """uint8 [N, H, W, C] of a file that says in its provenance what its pixels' range is."""
    stored = read_metadata(file.read_bytes(), PROVENANCE)
    low, high = json.loads(stored or b"{}")["pixels"]
    return to_uint8(draw(file, seen, description), (low, high))
