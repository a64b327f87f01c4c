from collections.abc import Callable

import numpy as np
import pytest

from pipeline.adversarial.randomness import Purpose, latents
from pipeline.lite import count
from pipeline.lite.draw import draw
from pipeline.lite.read import read_model
from pipeline.run import Record, Run
from pipeline.stages.quantize import BASES, load_aware


@pytest.mark.parametrize("variant", BASES)
def test_fine_tuned_model_is_read_back_and_draws_what_its_file_draws(
    variant: str, tiny: Run
) -> None:
    shown = latents(5, Purpose.CONTROL, 32, 8, 0)
    model = load_aware(tiny.path("quantize"), variant)(shown, training=False).numpy()
    file = draw(tiny.path("convert") / f"{variant}.tflite", shown)
    assert np.abs(file - model).max() <= 2 / 128
    assert model.std() > 0.01


def test_zeros_of_the_pruning_survive_in_the_int8_file_only(
    tiny: Run, record: Callable[[str], Record]
) -> None:
    zeros = {
        variant: count.zeros(read_model(tiny.path("convert") / f"{variant}.tflite"))
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
