import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.training.history import HistoryRow
from pipeline.training.monitor import (
    PATIENCE,
    REFERENCE_PICTURES,
    mean_distance,
    new_events,
    reference_distance,
    warnings,
)

HEALTHY = HistoryRow(
    step=100,
    discriminator_loss=1.2,
    generator_loss=0.9,
    real_score=0.6,
    fake_score=-0.5,
    accuracy=0.7,
    spread=0.8,
    diversity=0.9,
    rate=2e-4,
)
COLLAPSED = replace(HEALTHY, diversity=0.1)
PERFECT = replace(HEALTHY, accuracy=1.0, discriminator_loss=0.001)
BLIND = replace(HEALTHY, spread=0.0)
RATIO = 0.35


def test_healthy_history_has_no_warnings() -> None:
    assert warnings([HEALTHY] * 5, RATIO) == {}
    assert new_events([HEALTHY] * 5, RATIO) == []


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (COLLAPSED, "mode collapse"),
        (PERFECT, "perfect discriminator"),
        (BLIND, "blind discriminator"),
    ],
)
def test_warning_is_an_event_once_it_has_lasted_and_again_when_it_is_over(
    row: HistoryRow, name: str
) -> None:
    rows = [HEALTHY, *[row] * (PATIENCE + 1), HEALTHY]
    history = [replace(row, step=100 * number) for number, row in enumerate(rows)]
    events = [new_events(history[: end + 1], RATIO) for end in range(len(history))]
    with_events = {end: messages for end, messages in enumerate(events) if messages}
    assert [*with_events] == [PATIENCE, PATIENCE + 2]
    (began,), (ended,) = with_events.values()
    assert began.startswith(f"step {100 * PATIENCE}: {name}: ")
    assert ended == f"step {100 * (PATIENCE + 2)}: {name} is over"


def test_symptom_that_pauses_is_no_warning() -> None:
    assert warnings([COLLAPSED, COLLAPSED, HEALTHY, COLLAPSED, COLLAPSED], RATIO) == {}


def test_sure_discriminator_is_no_warning_while_its_loss_still_teaches() -> None:
    assert warnings([replace(PERFECT, discriminator_loss=0.4)] * PATIENCE, RATIO) == {}


def test_critic_that_is_always_right_still_teaches() -> None:
    assert warnings([PERFECT] * PATIENCE, RATIO, saturates=False) == {}
    assert "blind discriminator" in warnings([BLIND] * PATIENCE, RATIO, saturates=False)


def test_collapse_depends_on_the_ratio_that_is_set() -> None:
    assert "mode collapse" in warnings([HEALTHY] * PATIENCE, 0.95)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["discriminator_loss", "fake_score", "diversity"])
def test_row_with_a_figure_that_is_no_number_is_not_finite(column: str, bad: float) -> None:
    assert HEALTHY.finite
    assert not replace(HEALTHY, **{column: bad}).finite


def test_mean_distance_of_three_pictures_on_a_line() -> None:
    pictures = np.zeros([3, 2, 2, 1], np.uint8)
    pictures[1, 0, 0], pictures[2, 0, 0] = 30, 90
    assert mean_distance(pictures) == pytest.approx((30 + 60 + 90) / 3)


def test_mean_distance_does_not_wrap_around_at_256() -> None:
    pictures = np.zeros([2, 1, 2, 1], np.uint8)
    pictures[1] = 255
    assert mean_distance(pictures) == pytest.approx(255 * np.sqrt(2))


def test_variety_of_large_pictures_is_measured_in_less_memory_than_they_take() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (40, 128, 128, 3), dtype=np.uint8)
    tracemalloc.start()
    distance = reference_distance(pictures, 1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < pictures.nbytes
    rows = pictures.reshape(40, -1).astype(float)
    pairs = [np.linalg.norm(rows[i] - rows[j]) for i in range(40) for j in range(i)]
    assert distance == pytest.approx(np.mean(pairs))


def test_pictures_of_which_too_few_differ_are_refused() -> None:
    pictures = np.zeros([40 * REFERENCE_PICTURES, 1, 1, 1], np.uint8)
    pictures[0] = 1
    with pytest.raises(PocketganError, match=r"all the same, as far as 1024 of them tell"):
        reference_distance(pictures, 1)
