from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan
from deploy.jobs import Measurement
from deploy.targets.local import Local
from pipeline import profiling
from pipeline.profiling import costs, operation_costs, profiled_operations, profiles
from pipeline.tflite import convert
from pipeline.tflite.read import read_model
from tests.pipeline.tflite import others
from tests.pipeline.tflite.conftest import pack, tensor

__all__ = ["pack", "tensor"]


def test_profile_has_a_row_for_each_operation(small_generator: Any, tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    latents = np.random.default_rng(2).normal(size=(16, 32)).astype(np.float32)
    path.write_bytes(convert.to_int8_post_training(small_generator, latents))
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


def test_file_of_thousands_of_operations_is_not_cut_after_each(tmp_path: Path) -> None:
    path = tmp_path / "long.tflite"
    path.write_bytes(others.long_chain(9000))
    with pytest.raises(PocketganError, match="each of its 9,000 operations, more than 1,000"):
        operation_costs(path, Local(), MeasuringPlan())


@pytest.mark.parametrize("unpacked", [False, True])
def test_file_that_computes_nothing_has_no_profile(
    unpacked: bool, pack: Callable[..., bytes], tensor: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "same.tflite"
    tensors = [tensor([1, 4], kind, buffer) for kind, buffer in (("FLOAT32", 0), ("FLOAT16", 1))]
    tensors.append(tensor([1, 4], "FLOAT32"))
    widening = [("DEQUANTIZE", [1], [2])] if unpacked else []
    path.write_bytes(pack(tensors, [np.ones(4, np.float16)], widening, outputs=[2 * unpacked]))
    with pytest.raises(PocketganError, match="no operation that computes anything"):
        operation_costs(path, Local(), MeasuringPlan(rounds=1, runs=1))


def test_file_that_does_not_run_as_a_whole_is_refused_though_its_parts_may_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measured(variants: dict[str, Path], *_: object, **__: object) -> list[Measurement]:
        return [
            measurement(variant=name, min_ms=1.0, error="it crashed" if name == "mine" else None)
            for name in variants
        ]

    path = tmp_path / "mine.tflite"
    path.write_bytes(others.latent_reader())
    monkeypatch.setattr(profiling, "measure", measured)
    with pytest.raises(PocketganError, match="local cannot run the mine: it crashed"):
        profiles({"mine": path}, Local(), MeasuringPlan())


def test_files_are_profiled_beside_each_other_and_as_a_whole(
    small_generator: Any, tmp_path: Path
) -> None:
    files = {"one": tmp_path / "one.tflite", "two": tmp_path / "two.tflite"}
    files["one"].write_bytes(convert.to_float32(small_generator))
    files["two"].write_bytes(others.latent_reader())
    found = profiles(files, Local(), MeasuringPlan(rounds=1, runs=16, warmup=2))
    assert list(found) == ["one", "two"]
    for name, path in files.items():
        graph = read_model(path).subgraphs[0]
        assert len(found[name].operations) == len(profiled_operations(graph))
        assert found[name].whole.min_ms is not None
        assert found[name].whole.outputs is None  # nothing but the cost is wanted


def test_what_only_works_out_a_size_belongs_to_its_reader() -> None:
    graph = read_model(others.enlarger()).subgraphs[0]
    assert "SHAPE" in {op.name for op in graph.ops}
    assert [op.name for op in profiled_operations(graph)] == ["CONV_2D", "TRANSPOSE_CONV"]
