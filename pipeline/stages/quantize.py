"""Fold batch norm, round to int8 while the game goes on, with and without pruning."""

import gzip
import json
from collections.abc import Container
from pathlib import Path

import numpy as np
import tf_keras

from pipeline.adversarial.game import Game
from pipeline.adversarial.lessons import Lessons
from pipeline.adversarial.randomness import Purpose
from pipeline.adversarial.settings import GameSettings
from pipeline.atomic import replaced, write_text
from pipeline.compression.bits import (
    Prices,
    choose_bits,
    expected_bytes,
    layer_bits,
    sensitivities,
)
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.prune import zeros
from pipeline.compression.scheme import FULL_BITS, quantization_aware, round_biases
from pipeline.data.drawn import LESSONS, read_lessons
from pipeline.determinism import prepare
from pipeline.lite.convert import to_int8_trained
from pipeline.lite.slim_file import without_ballast
from pipeline.networks.pixels import to_uint8
from pipeline.run import Outcome, Workbench
from pipeline.search.budget import KILO
from pipeline.search.look import drawn
from pipeline.stages import networks
from pipeline.stages.diary import Diary
from pipeline.stages.student import student_pixels, taught_student

PRICED = 256
"""Latents by which it is judged what a layer can bear."""
FILLED = 0.94
"""Share of a gzip limit that is aimed at: training moves weights, and files name their origin."""
WEIGHED = 3


def bases(stages: Container[str]) -> dict[str, str]:
    """Quantized variant → the stage whose generator it starts from."""
    return {"int8": "student"} if "student" in stages else {"int8": "prune", "int8-qat": "train"}


def quantize(bench: Workbench) -> Outcome:
    """For each quantized variant write its folded float start, its weights, history and film."""
    outcomes = {
        variant: _fine_tune(bench, variant, bench.inputs[stage])
        for variant, stage in bases(bench.inputs).items()
    }
    return Outcome(
        {variant: outcome.metrics for variant, outcome in outcomes.items()},
        [
            f"{variant}: {event}"
            for variant, outcome in outcomes.items()
            for event in outcome.events
        ],
    )


def folded(folder: Path, variant: str) -> Path:
    """Where the stage keeps the folded float generator that a quantized variant starts from."""
    return folder / f"{variant}.folded.keras"


def _weights(folder: Path, variant: str) -> Path:
    return folder / f"{variant}.weights.npz"


def _bits(folder: Path, variant: str) -> Path:
    return folder / f"{variant}.bits.json"


def _save_weights(aware: tf_keras.Model, path: Path) -> None:
    """As arrays in their order. Keras writes HDF5, whose library crashes where the disk is full."""
    with replaced(path) as aside, aside.open("wb") as file:
        np.savez(file, *aware.get_weights())


def load_aware(folder: Path, variant: str) -> tf_keras.Model:
    """The fine-tuned quantization-aware generator of a variant."""
    start = networks.load(folded(folder, variant))
    bits = json.loads(_bits(folder, variant).read_text())
    aware = quantization_aware(start, np.zeros([1, *start.input_shape[1:]], np.float32), bits)
    with np.load(_weights(folder, variant)) as arrays:
        aware.set_weights([arrays[name] for name in arrays.files])
    return aware


def _bits_of(bench: Workbench, start: tf_keras.Model, seen: np.ndarray) -> dict[str, int]:
    """As the recipe says; of a student by what each layer can bear, within what its budget allows.

    Layers whose bits the recipe names keep them.
    """
    settings = bench.recipe.quantize
    if "student" not in bench.inputs:
        return layer_bits(start, settings.bits, settings.layers)
    even = layer_bits(start, taught_student(bench.inputs["student"]).bits, settings.layers)
    limit = bench.recipe.budget.max_gzip_kb
    if limit is None and set(even.values()) == {FULL_BITS}:
        return even
    prices = sensitivities(start, seen[:PRICED])
    for name, bits in settings.layers.items():
        prices[name] = {bits: prices[name][bits]}
    target = expected_bytes(prices, even)
    if limit is None:
        return choose_bits(prices, target)
    return _fitted(start, seen, prices, target, round(limit * KILO * FILLED))


def _fitted(
    start: tf_keras.Model, seen: np.ndarray, prices: Prices, target: int, limit: int
) -> dict[str, int]:
    """Bits with which the gzipped file, written and weighed, is as near below ``limit`` as it can.

    What a file holds besides its weights is known only by writing one.
    """
    bits = choose_bits(prices, target)
    for _ in range(WEIGHED):
        written = without_ballast(to_int8_trained(quantization_aware(start, seen[:1], bits)))
        around = len(gzip.compress(written, 9)) - expected_bytes(prices, bits)
        closer = choose_bits(prices, limit - around)
        if closer == bits:
            break
        bits = closer
    return bits


def _game(
    bench: Workbench,
    start: tf_keras.Model,
    aware: tf_keras.Model,
    discriminator: tf_keras.Model,
    rules: GameSettings,
) -> Game:
    """A student keeps to what it drew before it was rounded; others to what the teacher draws."""
    distill = bench.recipe.quantize.distill
    if "student" in bench.inputs:
        pixels = student_pixels(bench.inputs["student"])
        inputs = read_lessons(bench.inputs["teacher"] / LESSONS).inputs
        own = Lessons(inputs, to_uint8(drawn(start, inputs), pixels), networks.classes(bench))
        return networks.game(bench, aware, discriminator, rules, None, distill, own, pixels)
    teacher = fold_batch_norm(networks.teacher(bench).model)
    return networks.game(bench, aware, discriminator, rules, teacher, distill)


def _fine_tune(bench: Workbench, variant: str, base: Path) -> Outcome:
    settings, seed = bench.recipe.quantize, bench.recipe.seed
    prepare(seed)
    start = fold_batch_norm(networks.load(base / networks.GENERATOR))
    discriminator = networks.load(base / networks.DISCRIMINATOR)
    seen = networks.inputs(bench, Purpose.CALIBRATION, settings.calibration)
    bits = _bits_of(bench, start, seen)
    aware = quantization_aware(start, seen, bits)
    rules = networks.fine_tuning(bench, settings.steps, settings.rate, settings.ema)
    game = _game(bench, start, aware, discriminator, rules)
    diary = Diary(bench.folder, variant, f"-{variant}")
    story = game.play(bench.scratch / f"{variant}.npz", f"quantize {variant}", diary.write)
    game.recalibrate()
    round_biases(aware)
    start.save(folded(bench.folder, variant))
    write_text(_bits(bench.folder, variant), json.dumps(bits) + "\n")
    _save_weights(aware, _weights(bench.folder, variant))
    diary.close(story)
    return Outcome({"zeros": round(zeros(start), 6), "distill": settings.distill}, story.events)
