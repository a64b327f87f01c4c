"""Import a generator that somebody trained; let it draw what its student learns from."""

from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.artifacts import (
    DISCRIMINATOR,
    HELD_BACK,
    PAIRS,
    REFERENCE,
    write_distillation_set,
)
from pipeline.data import reading
from pipeline.data.dataset import ENOUGH
from pipeline.data.sources import TEACHER
from pipeline.determinism import prepare
from pipeline.finished_run import generator_of
from pipeline.importers.discriminator import load_discriminator
from pipeline.importers.input_pictures import (
    InputPictures,
    read_input_pictures,
    with_further_parts,
)
from pipeline.importers.input_roles import read_roles
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import Teacher, load_teacher
from pipeline.recipe.sections import Recipe, TeacherSettings, height_and_width
from pipeline.search import work
from pipeline.search.pairs import drawn_pairs, drawn_side_by_side, ensembled, refuse_alike
from pipeline.search.refuse import FEWEST_OF_A_PART, refuse_few_pairs, refuse_small_parts
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages.inputs import prior
from pipeline.training.randomness import Prior, Purpose, latents
from pipeline.workers import Workers

REFERENCE_SIZE = 5000
"""Pictures to judge by where there are no others."""
JUDGED = 1000
"""Pictures that a file is judged by, as ``evaluate.samples`` of a student for pictures."""
FEWEST_LESSONS = 64
MOVED = 1 / 16
"""Share of the side by which pictures are moved."""
SEARCHED = 0.15
"""Share of the pairs of a training by which students are compared."""


def _files(recipe: Recipe) -> tuple[Path | None, ...]:
    settings = recipe.teacher
    return settings.inputs, settings.discriminator, settings.custom


def _has_classes(recipe: Recipe) -> bool:
    """Whether there are pictures whose classes can be asked for."""
    generator = recipe.generator
    conditional = generator.conditional and not generator.codes.discrete
    return conditional and recipe.data.source != TEACHER


@stage(
    "teacher",
    settings=("data", "generator", "teacher", "budget"),
    files=_files,
    reads_pictures=lambda recipe: recipe.data.translated or _has_classes(recipe),
)
def teacher(ctx: StageContext) -> Outcome:
    """Write the generator (and discriminator), and the pictures that it draws."""
    prepare(ctx.recipe.seed)
    settings = ctx.recipe.teacher
    loaded = load(settings)
    save_teacher(loaded, ctx.folder)
    if settings.discriminator is not None:
        discriminator = load_discriminator(
            settings.discriminator,
            loaded,
            custom=settings.custom,
            allow_unsafe=settings.allow_unsafe,
        )
        discriminator.save(ctx.folder / DISCRIMINATOR)
    notes = list(loaded.notes)
    if loaded.latent:
        parts = _latents(ctx, loaded)
    elif settings.inputs is None:
        parts = _pairs_inputs(ctx, loaded)
    else:
        parts, of_folder = _folder_pictures(ctx, loaded)
        notes += of_folder
    lessons, macs = len(parts[PAIRS]), work.known_macs(loaded)
    if not loaded.latent:
        views = 2 if settings.self_ensemble else 1
        parts[PAIRS] = _affordable(ctx, views * macs, parts[PAIRS], FEWEST_LESSONS)
    if settings.inputs is not None:
        for name in (REFERENCE, HELD_BACK):
            parts[name] = _judged(ctx, macs, parts[name])
    if len(parts[PAIRS]) < lessons:
        notes.append(
            f"it draws slowly: of {lessons:,} inputs its student learns from "
            f"{len(parts[PAIRS]):,}, and --minutes decides on that"
        )
    _draw(ctx, loaded, parts, macs)
    return Outcome(
        {
            "generator_parameters": loaded.model.count_params(),
            "origin": loaded.origin,
            "lessons": len(parts[PAIRS]),
        },
        notes,
    )


def _draw(ctx: StageContext, loaded: Teacher, parts: Mapping[str, np.ndarray], macs: int) -> None:
    """Write the teacher's pictures of the inputs that go to each file; ``macs`` are of one.

    Whether workers draw follows from the work alone: one thread rounds otherwise than several.
    """
    is_heavy = macs * sum(map(len, parts.values())) >= work.HEAVY
    with Workers(ctx.workers, threads=1, shared=partial(read_saved_teacher, ctx.folder)) as workers:
        draw = partial(drawn_side_by_side, workers) if is_heavy else drawn_pairs
        for name, inputs in parts.items():
            pairs = draw(loaded, inputs, f"teacher draws {Path(name).stem}")
            refuse_alike(loaded, pairs)
            if name == PAIRS and ctx.recipe.teacher.self_ensemble:
                mirrored = draw(loaded, inputs[:, :, ::-1], "teacher draws lessons mirrored")
                pairs = ensembled(pairs, mirrored)
            write_distillation_set(pairs, ctx.folder, name)


def _judged(ctx: StageContext, macs: int, inputs: Images) -> Images:
    """Of many, as large photos give them, a random choice: the first are one corner of one."""
    if len(inputs) <= JUDGED:
        return inputs
    order = np.random.default_rng(ctx.recipe.seed).permutation(len(inputs))
    return _affordable(ctx, macs, inputs[order[:REFERENCE_SIZE]], JUDGED)


def _affordable(ctx: StageContext, macs: int, inputs: Images, least: int) -> Images:
    """Those that a teacher of so many ``macs`` has time to draw, from all parts of the set; of
    ``least`` and more none fewer."""
    count = max(least, work.affordable_pictures(len(inputs), ctx.recipe.budget, macs))
    if count >= len(inputs):
        return inputs
    return inputs[np.random.default_rng(ctx.recipe.seed).permutation(len(inputs))[:count]]


