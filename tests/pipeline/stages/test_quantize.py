import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.artifacts import folded_generator, load_network, load_quantized
from pipeline.cli import main
from pipeline.compression.bits import expected_bytes, kernel_layers, least_bytes, sensitivities
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.stage import Record, StageContext
from pipeline.stages.convert import ALLOWED_STEPS, _on_steps
from pipeline.stages.inputs import generator_inputs
from pipeline.stages.quantize import BASES, _check_layers
from pipeline.stages.quantize_student import (
    RoundBytes,
    bits_for,
    next_round,
    quantize_student,
    target_bytes,
)
from pipeline.tflite import count
from pipeline.tflite.convert import to_int8_trained
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw
from pipeline.training.randomness import Prior, Purpose, latents


@pytest.mark.parametrize("variant", BASES)
def test_fine_tuned_model_is_read_back_and_draws_what_its_file_draws(
    variant: str, tiny: Run
) -> None:
    path = tiny.path("convert") / f"{variant}.tflite"
    inputs = _on_steps(
        latents(5, Purpose.CONTROL, count=32, prior=Prior(8)), read_model(path).inputs[0]
    )
    model = load_quantized(tiny.path("quantize"), variant)(inputs, training=False).numpy()
    file = draw(path, inputs)
    # One pixel of 25,088 may be a step further: which one a value is rounded to is a matter of
    # the last bit of a sum, and that of the processor.
    steps = np.abs(file - model) * 128
    assert np.mean(steps <= ALLOWED_STEPS) >= 1 - 1 / 25_088
    assert steps.max() <= ALLOWED_STEPS + 1
    assert model.std() > 0.01


def test_bits_of_the_recipe_reach_the_files_of_both_variants(
    tiny_recipe: Path, tiny_copy: Path
) -> None:
    changes = ("--quantize.bits", "4", "--quantize.layers", "{pixels: 6}")
    assert main(["quantize", str(tiny_recipe), "--runs", str(tiny_copy), "--quiet", *changes]) == 0
    folder = Run(load_recipe(str(tiny_recipe), changes), tiny_copy).path("quantize")
    for variant in BASES:
        model = read_model(to_int8_trained(load_quantized(folder, variant)))
        largest = {
            constant.op.layer: int(np.abs(constant.tensor.data()).max())
            for constant in count.constants(model)
            if constant.is_kernel
        }
        assert largest == {"project": 7, "upsample": 7, "pixels": 31}


def test_bits_for_an_unknown_layer_are_refused_before_the_training(
    ctx: Callable[..., StageContext],
) -> None:
    with pytest.raises(PocketganError, match=r"quantize\.layers\.sead"):
        _check_layers(ctx("--quantize.layers", "{sead: 4}"))


def test_zeros_of_the_pruning_survive_in_the_int8_file_only(
    tiny: Run, record: Callable[[str], Record]
) -> None:
    zeros = {
        variant: count.zero_share(
            count.kernels(read_model(tiny.path("convert") / f"{variant}.tflite"))
        )
        for variant in BASES
    }
    pruned = record("prune").metrics["zeros"]
    assert zeros["int8"] is not None
    assert zeros["int8"] >= pruned - 1e-6
    assert zeros["int8-qat"] is not None
    assert zeros["int8-qat"] < 0.1


def test_both_variants_leave_history_and_film(record: Callable[[str], Record]) -> None:
    outputs = set(record("quantize").outputs)
    for variant in BASES:
        assert {f"history-{variant}.csv", f"film-{variant}.png", f"film-{variant}.gif"} < outputs


@pytest.fixture(scope="session")
def small(small_runs: Path) -> Run:
    return Run(load_recipe(str(small_runs / "small" / "recipe.yaml")), small_runs)


def test_students_file_keeps_its_limit_and_uses_most_of_it(small: Run) -> None:
    shipped = read_model(small.path("convert") / "int8.tflite")
    assert 0.8 * 5000 < shipped.size_gzip <= 5000


def test_file_is_weighed_after_each_round_and_the_last_weight_is_that_of_the_file(
    small: Run,
) -> None:
    record_of_stage = small.record("quantize")
    assert record_of_stage is not None
    weighed = record_of_stage.metrics["int8"]["gzip_bytes"]
    assert len(weighed) >= 2
    assert weighed[-1] == read_model(small.path("convert") / "int8.tflite").size_gzip


def test_weights_take_the_least_they_can_where_the_limit_leaves_them_less(small: Run) -> None:
    ctx = small.context(quantize_student, small.path("quantize"))
    start = load_network(folded_generator(small.path("quantize"), "int8"))
    calibration = generator_inputs(ctx, Purpose.CALIBRATION, 16)
    prices = sensitivities(start, calibration)
    bits = bits_for(ctx, start, calibration, 100)
    assert expected_bytes(prices, bits) == least_bytes(prices)


def test_file_that_keeps_its_limit_with_all_bits_has_them_and_no_layer_is_priced(
    small_runs: Path, small: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = load_network(folded_generator(small.path("quantize"), "int8"))
    full = dict.fromkeys(kernel_layers(start), 8)
    recipe = load_recipe(str(small_runs / "small" / "recipe.yaml"), {"quantize.layers": full})
    run = Run(recipe, small_runs)
    ctx = run.context(quantize_student, run.path("quantize"))
    calibration = generator_inputs(ctx, Purpose.CALIBRATION, 16)
    with monkeypatch.context() as patch:
        patch.setitem(bits_for.__globals__, "sensitivities", None)
        assert bits_for(ctx, start, calibration, 1_000_000) == full
    assert bits_for(ctx, start, calibration, 100) == full  # the recipe's go before the limit


def test_rounds_are_one_story(small: Run) -> None:
    with (small.path("quantize") / "history-int8.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == sorted(set(steps))
    assert steps[-1] >= 8


@pytest.mark.parametrize(
    ("limit", "weighed", "steps"),
    [
        (None, [], 9),
        (None, [0], 0),
        (100, [], 5),
        (100, [90], 5),
        (100, [90, 100], 0),
        (100, [90, 101], 3),
        (100, [90, 101, 102], 3),
        (100, [90, 101, 102, 103, 104], 0),
    ],
)
def test_rounds_go_on_until_the_file_keeps_its_limit(
    limit: int | None, weighed: list[int], steps: int
) -> None:
    assert next_round(9, limit, [RoundBytes(100, bytes) for bytes in weighed]) == steps


def test_bytes_that_the_last_round_took_off_are_half_expected_again() -> None:
    assert target_bytes(1000, []) == 970
    assert target_bytes(1000, [RoundBytes(970, 970)]) == 970
    assert target_bytes(1000, [RoundBytes(970, 970), RoundBytes(970, 873)]) == round(
        970 * (970 / 873) ** 0.5
    )
    assert target_bytes(1000, [RoundBytes(970, 1067)]) < 970


@pytest.mark.slow
def test_students_weights_are_kept_small_while_it_is_rounded(small: Run, small_copy: Path) -> None:
    recipe = str(small_copy / "small" / "recipe.yaml")
    changes = ("--quantize.l1", "1000", "--quantize.rate", "0.02")
    assert main(["quantize", recipe, "--runs", str(small_copy), "--quiet", *changes]) == 0
    sums, shrunk = (
        sum(
            float(np.abs(kernel).sum())
            for kernel in load_quantized(run.path("quantize"), "int8").get_weights()
            if kernel.ndim >= 2 and kernel.min() < 0  # not the masks
        )
        for run in (small, Run(load_recipe(recipe, changes), small_copy))
    )
    assert shrunk < 0.9 * sums
