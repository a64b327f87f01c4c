import pytest

from pipeline.tflite.layers import with_layers
from pipeline.tflite.model import Op, Subgraph, Tensor


def made(name: str) -> Tensor:
    return Tensor(0, name, (1,), "int8")


def stored(name: str) -> Tensor:
    return Tensor(0, name, (1,), "int8", buffer=b"\1")


def layers(*ops: Op) -> list[str]:
    return [op.layer for op in with_layers(Subgraph("", (), ops, (), ()))]


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("generator/dense/MatMul;generator/dense/BiasAdd", "dense"),
        (
            "generator/relu/Relu;generator/conv/BiasAdd;generator/conv/BiasAdd/ReadVariableOp",
            "conv",
        ),
        ("generator/block/conv/Conv2D", "block/conv"),
        ("generator/quant_conv/LastValueQuant/FakeQuantWithMinMaxVars", "conv"),
        ("generator/prune_low_magnitude_dense/MatMul", "dense"),
        ("StatefulPartitionedCall/generator/dense/MatMul", "dense"),
        ("dense/MatMul", "dense"),
        ("StatefulPartitionedCall:0", "relu_0"),
        ("", "relu_0"),
    ],
)
def test_layer_is_read_off_the_output_name(tensor: str, layer: str) -> None:
    assert layers(Op("RELU", "", (made("x"),), (made(tensor),))) == [layer]


def test_layer_of_a_nameless_output_is_read_off_the_kernel() -> None:
    kernel = stored("generator/picture/Conv2D")
    conv = Op("CONV_2D", "", (made("x"), kernel), (made("StatefulPartitionedCall:0"),))
    assert layers(conv) == ["picture"]


def test_layer_of_a_nameless_activation_is_the_one_before_it() -> None:
    between = made("generator/picture/Conv2D")
    conv = Op("CONV_2D", "", (made("x"),), (between,))
    tanh = Op("TANH", "", (between,), (made("StatefulPartitionedCall:0"),))
    assert layers(conv, tanh) == ["picture", "picture"]


def test_a_fused_activation_does_not_outvote_its_convolution() -> None:
    kernel = stored("generator/conv/Conv2D")
    output = made("generator/relu/Relu;generator/conv/Conv2D")
    assert layers(Op("CONV_2D", "", (made("x"), kernel), (output,))) == ["conv"]


def test_unpacking_belongs_to_the_layer_that_reads_the_weights() -> None:
    packed, half, full = stored("StatefulPartitionedCall:01"), made("a"), made("b")
    chain = (
        Op("DENSIFY", "", (packed,), (half,)),
        Op("DEQUANTIZE", "", (half,), (full,)),
        Op("CONV_2D", "", (made("x"), full), (made("generator/conv/Conv2D"),)),
    )
    assert layers(*chain) == ["conv", "conv", "conv"]


def test_unpacking_that_nobody_reads_is_called_after_itself() -> None:
    assert layers(Op("DEQUANTIZE", "", (stored("w"),), (made("x"),))) == ["dequantize"]