def load(settings: TeacherSettings) -> Teacher:
    """The generator that a recipe names."""
    if settings.file is None:
        raise PocketganError(
            "teacher.file is not set.", "Give a generator: `pocketgan compress GENERATOR`."
        )
    size: str | None = settings.input_size
    return load_teacher(
        generator_of(settings.file),
        classes=settings.classes or None,
        pixels=settings.pixels,
        input_pixels=settings.input_pixels,
        input_size=None if size is None else height_and_width(size),
        inputs=read_roles(settings.input),
        signature=settings.signature,
        output=settings.output,
        on_white=settings.on_white,
        allow_unsafe=settings.allow_unsafe,
        custom=settings.custom,
    )


def _latents(ctx: StageContext, loaded: Teacher) -> dict[str, np.ndarray]:
    """Inputs by the file that they go to: latents, their classes in the shares of the data."""
    counts = {
        PAIRS: (Purpose.DISTILLATION, ctx.recipe.teacher.lessons),
        REFERENCE: (Purpose.REFERENCE, REFERENCE_SIZE),
    }
    of_teacher = Prior.even(loaded.latent, loaded.classes)
    drawn_from = prior(ctx) if _has_classes(ctx.recipe) else of_teacher
    return {
        name: latents(ctx.recipe.seed, purpose, count=count, prior=drawn_from)
        for name, (purpose, count) in counts.items()
    }


def _pairs_inputs(ctx: StageContext, loaded: Teacher) -> dict[str, np.ndarray]:
    """Inputs by the file that they go to: of the pairs that the recipe names, uint8."""
    train, test = ctx.dataset.train_inputs, ctx.dataset.test_inputs
    assert train is not None
    assert test is not None
    if train.shape[1:] != loaded.model.input_shape[1:]:
        raise PocketganError(
            f"the generator reads pictures of {_size(loaded.model.input_shape[1:])}, and those of "
            f"'{ctx.dataset.name}' have {_size(train.shape[1:])}.",
            "Set data.image_size and data.degrade as the generator was trained.",
        )
    refuse_few_pairs(ctx.dataset)
    searched = max(FEWEST_OF_A_PART, round(len(train) * SEARCHED))
    lessons = _moved(train[searched:], ctx.recipe.teacher.lessons, ctx.recipe.seed)
    return {PAIRS: lessons, REFERENCE: train[:searched], HELD_BACK: test}


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _folder_pictures(ctx: StageContext, loaded: Teacher) -> tuple[dict[str, np.ndarray], list[str]]:
    """Inputs by the file that they go to: the user's pictures, uint8, parted by picture; and notes.

    Tiles of a photo for its student to learn from come in all symmetries of their shape, whole
    pictures mirrored and moved.
    """
    settings = ctx.recipe.teacher
    assert settings.inputs is not None
    cut = loaded.cut(settings.cut)
    pictures = read_input_pictures(settings.inputs, loaded, cut=cut, cache=ctx.cache)
    parts = pictures.parted(ctx.recipe.seed)
    refuse_small_parts(settings.inputs, parts)
    named = dict(zip((PAIRS, REFERENCE, HELD_BACK), parts, strict=True))
    if cut == reading.TILES:
        named[PAIRS] = _turned(named[PAIRS], settings.lessons)
    else:
        named[PAIRS] = _moved(named[PAIRS], settings.lessons, ctx.recipe.seed)
    for number, name in enumerate(named):
        seed = ctx.recipe.seed + number
        named[name] = with_further_parts(named[name], loaded.parts, seed)
    return named, [*pictures.notes, *_few_photos(settings.inputs, pictures, cut)]


def _few_photos(folder: Path, pictures: InputPictures, cut: str) -> list[str]:
    """A note where distances will say little."""
    photos = int((pictures.counts > 0).sum())
    if cut != reading.TILES or photos >= ENOUGH:
        return []
    return [
        f"{folder}: {len(pictures.images):,} tiles of only {photos} photos: Fréchet, precision "
        "and recall compare photos then; PSNR and SSIM compare files"
    ]


def _turned(tiles: Images, count: int) -> Images:
    """Tiles [N, H, W, C] and then the same turned and mirrored, but no more than ``count``."""
    height, width = tiles.shape[1:3]
    quarters = range(4) if height == width else (0, 2)
    turned = [np.rot90(tiles, turns, (1, 2)) for turns in quarters]
    mirrored = [pictures[:, :, ::-1] for pictures in turned]
    return np.concatenate([*turned, *mirrored])[:count]


def _moved(pictures: Images, count: int, seed: int) -> Images:
    """Pictures [N, H, W, C], then the same mirrored, then both moved a little, to ``count``.

    Their teacher says what is to be drawn of each: a student of few pictures learns them by heart.
    """
    both = np.concatenate([pictures, pictures[:, :, ::-1]])
    reach = max(1, round(MOVED * min(pictures.shape[1:3])))
    moves = [move for move in product(range(-reach, reach + 1), repeat=2) if any(move)]
    copies = [both]
    for number in np.random.default_rng(seed).permutation(len(moves)):
        if len(both) * len(copies) >= count:
            break
        copies.append(moved_by(both, *moves[number]))
    return np.concatenate(copies)[: max(count, len(pictures))]


def moved_by(pictures: Images, down: int, right: int) -> Images:
    """Pictures [N, H, W, C] so many pixels down and right; their border fills what is left."""
    rows, columns = (np.arange(side) for side in pictures.shape[1:3])
    rows = np.clip(rows - down, 0, rows[-1])
    columns = np.clip(columns - right, 0, columns[-1])
    return pictures[:, rows][:, :, columns]
