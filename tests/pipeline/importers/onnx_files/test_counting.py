from collections.abc import Callable

import pytest
from onnx import TensorProto, helper

from pipeline.importers.onnx_files.counting import multiply_accumulates
from tests.pipeline.importers.onnx_files.conftest import OnnxWriter

SIDE, CHANNELS = 6, 4


def counted(writer: OnnxWriter, output: str) -> int | None:
    return multiply_accumulates(writer.model(output).SerializeToString())


def times(writer: OnnxWriter) -> str:
    """A product of two values that are computed, rows by columns."""
    rows, columns = (
        writer.op("Reshape", "picture", writer.constant(shape))
        for shape in ([1, CHANNELS, SIDE**2], [1, SIDE**2, CHANNELS])
    )
    return writer.op("MatMul", rows, columns)


WORK: dict[str, tuple[Callable[[OnnxWriter], str], int]] = {
    "a convolution": (lambda w: w.conv("picture", CHANNELS, 8), 8 * SIDE**2 * CHANNELS * 9),
    "one that halves": (
        lambda w: w.conv("picture", CHANNELS, 8, strides=[2, 2]),
        8 * (SIDE // 2) ** 2 * CHANNELS * 9,
    ),
    "one of two groups": (
        lambda w: w.conv("picture", CHANNELS, 8, group=2),
        8 * SIDE**2 * (CHANNELS // 2) * 9,
    ),
    "a transposed one": (lambda w: w.up("picture", CHANNELS, 3), CHANNELS * SIDE**2 * 3 * 16),
    "a linear layer": (
        lambda w: w.linear(w.op("Flatten", "picture"), CHANNELS * SIDE**2, 5),
        CHANNELS * SIDE**2 * 5,
    ),
    "a product of maps": (times, CHANNELS * SIDE**2 * CHANNELS),
    "a kernel that is computed": (
        lambda w: w.op("Conv", "picture", w.op("Abs", w.weight(2, CHANNELS, 1, 1))),
        2 * SIDE**2 * CHANNELS,
    ),
    "what only adds": (lambda w: w.op("Relu", "picture"), 0),
}


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("batch", ["batch", 1])
def test_work_is_that_of_one_picture(name: str, batch: int | str, writer: OnnxWriter) -> None:
    write, expected = WORK[name]
    writer.input("picture", batch, CHANNELS, SIDE, SIDE)
    assert counted(writer, write(writer)) == expected


def test_pictures_that_are_drawn_together_share_the_work(writer: OnnxWriter) -> None:
    output = writer.conv(writer.input("picture", 4, CHANNELS, SIDE, SIDE), CHANNELS, 8)
    assert counted(writer, output) == 8 * SIDE**2 * CHANNELS * 9


def test_product_of_a_turned_factor_counts_what_is_summed(writer: OnnxWriter) -> None:
    turned = writer.op("Transpose", writer.input("row", 1, 7), perm=[1, 0])
    assert counted(writer, writer.op("Gemm", turned, writer.weight(7, 3), transA=1)) == 7 * 3


def test_graph_that_decides_or_holds_somebodys_own_is_not_counted(writer: OnnxWriter) -> None:
    picture = writer.input("picture", 1, CHANNELS, SIDE, SIDE)
    own = writer.op("Their", picture, domain="theirs")
    assert counted(writer, own) is None
    inner = helper.make_graph(
        [helper.make_node("Relu", [picture], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    chooser = OnnxWriter()
    chooser.input("picture", 1, CHANNELS, SIDE, SIDE)
    always = chooser.constant(True, bool)
    output = chooser.op("If", always, then_branch=inner, else_branch=inner)
    assert counted(chooser, output) is None
