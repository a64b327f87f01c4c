"""Teach the student that was chosen: it imitates its teacher first, then it plays the game."""

import json
from pathlib import Path

import numpy as np
import tf_keras

from pipeline import progress
from pipeline.adversarial.lessons import Lessons
from pipeline.atomic import replaced, write_text
from pipeline.compression.imitate import Imitation
from pipeline.compression.prune import Pruning, layer_shares, zeros
from pipeline.data.drawn import LESSONS, read_lessons
from pipeline.determinism import prepare
from pipeline.networks.pixels import PixelRange
from pipeline.networks.registry import build_discriminator
from pipeline.run import Outcome, Workbench
from pipeline.search.choice import Tried
from pipeline.search.students import Workshop
from pipeline.stages import networks
from pipeline.stages.diary import Diary
from pipeline.stages.search import read_choice
from pipeline.teachers.store import read_saved_teacher

IMITATION_BATCH = 128
RAMP, EVERY = 0.5, 25
STUDENT = "student.json"


def student(bench: Workbench) -> Outcome:
    """Write the student, the discriminator that it played against, history and film."""
    recipe, settings = bench.recipe, bench.recipe.student
    chosen = read_choice(bench.inputs["search"]).chosen
    prepare(recipe.seed)
    workshop = Workshop(read_saved_teacher(bench.inputs["teacher"]), recipe.seed)
    lessons = read_lessons(bench.inputs["teacher"] / LESSONS)
    made = workshop.build(chosen.student)
    pixels = workshop.pixels(chosen.student)
    error = _imitate(bench, made, lessons, pixels)
    discriminator = _discriminator(bench)
    pruning = _pruning(made, chosen, settings.steps, recipe.train.critic_steps)
    rules = networks.fine_tuning(bench, settings.steps, settings.rate, recipe.train.ema)
    game = networks.game(
        bench,
        pruning.model if pruning else made,
        discriminator,
        rules,
        distill=settings.distill,
        lessons=lessons,
        pixels=pixels,
    )
    diary = Diary(bench.folder, "student")
    story = game.play(bench.scratch / "game.npz", "student", diary.write)
    game.recalibrate()
    final = pruning.stripped() if pruning else made
    final.save(bench.folder / networks.GENERATOR)
    discriminator.save(bench.folder / networks.DISCRIMINATOR)
    write_text(bench.folder / STUDENT, json.dumps({"pixels": pixels}) + "\n")
    diary.close(story)
    return Outcome(
        {
            "student": chosen.words,
            "parameters": final.count_params(),
            "imitation_error": round(error, 6),
            "zeros": round(zeros(final), 6),
        },
        story.events,
    )


def student_pixels(folder: Path) -> PixelRange:
    """Black and white in what the student of this stage's folder draws."""
    low, high = json.loads((folder / STUDENT).read_text(encoding="utf-8"))["pixels"]
    return low, high


def _imitate(bench: Workbench, made: tf_keras.Model, lessons: Lessons, pixels: PixelRange) -> float:
    """Train on the teacher's pictures alone, unless a killed run had done so already."""
    settings, kept = bench.recipe.student, bench.scratch / "imitation.npz"
    weights = _kept(kept, made)
    if weights is not None:
        made.set_weights(weights[:-1])
        return float(weights[-1])
    imitation = Imitation(
        made,
        lessons,
        pixels,
        steps=max(1, settings.imitate),
        rate=settings.imitate_rate,
        batch=IMITATION_BATCH,
        seed=bench.recipe.seed,
    )
    with progress.bar() as bar:
        task = bar.add_task("student imitates", total=settings.imitate)
        error = imitation.go_on(settings.imitate, lambda: bar.advance(task))
    imitation.settle()
    with replaced(kept) as aside, aside.open("wb") as file:
        np.savez(file, *made.get_weights(), np.array(error))
    return error


def _kept(path: Path, made: tf_keras.Model) -> list[np.ndarray] | None:
    """The weights, and the error behind them, that a killed run left; None where it left none."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file) as stored:
            arrays = [stored[f"arr_{number}"] for number in range(len(stored.files))]
    except Exception:  # damage can surface as nearly any error of the archive reader
        return None
    shapes = [weight.shape for weight in made.get_weights()]
    return arrays if [array.shape for array in arrays[:-1]] == shapes else None


def _discriminator(bench: Workbench) -> tf_keras.Model:
    """The teacher's own, which knows what to look at; or a fresh one where there is none."""
    kept = bench.inputs["teacher"] / networks.DISCRIMINATOR
    if kept.exists():
        return networks.load(kept)
    return build_discriminator(bench.recipe.discriminator, networks.image_shape(bench))


def _pruning(made: tf_keras.Model, chosen: Tried, steps: int, critic_steps: int) -> Pruning | None:
    """Zeros that grow while the student plays, where it shall have any."""
    if not chosen.zeros:
        return None
    shares = layer_shares(made, chosen.zeros, None, 0.0, {})
    return Pruning(made, shares, round(RAMP * steps) * critic_steps, EVERY)
