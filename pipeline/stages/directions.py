"""What the latents of a run mean: found in its generator, walked in the file that ships."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.artifacts import find_variants, write_directions
from pipeline.metrics.directions import (
    Change,
    DrawRows,
    LatentDirection,
    LatentDirections,
    Rows,
    change,
    cosine,
    each_class,
    of_activations,
    of_weights,
    sameness,
    walk,
)
from pipeline.metrics.quality import FeatureNetwork
from pipeline.stage import Outcome, StageContext
from pipeline.stages.inputs import batched_inputs, prior, reads_pictures
from pipeline.tflite.first_layer import first_layer
from pipeline.training.objectives.generation import FIXED_PICTURES
from pipeline.training.randomness import Purpose
from pipeline.variants import BASELINE, SHIPPED

ACTIVATIONS = 2048
"""Latents whose activations are looked at."""
WALKED = 3
"""Latents that are shown along each direction."""
STEPS = 9
"""Pictures of a walk."""
DISCRETE = "discrete code"


def check_directions(ctx: StageContext) -> None:
    """PocketganError where directions are asked of a generator that reads no latents."""
    has_teacher = "teacher" in ctx.stage.needs
    translates = reads_pictures(ctx) if has_teacher else ctx.recipe.data.translated
    if ctx.recipe.evaluate.directions and translates:
        raise PocketganError(
            "evaluate.directions: this generator reads pictures, and has no latents.",
            "Leave evaluate.directions out, or set it to 0.",
        )


def explore_latents(
    ctx: StageContext, drawing: Mapping[str, Callable[..., Images]], judge: FeatureNetwork
) -> Outcome:
    """Write directions, what they do in the baseline and in the file that ships, and walks.

    ``drawing``: variant → what draws as it does, whether it has a file or not. Directions are found
    in the baseline, or, where that has no file, in what ships.
    """
    files = find_variants(ctx.inputs["convert"])
    source = BASELINE if BASELINE in files else SHIPPED
    inputs = batched_inputs(ctx, Purpose.FIXED, FIXED_PICTURES)
    vectors, events = _vectors(ctx, files[source])
    draws = [drawing[name] for name in (BASELINE, SHIPPED)]

    def changes(vector: Rows) -> list[Change]:
        return [change(draw, judge.features, inputs, vector) for draw in draws]

    random = [changes(vector) for vector in _random(ctx)]
    contents = LatentDirections(
        found_in=source,
        directions=tuple(
            _direction(name, vector, changes(vector), random) for name, vector in vectors.items()
        ),
        random_effect=_mean([of_baseline.effect for of_baseline, _ in random]),
        random_agreement=_mean([cosine(one.pixels, other.pixels) for one, other in random]),
    )
    write_directions(contents, _walks(ctx, draws, inputs, vectors), ctx.folder)
    agreements = [each.pixels.agreement for each in contents.directions]
    return Outcome({"direction_agreement": _mean(agreements)} if agreements else {}, events)


def _direction(
    name: str, vector: Rows, changes: Sequence[Change], random: Sequence[Sequence[Change]]
) -> LatentDirection:
    """All of one. ``changes``: in the baseline, and in what ships."""
    of_baseline, of_shipped = changes
    unrelated = [each for _, each in random]
    return LatentDirection(
        name=name,
        vector=tuple(round(float(number), 6) for number in vector),
        effect=round(of_baseline.effect, 4),
        pixels=sameness(of_shipped.pixels, of_baseline.pixels, [each.pixels for each in unrelated]),
        features=sameness(
            of_shipped.features, of_baseline.features, [each.features for each in unrelated]
        ),
    )


def _vectors(ctx: StageContext, file: Path) -> tuple[dict[str, Rows], list[str]]:
    """Directions by name, and why some could not be looked for."""
    count, drawn_from = ctx.recipe.evaluate.directions, prior(ctx)
    latent = drawn_from.latent
    codes = np.eye(ctx.recipe.generator.codes.continuous, latent, dtype=np.float32)
    rows, events = {"code": codes}, []
    try:
        layer = first_layer(file)
    except PocketganError as error:
        events.append(f"no directions but codes: {error.problem}")
    else:
        latents = batched_inputs(ctx, Purpose.DIRECTIONS, ACTIVATIONS)
        rows["weights"] = of_weights(layer.weights[:, :latent], count)
        activations = layer.activations(latents)
        rows["activations"] = of_activations(
            latents, activations, count, classes=drawn_from.classes
        )
    named = {
        f"{method} {rank}": vector
        for method, vectors in rows.items()
        for rank, vector in enumerate(vectors, start=1)
    }
    return named, events


def _random(ctx: StageContext) -> Rows:
    """Orthonormal directions that nobody chose, as many as each method looks for."""
    latent = prior(ctx).latent
    shape = [latent, min(ctx.recipe.evaluate.directions, latent)]
    normal = np.random.default_rng(ctx.recipe.seed).normal(size=shape)
    return np.asarray(np.linalg.qr(normal)[0].T, np.float32)


def _walks(
    ctx: StageContext, draws: Sequence[DrawRows], inputs: Rows, vectors: Mapping[str, Rows]
) -> dict[str, Images]:
    """Name → uint8 [latents, variants, steps, H, W, C]; of a discrete code a step is a value."""
    batch = ctx.recipe.convert.batch
    starts = inputs[: -(-WALKED // batch) * batch]
    walks = {
        name: [walk(draw, starts, vector, STEPS) for draw in draws]
        for name, vector in vectors.items()
    }
    if values := ctx.recipe.generator.codes.discrete:
        walks[DISCRETE] = [each_class(draw, starts, values) for draw in draws]
    return {name: np.stack(each, axis=1)[:WALKED] for name, each in walks.items()}


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4)
