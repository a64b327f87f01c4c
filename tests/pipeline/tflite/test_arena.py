from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from pipeline.tflite import arena
from pipeline.tflite.arena import Lifetime
from pipeline.tflite.model import LiteModel
from pipeline.tflite.read import read_model

Builder = Callable[..., Any]


def test_a_chain_needs_its_largest_neighbours_at_once(pack: Builder, tensor: Builder) -> None:
    sizes = [16, 64, 32, 160, 16]
    chain = [("TANH", (i,), (i + 1,)) for i in range(4)]
    content = pack([tensor((size,)) for size in sizes], [], chain, outputs=(4,))
    # 32 and 160 are alive together; everything else fits beside them.
    assert arena.estimate(read_model(content)) == arena.Arena(192, 192, 16)


def test_a_diamond_keeps_its_input_until_both_branches_have_read_it(
    pack: Builder, tensor: Builder
) -> None:
    content = pack(
        [tensor((size,)) for size in (64, 48, 32, 80)],
        [],
        [("TANH", (0,), (1,)), ("TANH", (0,), (2,)), ("ADD", (1, 2), (3,))],
        outputs=(3,),
    )
    # During the third operation 48 + 32 + 80 are alive, more than 64 + 48 + 32 in the second.
    assert arena.estimate(read_model(content)).lower_bound == 160
    assert arena.estimate(read_model(content)).peak == 160


def test_an_output_that_is_ready_early_stays_until_the_end(pack: Builder, tensor: Builder) -> None:
    content = pack(
        [tensor((16,)), tensor((64,)), tensor((16,)), tensor((16,))],
        [],
        [("TANH", (0,), (1,)), ("TANH", (0,), (2,)), ("TANH", (2,), (3,))],
        outputs=(1, 3),
    )
    assert arena.estimate(read_model(content)).lower_bound == 64 + 16 + 16
    lives = arena.lifetimes(read_model(content).subgraphs[0], alignment=16)
    assert [life.last for life in lives if life.size == 64] == [2]


@pytest.mark.parametrize(("alignment", "expected"), [(1, 3 + 5), (16, 32), (64, 128)])
def test_each_tensor_is_rounded_up_to_the_alignment(
    alignment: int, expected: int, pack: Builder, tensor: Builder
) -> None:
    content = pack([tensor((3,)), tensor((5,))], [], [("TANH", (0,), (1,))], outputs=(1,))
    assert arena.estimate(read_model(content), alignment).peak == expected


def test_constants_take_no_place_and_variables_stay(pack: Builder, tensor: Builder) -> None:
    content = pack(
        [
            tensor((16,)),
            tensor((16,), buffer=1),
            tensor((16,), isVariable=True),
            tensor((16,)),
            tensor((160,)),
        ],
        [np.ones(16, np.int8)],
        [("ADD", (0, 1), (3,)), ("ADD", (3, 2), (4,)), ("TANH", (4,), (0,))],
        outputs=(4,),
    )
    lives = arena.lifetimes(read_model(content).subgraphs[0], alignment=16)
    alive = [(life.size, life.first, life.last) for life in lives]
    assert alive == [(16, 0, 2), (16, 0, 1), (16, 0, 2), (160, 1, 2)]


@pytest.mark.parametrize(("dtype", "accumulators"), [("INT8", 4), ("INT16", 8), ("FLOAT32", 0)])
def test_a_quantized_transposed_convolution_adds_up_beside_its_output(
    dtype: str, accumulators: int, pack: Builder, tensor: Builder
) -> None:
    content = pack(
        [
            tensor((1, 2, 2, 4), dtype),
            tensor((4,), "INT32", 1),
            tensor((4, 2, 2, 4), "INT8", 2),
            tensor((1, 4, 4, 4), dtype),
        ],
        [np.array([1, 4, 4, 4], np.int32), np.ones(64, np.int8)],
        [("TRANSPOSE_CONV", (1, 2, 0), (3,))],
        outputs=(3,),
    )
    item = {"INT8": 1, "INT16": 2, "FLOAT32": 4}[dtype]
    expected = 16 * item + 64 * item + 64 * accumulators
    assert arena.estimate(read_model(content)).peak == expected


# What tflite-micro 0.dev20261023 reports as the arena's head for the same generator.
@pytest.mark.parametrize(
    ("kind", "planned"), [("int8", 2000), ("int16x8", 4000), ("float32", 3072)]
)
def test_estimate_equals_the_plan_of_the_micro_runtime(
    kind: str, planned: int, variant: Callable[[str], bytes]
) -> None:
    assert arena.estimate(read_model(variant(kind))).peak == planned


def test_a_tensor_goes_into_the_smallest_gap_that_fits() -> None:
    # By size: 96 at 0, 80 at 96, 64 at 176, 32 at 240. When 96 and 64 are over, the last one may
    # lie at 0 (gap of 96) or at 176 (gap of 64).
    stays = [Lifetime(80, 0, 9), Lifetime(32, 0, 9)]
    ends = [Lifetime(96, 0, 4), Lifetime(64, 0, 4)]
    late = Lifetime(16, 5, 9)
    plan = arena.place([*stays, *ends, late])
    assert [plan[life] for life in [*stays, *ends]] == [96, 240, 0, 176]
    assert plan[late] == 176


def test_tensors_alive_at_the_same_time_never_overlap() -> None:
    rng = np.random.default_rng(1)
    lives = [
        Lifetime(int(size), int(start), int(start + length))
        for size, start, length in rng.integers(1, 40, (200, 3))
    ]
    plan = arena.place(lives)
    for one, other in combinations(lives, 2):
        if one.first <= other.last and other.first <= one.last:
            lower, upper = sorted((one, other), key=plan.__getitem__)
            assert plan[lower] + lower.size <= plan[upper]
    alive = [[life.size for life in lives if life.first <= t <= life.last] for t in range(80)]
    bound = max(map(sum, alive))
    assert arena.lower_bound(lives) == bound <= arena.peak(plan) < 1.5 * bound


def test_a_model_without_operations_needs_nothing() -> None:
    empty = LiteModel(content=b"", description="", subgraphs=(), signatures=(), metadata={})
    assert arena.estimate(empty) == arena.Arena(0, 0, 16)
