from typing import Any

import pytest

from deploy.errors import PocketganError
from deploy.jobs import Measurement
from deploy.profile import LastOperation, costs

OPERATIONS = [LastOperation("CONV_2D", "a"), LastOperation("TANH", "b")]


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
    three = [*OPERATIONS, LastOperation("RELU", "c")]
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
