from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import PocketganError
from deploy.harness import Plan
from deploy.jobs import Measurement
from deploy.targets.local import Local
from pipeline.tflite.prefix import Prefix
from pipeline.tflite.profile import costs, profile
from pipeline.tflite.read import read_model

PREFIXES = [Prefix("CONV_2D", "a", b""), Prefix("TANH", "b", b"")]


def measured(**figures: Any) -> Measurement:
    """Figures alone: what profiling does not read is left unchecked."""
    return Measurement.model_construct(target="standin", **figures)


def test_profile_has_a_row_for_each_operation(
    variant: Callable[[str], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "int8.tflite"
    path.write_bytes(variant("int8"))
    counted: list[int] = []
    rows = profile(
        path,
        Local(),
        Plan(threads=(1, 2), rounds=1, runs=32, warmup=4),
        on_progress=lambda _, done, total: counted.append(total),
    )
    assert [(row.operation, row.layer) for row in rows] == [
        (op.label, op.layer) for op in read_model(path).ops
    ]
    assert {row.unit for row in rows} == {"ms"}
    assert rows[0].cost > 0
    assert counted == [len(rows)] * len(rows)  # one number of threads


def test_cost_is_what_a_prefix_takes_more_than_the_one_before() -> None:
    rows = costs(PREFIXES, [measured(min_ms=0.25), measured(min_ms=0.75)])
    assert [(row.operation, row.layer, row.cost, row.unit) for row in rows] == [
        ("CONV_2D", "a", 0.25, "ms"),
        ("TANH", "b", 0.5, "ms"),
    ]


def test_instructions_are_the_cost_where_they_are_counted() -> None:
    rows = costs(PREFIXES, [measured(instructions=100), measured(instructions=350)])
    assert [(row.cost, row.unit) for row in rows] == [(100, "instructions"), (250, "instructions")]


def test_prefix_cheaper_than_a_shorter_one_adds_nothing_to_the_sum() -> None:
    three = [*PREFIXES, Prefix("RELU", "c", b"")]
    rows = costs(three, [measured(min_ms=0.5), measured(min_ms=0.25), measured(min_ms=0.75)])
    assert [row.cost for row in rows] == [0.5, 0, 0.25]


def test_prefix_that_cannot_be_measured_is_named() -> None:
    with pytest.raises(PocketganError, match=r"standin .* TANH \(b\): no such operation"):
        costs(PREFIXES, [measured(min_ms=1.0), measured(error="no such operation")])


def test_target_that_gives_neither_time_nor_instructions_says_why() -> None:
    untold = measured(absent={"min_ms": "only memory is told"})
    with pytest.raises(PocketganError, match="only memory is told"):
        costs(PREFIXES, [untold, untold])
