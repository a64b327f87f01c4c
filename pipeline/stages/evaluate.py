"""Quality of what each .tflite file draws, as a judge sees it that knows the real pictures."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images, Mask
from pipeline.artifacts import INPUT, REAL, Evaluation, find_variants, write_evaluation
from pipeline.data.dataset import Dataset
from pipeline.data.sources import TEACHER
from pipeline.determinism import prepare
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.metrics.imagenet import NOT_INSTALLED, ImageNetJudge, check_pictures
from pipeline.metrics.judge import Judge, chance, train_judge
from pipeline.metrics.quality import NEIGHBOURS, Quality, RealImages, floor, measure
from pipeline.metrics.stacked import StackedJudge
from pipeline.metrics.trivial import hidden_by_mask, trivial_baseline
from pipeline.networks.efficientnet import looks_at, published_weights, weights_file
from pipeline.networks.pixels import to_uint8
from pipeline.networks.settings import PROJECTED
from pipeline.search.refuse import fewest_in_batches
from pipeline.search.scorers import draw_pictures
from pipeline.stage import Outcome, StageContext, package_versions, stage
from pipeline.stages.directions import check_directions, explore_latents
from pipeline.stages.file_pictures import draw_side_by_side
from pipeline.stages.inputs import HeldBack, batched_inputs, examples, held_back
from pipeline.stages.provenance import read_pixel_range
from pipeline.tensorflow_setup import THREADS
from pipeline.tflite.runtime import draw
from pipeline.training.objectives.generation import FIXED_PICTURES
from pipeline.training.randomness import Purpose
from pipeline.variants import BASELINE

FEWEST = NEIGHBOURS + 1
"""Pictures that neighbourhoods of so many demand."""
AnyJudge = Judge | ImageNetJudge | StackedJudge
TAUGHT = (
    "the judge of these figures is the published network that taught the generator, too ({}): they "
    "flatter it. Another judge: --evaluate.judge trained"
)
_SETTINGS = ("data", "generator", "convert", "evaluate")


def _check(ctx: StageContext) -> None:
    """PocketganError for a judge that is asked for and cannot look at the pictures, or for what
    else cannot be measured.
    """
    check_directions(ctx)
    data = ctx.recipe.data
    if ctx.recipe.evaluate.judge == "imagenet":
        published_weights()
        if data.source != TEACHER:  # what a teacher draws is seen when it is there
            check_pictures(data.shape)
    if data.source == TEACHER:
        return
    _refuse_few(f"{ctx.dataset.name} has", len(ctx.dataset.test), FEWEST)
    if ctx.dataset.test_inputs is not None:
        least = fewest_in_batches(ctx.recipe.convert.batch)
        _refuse_few(f"Of what is read {ctx.dataset.name} has", len(ctx.dataset.test_inputs), least)


def _refuse_few(whose: str, count: int, least: int) -> None:
    """PocketganError for fewer test pictures than the figures, or a batch of the files, need."""
    if count < least:
        raise PocketganError(
            f"{whose} {count} pictures for the test: too few to tell how good a generator is, "
            f"which takes {least}.",
            "Add pictures, or raise data.test_fraction.",
        )


def _evaluate(ctx: StageContext) -> Outcome:
    """Write the figures of every variant and of the floor, and pictures of the same latents."""
    recipe = ctx.recipe
    prepare(recipe.seed)
    judge = find_judge(ctx)
    real = RealImages.seen_by(judge, ctx.dataset.test)
    test = held_back(ctx)
    inputs = batched_inputs(ctx, Purpose.EVALUATION, recipe.evaluate.samples)
    fixed = batched_inputs(ctx, Purpose.FIXED, FIXED_PICTURES)
    count = min(recipe.evaluate.samples, len(inputs))
    truth = None if test is None or test.truth is None else test.truth[:count]
    measured = partial(measure, seed=recipe.seed, truth=truth, hole=_hole(test, truth))
    samples = _beside(ctx, test)
    qualities: dict[str, Quality] = {}
    reference: np.ndarray | None = None
    drawing = _drawing(ctx)
    ready = draw_side_by_side(ctx, find_variants(ctx.inputs["convert"]), inputs)
    for name, draw_pictures_of in drawing.items():
        drawings = (
            np.load(ready[name]) if name in ready else draw_pictures_of(inputs, f"evaluate {name}")
        )[:count]
        if name == BASELINE:
            reference = drawings
        other = None if name == BASELINE else reference
        qualities[name] = measured(drawings, real, same_latents=other)
        samples[name] = draw_pictures_of(fixed)[:FIXED_PICTURES]
    has_file = BASELINE in find_variants(ctx.inputs["convert"])
    of_teacher = None if has_file else qualities.pop(BASELINE, None)
    bottom = floor(ctx.dataset, real, samples=count, seed=recipe.seed)
    evaluation = Evaluation(
        judge=_facts(ctx, judge), floor=bottom, variants=qualities, teacher=of_teacher
    )
    if test is not None and reference is not None:
        shape, pairs = reference.shape[1:], examples(ctx)
        baseline = trivial_baseline(
            test.inputs[:count], shape, visible=test.visible, mask=test.mask, examples=pairs
        )
        quality = measured(baseline.pictures, real, same_latents=reference)
        evaluation = evaluation.beside_trivial(baseline.name, quality)
    write_evaluation(evaluation, samples, ctx.folder)
    looked_for = recipe.evaluate.directions
    latents = explore_latents(ctx, drawing, judge) if looked_for else Outcome()
    trained = {} if judge.accuracy is None else {"judge_accuracy": judge.accuracy}
    figures = {f"frechet_{name}": quality.frechet for name, quality in qualities.items()}
    return Outcome(
        {**trained, "frechet_floor": bottom.frechet, **figures, **latents.metrics},
        [*_remarks(ctx, judge), *latents.events],
    )


def _remarks(ctx: StageContext, judge: AnyJudge) -> Iterator[str]:
    """What a reader of the figures should know of the judge."""
    if _prefers_imagenet(ctx) and not weights_file():
        yield NOT_INSTALLED
    settings = ctx.lineage_settings()
    teaching = {
        "discriminator.name": settings.get("discriminator", {}).get("name") == PROJECTED,
        "translation.perceptual": settings.get("translation", {}).get("perceptual"),
    }
    keys = [key for key, has in teaching.items() if has]
    if keys and isinstance(judge, ImageNetJudge):
        yield TAUGHT.format(" and ".join(keys))


def _facts(ctx: StageContext, judge: AnyJudge) -> dict[str, Any]:
    """What is told of the judge."""
    return {
        "sha256": judge.sha256,
        "name": judge.name,
        "accuracy": judge.accuracy,
        "task": judge.task,
        "chance": None if judge.accuracy is None else chance(ctx.dataset),
    }


evaluate = stage(
    "evaluate", needs=("convert",), settings=_SETTINGS, reads_pictures=True, check=_check
)(_evaluate)
evaluate_student = stage(
    "evaluate",
    needs=("teacher", "convert"),
    settings=(*_SETTINGS, "teacher"),
    reads_pictures=True,
    check=_check,
)(_evaluate)


def _hole(test: HeldBack | None, truth: Images | None) -> Mask | None:
    """Where the inputs of the pictures ``truth`` have a mask that hides them."""
    if test is None or truth is None:
        return None
    return hidden_by_mask(test.inputs[: len(truth)], test.mask)


def _drawing(ctx: StageContext) -> Mapping[str, Callable[..., np.ndarray]]:
    """Variant → what draws as its file does, the baseline first: itself where it has no file."""
    files = find_variants(ctx.inputs["convert"])
    of_files = {name: partial(pictures, file) for name, file in files.items()}
    if BASELINE in files or "teacher" not in ctx.inputs:
        return of_files
    teacher = read_saved_teacher(ctx.inputs["teacher"])

    def of_teacher(inputs: np.ndarray, _description: str = "") -> np.ndarray:
        return to_uint8(draw_pictures(teacher.model, inputs), teacher.pixels)

    return {BASELINE: of_teacher, **of_files}


def _beside(ctx: StageContext, test: HeldBack | None) -> dict[str, np.ndarray]:
    """What is shown beside the variants' pictures: real ones, or inputs and their truth."""
    if test is None:
        return {REAL: ctx.dataset.test[:FIXED_PICTURES]}
    truth = {} if test.truth is None else {REAL: test.truth[:FIXED_PICTURES]}
    inputs = test.inputs[:FIXED_PICTURES]
    return {INPUT: inputs[..., : test.visible], **truth}


