from dataclasses import replace

import numpy as np
import pytest

from pipeline.tflite.model import LiteModel, Op, Subgraph, Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.work import Loop, work
from tests.pipeline.tflite import others


def op(name: str = "CONV_2D", macs: int = 0, runs: tuple[int, ...] = (), custom: str = "") -> Op:
    return Op(
        name=name,
        layer=name.lower(),
        inputs=(),
        outputs=(),
        macs=macs,
        custom_name=custom,
        subgraphs=runs,
    )


def model(*graphs: list[Op]) -> LiteModel:
    subgraphs = tuple(
        Subgraph(name="", tensors=(), ops=tuple(ops), inputs=(), outputs=()) for ops in graphs
    )
    return LiteModel(content=b"", description="", subgraphs=subgraphs, signatures=(), metadata={})


def test_loop_has_macs_a_turn_and_leaves_the_total_unknown() -> None:
    looping = work(read_model(others.looping()))
    assert looping.once == others.TURN_MACS
    assert [loop.macs for loop in looping.loops] == [others.TURN_MACS]
    assert looping.total is None
    assert "how often a loop turns is not in the file" in looping.unknown


def test_loop_that_multiplies_nothing_leaves_the_total_known() -> None:
    assert work(model([op("WHILE", runs=(1, 2)), op(macs=5)], [op("LESS")], [op("ADD")])).total == 5


def test_of_a_branch_the_larger_and_what_is_called_twice_count() -> None:
    graphs = model(
        [op("IF", runs=(1, 2)), op("CALL", runs=(3,)), op("CALL", runs=(3,))],
        *([op(macs=macs)] for macs in (3, 8, 10)),
    )
    assert work(graphs).total == 8 + 20


def test_work_for_int8_instructions_is_that_of_the_branch_which_counts() -> None:
    weights = Tensor(index=0, name="w", shape=(1,), dtype="int8", buffer=b"1")
    float_branch, int8_branch = op(macs=8), replace(op(macs=3), inputs=(None, weights))
    either = work(model([op("IF", runs=(1, 2))], [float_branch], [int8_branch]))
    assert (either.once, either.once_int8) == (8, 0)
    twice = work(model([op("CALL", runs=(1,)), op("CALL", runs=(1,))], [int8_branch]))
    assert (twice.once, twice.once_int8) == (6, 6)


def test_loop_in_a_loop_is_a_loop_of_its_own() -> None:
    nested = model(
        [op("WHILE", runs=(1, 2))],
        [op("LESS")],
        [op(macs=3), op("STABLEHLO_WHILE", runs=(1, 3))],
        [op(macs=7)],
    )
    assert work(nested).loops == (Loop("while", 3), Loop("stablehlo_while", 7))


def test_graph_that_nothing_runs_does_not_count() -> None:
    assert work(model([op(macs=5)], [op(macs=7), op("CUSTOM", custom="Theirs")])).total == 5


@pytest.mark.parametrize("name", ["CALL", "IF", "WHILE"])
def test_graph_that_runs_itself_ends(name: str) -> None:
    assert work(model([op(macs=5), op(name, runs=(0, 0)[: 1 if name == "CALL" else 2])])).once == 5


def test_custom_and_recurrent_operations_are_named() -> None:
    custom = work(read_model(others.with_custom_operation()))
    assert (custom.total, custom.unknown) == (None, "1 custom operation: Erfinv")
    mixed = work(model([op("CUSTOM", custom="Theirs"), op("UNIDIRECTIONAL_SEQUENCE_LSTM")] * 2))
    expected = "4 uncounted operations: Theirs, UNIDIRECTIONAL_SEQUENCE_LSTM"
    assert mixed.unknown == expected


def test_free_size_leaves_the_total_unknown() -> None:
    free = Tensor(index=0, name="t", shape=(1, 1), dtype="int8", free_axes=(1,))
    graph = Subgraph(
        name="",
        tensors=(free,),
        ops=(Op(name="TANH", layer="t", inputs=(free,), outputs=(free,)),),
        inputs=(free,),
        outputs=(free,),
    )
    parts = {"content": b"", "description": "", "signatures": (), "metadata": {}}
    assert work(LiteModel(subgraphs=(graph,), **parts)).unknown == "sizes are free"


def test_free_axes_are_read_off_the_file() -> None:
    (photo,) = read_model(others.enlarger()).inputs
    assert np.array(photo.shape)[list(photo.free_axes)].tolist() == [1, 1, 1]
    assert photo.free_axes == (0, 1, 2)
