"""Import a generator that somebody trained; let it draw what its student learns from."""

from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.artifacts import (
    DISCRIMINATOR,
    HELD_BACK,
    PAIRS,
    REFERENCE,
    write_distillation_set,
)
from pipeline.data import folder
from pipeline.data.reading import Request
from pipeline.determinism import prepare
from pipeline.finished_run import generator_of
from pipeline.importers.input_adapter import refuse_few
from pipeline.importers.teacher import Teacher, load_discriminator, load_teacher, save_teacher
from pipeline.networks.pixels import to_uint8
from pipeline.recipe import Recipe
from pipeline.stage import Outcome, StageContext, stage
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import Purpose, latents

REFERENCE_SIZE = 5000
"""Pictures to judge by where there are no others."""
BATCH = 64
PARTS = (0.7, 0.85)
"""Where a generator's input pictures are parted: for its student, to judge by, held back."""


def _files(recipe: Recipe) -> tuple[Path | None, ...]:
    settings = recipe.teacher
    return settings.inputs, settings.discriminator, settings.custom


@stage("teacher", settings=("generator", "teacher"), files=_files)
def teacher(ctx: StageContext) -> Outcome:
    """Write the generator (and discriminator), and the pictures that it draws."""
    prepare(ctx.recipe.seed)
    settings = ctx.recipe.teacher
    loaded = load(ctx)
    save_teacher(loaded, ctx.folder)
    if settings.discriminator is not None:
        discriminator = load_discriminator(
            settings.discriminator,
            loaded,
            custom=settings.custom,
            allow_unsafe=settings.allow_unsafe,
        )
        discriminator.save(ctx.folder / DISCRIMINATOR)
    parts = _input_pictures(ctx, loaded) if settings.inputs else _latents(ctx, loaded)
    for name, inputs in parts.items():
        pairs = DistillationSet(inputs, _draw(loaded, inputs, name), loaded.classes)
        write_distillation_set(pairs, ctx.folder / name)
    return Outcome(
        {
            "generator_parameters": loaded.model.count_params(),
            "origin": loaded.origin,
            "lessons": len(parts[PAIRS]),
        },
        list(loaded.notes),
    )


def load(ctx: StageContext) -> Teacher:
    """The generator that the recipe names."""
    settings = ctx.recipe.teacher
    if settings.file is None:
        raise PocketganError(
            "teacher.file is not set.", "Give a generator: `pocketgan compress GENERATOR`."
        )
    return load_teacher(
        generator_of(settings.file),
        classes=settings.classes or None,
        pixels=settings.pixels,
        input_pixels=settings.input_pixels,
        allow_unsafe=settings.allow_unsafe,
        custom=settings.custom,
    )


def _latents(ctx: StageContext, loaded: Teacher) -> dict[str, np.ndarray]:
    """Inputs by the file that they go to: latents of the prior."""
    counts = {
        PAIRS: (Purpose.DISTILLATION, ctx.recipe.teacher.lessons),
        REFERENCE: (Purpose.REFERENCE, REFERENCE_SIZE),
    }
    latent, classes = loaded.latent, loaded.classes
    return {
        name: latents(ctx.recipe.seed, purpose, count=count, latent=latent, classes=classes)
        for name, (purpose, count) in counts.items()
    }


def _input_pictures(ctx: StageContext, loaded: Teacher) -> dict[str, np.ndarray]:
    """Inputs by the file that they go to: the user's pictures, parted once."""
    source, pixel_range = ctx.recipe.teacher.inputs, loaded.input_pixels
    assert source is not None
    assert pixel_range is not None
    height, width, channels = loaded.model.input_shape[1:]
    if height != width:
        raise PocketganError(
            f"the generator reads pictures of {height}×{width}.", "Only square ones can be read."
        )
    request = Request(
        folder=source,
        image_size=height,
        channels=channels,
        cache=ctx.cache,
        test_fraction=0.5,
        seed=ctx.recipe.seed,
    )
    dataset = folder.load(request)
    pictures = np.concatenate([dataset.train, dataset.test])
    refuse_few(source, len(pictures))
    low, high = pixel_range
    pictures = pictures.astype(np.float32) * ((high - low) / 255) + low
    order = np.random.default_rng(ctx.recipe.seed).permutation(len(pictures))
    parts = np.split(pictures[order], [round(share * len(order)) for share in PARTS])
    return dict(zip((PAIRS, REFERENCE, HELD_BACK), parts, strict=True))


def _draw(loaded: Teacher, inputs: np.ndarray, name: str) -> np.ndarray:
    """The teacher's pictures, uint8 [N, H, W, C]; PocketganError where they are no numbers."""
    pictures = []
    for start in progress.track(range(0, len(inputs), BATCH), f"teacher draws {Path(name).stem}"):
        batch = loaded.model(inputs[start : start + BATCH], training=False).numpy()
        if not np.isfinite(batch).all():
            raise PocketganError(
                f"{loaded.origin}: it draws values that are NaN or infinite.",
                "Look at its weights with `pocketgan check`.",
            )
        pictures.append(to_uint8(batch, loaded.pixels))
    together = np.concatenate(pictures)
    if (together == together[0]).all():
        raise PocketganError(
            f"{loaded.origin}: its {len(together)} pictures are all the same.",
            "A generator that has collapsed has nothing to teach; "
            "was it saved before it was trained?",
        )
    return together