def find_judge(ctx: StageContext) -> AnyJudge:
    """The judge that the recipe asks for; "auto" does without ImageNet's if it is missing.

    Pictures whose channels are pictures of their own have a judge that looks at each.
    """
    channels, labels = ctx.dataset.channels, ctx.dataset.test_labels
    if channels is not None and labels is not None:
        return StackedJudge(_trained_judge(ctx, channels), ctx.dataset.test, labels)
    if ctx.recipe.evaluate.judge == "imagenet" or (_prefers_imagenet(ctx) and weights_file()):
        return ImageNetJudge()
    return _trained_judge(ctx, ctx.dataset)


def _prefers_imagenet(ctx: StageContext) -> bool:
    shape = ctx.dataset.test.shape[1:]
    return ctx.recipe.evaluate.judge == "auto" and shape[-1] == 3 and looks_at(shape)


def _trained_judge(ctx: StageContext, dataset: Dataset) -> Judge:
    """Trained once on these pictures, and kept for all runs beside this one."""
    steps, seed = ctx.recipe.evaluate.judge_steps, ctx.recipe.seed
    facts = {
        "data": dataset.sha256,
        "steps": steps,
        "seed": seed,
        "versions": package_versions(),
    }
    if ctx.recipe.threads != THREADS:
        facts["threads"] = ctx.recipe.threads
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path = ctx.cache / f"judge-{name[:16]}.npz"
    if path.exists():
        return Judge.load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    judge = train_judge(dataset, steps=steps, seed=seed)
    judge.save(path)
    return judge


def pictures(file: Path, inputs: np.ndarray, description: str = "") -> np.ndarray:
    """uint8 [N, H, W, C] of a file that says in its provenance what its pixels' range is."""
    return to_uint8(draw(file, inputs, description), read_pixel_range(file.read_bytes()))
