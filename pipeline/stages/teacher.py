"""Take in a generator that somebody trained, and let it draw what its student learns from."""

from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.adversarial.lessons import Lessons
from pipeline.adversarial.randomness import Purpose, latents
from pipeline.data import drawn, folder
from pipeline.determinism import prepare
from pipeline.networks.pixels import to_uint8
from pipeline.run import Outcome, Workbench
from pipeline.stages import networks
from pipeline.teachers.discriminator import load_discriminator
from pipeline.teachers.generator import Teacher
from pipeline.teachers.pictures import refuse_few
from pipeline.teachers.teacher import load_teacher, save_teacher

REFERENCE = 5000
"""Pictures to judge by where there are no others."""
BATCH = 64
SHARES = (0.7, 0.85)
"""Where the pictures that a generator reads are parted: lessons, reference, held back."""


def teacher(bench: Workbench) -> Outcome:
    """Write the generator (and discriminator), its lessons, and what it is compared by."""
    prepare(bench.recipe.seed)
    settings = bench.recipe.teacher
    loaded = load(bench)
    save_teacher(loaded, bench.folder)
    if settings.discriminator is not None:
        discriminator = load_discriminator(
            settings.discriminator, loaded, settings.custom, settings.allow_unsafe
        )
        discriminator.save(bench.folder / networks.DISCRIMINATOR)
    parts = _pictures_read(bench, loaded) if settings.inputs else _latents(bench, loaded)
    for name, inputs in parts.items():
        lessons = Lessons(inputs, _draw(loaded, inputs, name), loaded.classes)
        drawn.write(lessons, bench.folder / name)
    return Outcome(
        {
            "generator_parameters": loaded.model.count_params(),
            "origin": loaded.origin,
            "lessons": len(parts[drawn.LESSONS]),
        },
        list(loaded.notes),
    )


def load(bench: Workbench) -> Teacher:
    """The generator that the recipe names."""
    settings = bench.recipe.teacher
    if settings.file is None:
        raise PocketganError(
            "teacher.file is not set.", "Give a generator: `pocketgan compress GENERATOR`."
        )
    return load_teacher(
        settings.file,
        classes=settings.classes or None,
        pixels=settings.pixels,
        input_pixels=settings.input_pixels,
        allow_unsafe=settings.allow_unsafe,
        custom=settings.custom,
    )


def _latents(bench: Workbench, loaded: Teacher) -> dict[str, np.ndarray]:
    """Inputs by the file that they go to: latents of the prior."""
    seed, shape = bench.recipe.seed, (loaded.latent, loaded.classes)
    return {
        drawn.LESSONS: latents(seed, Purpose.LESSON, bench.recipe.teacher.lessons, *shape),
        drawn.REFERENCE: latents(seed, Purpose.REFERENCE, REFERENCE, *shape),
    }


def _pictures_read(bench: Workbench, loaded: Teacher) -> dict[str, np.ndarray]:
    """Inputs by the file that they go to: the user's pictures, parted once."""
    place, wanted = bench.recipe.teacher.inputs, loaded.input_pixels
    assert place is not None
    assert wanted is not None
    height, width, channels = loaded.model.input_shape[1:]
    if height != width:
        raise PocketganError(
            f"the generator reads pictures of {height}×{width}.", "Only square ones can be read."
        )
    found = folder.load(
        place,
        image_size=height,
        channels=channels,
        cache=bench.run.root / ".cache",
        test_fraction=0.5,
        seed=bench.recipe.seed,
    )
    pictures = np.concatenate([found.train, found.test])
    refuse_few(place, len(pictures))
    low, high = wanted
    pictures = pictures.astype(np.float32) * ((high - low) / 255) + low
    order = np.random.default_rng(bench.recipe.seed).permutation(len(pictures))
    ends = [round(share * len(order)) for share in SHARES]
    kept = np.split(pictures[order], ends)
    return dict(zip((drawn.LESSONS, drawn.REFERENCE, drawn.HELD), kept, strict=True))


def _draw(loaded: Teacher, inputs: np.ndarray, name: str) -> np.ndarray:
    """The teacher's pictures, uint8 [N, H, W, C]; PocketganError where they are no numbers."""
    pictures = []
    for start in progress.track(range(0, len(inputs), BATCH), f"teacher draws {Path(name).stem}"):
        made = loaded.model(inputs[start : start + BATCH], training=False).numpy()
        if not np.isfinite(made).all():
            raise PocketganError(
                f"{loaded.origin}: it draws values that are NaN or infinite.",
                "Look at its weights with `pocketgan check`.",
            )
        pictures.append(to_uint8(made, loaded.pixels))
    together = np.concatenate(pictures)
    if (together == together[0]).all():
        raise PocketganError(
            f"{loaded.origin}: its {len(together)} pictures are all the same.",
            "A generator that has collapsed has nothing to teach; "
            "was it saved before it was trained?",
        )
    return together
