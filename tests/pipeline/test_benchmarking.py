from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan
from deploy.jobs import Measurement
from deploy.targets.local import Local
from pipeline.benchmarking import costs, find, is_model, latents, operation_costs
from pipeline.tflite import convert
from pipeline.tflite.read import read_model


def touch(folder: Path, *names: str) -> list[str]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return [str(folder / name) for name in names]


def test_file_is_called_by_its_stem(tmp_path: Path) -> None:
    (names,) = touch(tmp_path, "gen.tflite")
    assert find([names]) == {"gen": tmp_path / "gen.tflite"}


def test_folder_gives_its_files_in_the_order_of_every_table(tmp_path: Path) -> None:
    touch(tmp_path, "int8.tflite", "other.tflite", "float32.tflite", "notes.txt")
    assert list(find([str(tmp_path)])) == ["float32", "int8", "other"]


def test_equal_stems_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    names = touch(tmp_path, "a/x/int8.tflite", "b/x/int8.tflite")
    assert list(find(names)) == ["a/x/int8", "b/x/int8"]


def test_file_named_twice_is_one_file(tmp_path: Path) -> None:
    (names,) = touch(tmp_path, "gen.tflite")
    assert len(find([names, names, str(tmp_path)])) == 1


def test_stems_that_only_the_suffix_tells_apart_keep_their_paths(tmp_path: Path) -> None:
    names = touch(tmp_path, "gen.tflite", "gen.lite")
    assert set(find(names)) == set(names)


@pytest.mark.parametrize(("name", "word"), [("none.tflite", "no such file"), ("", "holds no")])
def test_nothing_to_measure_is_an_error(name: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match=word):
        find([str(tmp_path / name)])


@pytest.fixture(scope="module")
def generator() -> Any:
    """Latents [1, 32] → images [1, 8, 8, 4], by a dense layer, a view and a convolution."""
    import tf_keras

    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            tf_keras.Input((32,), batch_size=1),
            layers.Dense(8 * 8 * 16),
            layers.Reshape((8, 8, 16)),
            layers.Conv2D(4, 5, padding="same"),
        ]
    )


def test_folder_that_is_called_like_a_file_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "gen.tflite")
    (tmp_path / "folder.tflite").mkdir()
    assert list(find([str(tmp_path)])) == ["gen"]


def test_model_is_known_by_how_it_begins(tmp_path: Path) -> None:
    model, text = tmp_path / "model.lite", tmp_path / "text.lite"
    model.write_bytes(b"\x1c\0\0\0TFL3 and more")
    text.write_text("name: digits")
    assert [is_model(path) for path in (model, text, tmp_path, tmp_path / "gone")] == [
        *(True, False, False, False)
    ]


@pytest.mark.parametrize("values", [[[np.nan, 1.0]], [[np.inf, 1.0]], [1.0], [[1]]])
def test_latents_that_cannot_be_fed_are_refused(values: object, tmp_path: Path) -> None:
    path = tmp_path / "latents.npy"
    np.save(path, np.array(values))
    with pytest.raises(PocketganError, match="latents must be"):
        latents(path)


def test_profile_has_a_row_for_each_operation(generator: Any, tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    latents = np.random.default_rng(2).normal(size=(16, 32)).astype(np.float32)
    path.write_bytes(convert.to_int8_post_training(generator, latents))
    totals: list[int] = []
    rows = operation_costs(
        path,
        Local(),
        MeasuringPlan(threads=(1, 2), rounds=1, runs=32, warmup=4),
        on_progress=lambda _, done, total: totals.append(total),
    )
    assert [(row.operation, row.layer) for row in rows] == [
        (op.label, op.layer) for op in read_model(path).ops
    ]
    assert {row.unit for row in rows} == {"ms"}
    assert rows[0].cost > 0
    assert totals == [len(rows)] * len(rows)  # one number of threads


OPERATIONS = [("CONV_2D", "a"), ("TANH", "b")]


def measurement(**figures: Any) -> Measurement:
    """Figures alone: what profiling does not read is left unchecked."""
    return Measurement.model_construct(target="standin", **figures)


def test_cost_is_what_a_prefix_takes_more_than_the_one_before() -> None:
    rows = costs(OPERATIONS, [measurement(min_ms=0.25), measurement(min_ms=0.75)])
    assert [(row.operation, row.layer, row.cost, row.unit) for row in rows] == [
        ("CONV_2D", "a", 0.25, "ms"),
        ("TANH", "b", 0.5, "ms"),
    ]


def test_instructions_are_the_cost_where_they_are_counted() -> None:
    rows = costs(OPERATIONS, [measurement(instructions=100), measurement(instructions=350)])
    assert [(row.cost, row.unit) for row in rows] == [(100, "instructions"), (250, "instructions")]


def test_prefix_cheaper_than_a_shorter_one_adds_nothing_to_the_sum() -> None:
    three = [*OPERATIONS, ("RELU", "c")]
    rows = costs(
        three, [measurement(min_ms=0.5), measurement(min_ms=0.25), measurement(min_ms=0.75)]
    )
    assert [row.cost for row in rows] == [0.5, 0, 0.25]


def test_prefix_that_cannot_be_measured_is_named() -> None:
    with pytest.raises(PocketganError, match=r"standin .* TANH \(b\): no such operation"):
        costs(OPERATIONS, [measurement(min_ms=1.0), measurement(error="no such operation")])


def test_target_that_gives_neither_time_nor_instructions_says_why() -> None:
    memory_only = measurement(absent={"min_ms": "only memory is told"})
    with pytest.raises(PocketganError, match="only memory is told"):
        costs(OPERATIONS, [memory_only, memory_only])
