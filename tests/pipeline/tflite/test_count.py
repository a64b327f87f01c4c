import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.tflite import convert, count
from pipeline.tflite.count import float_ops, refuse_float
from pipeline.tflite.read import read_model

Variant = Callable[[str], bytes]

KERNELS = {"dense": 1280, "conv2d_transpose": 480, "depthwise_conv2d": 54, "picture": 162}
BIASES = 80 + 6 + 6 + 3
EVERY_KIND = ["float32", "float16", "dynamic-range", "int8", "int16x8", "sparse", "sparse int8"]


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_kernels_have_the_size_and_the_planted_zeros_of_every_layer(
    kind: str, variant: Variant, planted: dict[str, int]
) -> None:
    kernels = count.kernels(read_model(variant(kind)))
    assert {kernel.layer: kernel.size for kernel in kernels} == KERNELS
    assert {kernel.layer: kernel.zeros for kernel in kernels} == planted


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_totals_do_not_depend_on_how_the_weights_are_stored(
    kind: str, variant: Variant, planted: dict[str, int]
) -> None:
    model = read_model(variant(kind))
    assert count.parameters(model) == sum(KERNELS.values()) + BIASES
    assert count.zero_share(count.kernels(model)) == sum(planted.values()) / sum(KERNELS.values())
    # Dense; 16 input pixels of the transposed convolution; 64 output pixels of the other two.
    assert count.total_macs(model) == 1280 + 16 * 480 + 64 * 54 + 64 * 162


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("float32", 0),
        ("float16", 0),
        ("dynamic-range", 1280),  # the one kernel that is large enough
        ("int8", 1280 + 16 * 480 + 64 * 54 + 64 * 162),
        ("int16x8", 0),  # int16 activations
    ],
)
def test_work_for_int8_instructions_goes_by_the_type_of_each_kernel(
    kind: str, share: int, variant: Variant
) -> None:
    assert count.int8_macs(read_model(variant(kind))) == share


def test_weights_that_are_widened_before_they_are_read_are_no_work_for_int8_instructions(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    floats = [tensor(shape, "FLOAT32") for shape in ([1, 8], [4, 8], [1, 4])]
    tensors = [*floats, tensor([4, 8], buffer=1)]
    widened = [("DEQUANTIZE", [3], [1]), ("FULLY_CONNECTED", [0, 1], [2])]
    content = pack(tensors, [np.ones((4, 8), np.int8)], widened, outputs=[2])
    assert (count.total_macs(read_model(content)), count.int8_macs(read_model(content))) == (32, 0)
    hybrid = pack(tensors, [np.ones((4, 8), np.int8)], [("FULLY_CONNECTED", [0, 3], [2])])
    assert count.int8_macs(read_model(hybrid)) == 32


@pytest.mark.parametrize(
    ("kind", "dtypes"),
    [
        ("float32", ["float32"] * 4),
        ("float16", ["float16"] * 4),
        # The converter leaves weights of fewer than 1,024 elements alone.
        ("dynamic-range", ["int8", "float32", "float32", "float32"]),
        ("int8", ["int8"] * 4),
        ("int16x8", ["int8"] * 4),
    ],
)
def test_kernels_have_the_type_that_is_stored(
    kind: str, dtypes: list[str], variant: Variant
) -> None:
    kernels = count.kernels(read_model(variant(kind)))
    assert [kernel.dtype for kernel in kernels] == dtypes


def test_kernels_take_the_bytes_of_their_type(variant: Variant) -> None:
    bytes_of = {
        kind: [kernel.bytes for kernel in count.kernels(read_model(variant(kind)))]
        for kind in ("float32", "float16", "int8")
    }
    sizes = list(KERNELS.values())
    assert bytes_of["int8"] == sizes
    assert bytes_of["float16"] == [2 * size for size in sizes]
    assert bytes_of["float32"] == [4 * size for size in sizes]


def test_a_sparse_kernel_takes_its_kept_values_and_their_indices(variant: Variant) -> None:
    dense = count.kernels(read_model(variant("sparse")))[0]
    values, rows = 4 * (1280 - 960), 80
    # An index of one byte a kept value, segments of two bytes a row and one more.
    assert dense.bytes == values + (1280 - 960) + 2 * (rows + 1)


def test_op_counts_of_the_whole_file(variant: Variant) -> None:
    assert count.op_counts(read_model(variant("int8"))) == {
        "FULLY_CONNECTED": 1,
        "LEAKY_RELU": 1,
        "RESHAPE": 1,
        "TRANSPOSE_CONV": 1,
        "DEPTHWISE_CONV_2D": 1,
        "CONV_2D": 1,
        "TANH": 1,
    }


@pytest.mark.parametrize("kind", ["int8", "int16x8"])
def test_an_integer_file_has_no_float_operation(kind: str, variant: Variant) -> None:
    assert float_ops(read_model(variant(kind))) == []


def test_float_borders_of_an_integer_network_are_float_operations(variant: Variant) -> None:
    operations = float_ops(read_model(variant("int8 inside float borders")))
    assert [(op.op, op.reason) for op in operations] == [
        ("QUANTIZE", "its input is float32"),
        ("DEQUANTIZE", "its output is float32"),
    ]


def test_every_operation_of_a_float_file_is_a_float_operation(variant: Variant) -> None:
    model = read_model(variant("float32"))
    assert [op.op for op in float_ops(model)] == [op.name for op in model.ops]
    assert float_ops(model)[0] == ("FULLY_CONNECTED", "dense", "its input is float32")


def test_float_weights_among_integers_are_named(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    weights = np.ones((3, 2), np.float16)
    content = pack(
        [tensor((1, 2)), tensor((3, 2), "FLOAT16", 1), tensor((1, 3), name="m/layer/MatMul")],
        [weights],
        [("FULLY_CONNECTED", (0, 1, -1), (2,))],
    )
    assert float_ops(read_model(content)) == [
        ("FULLY_CONNECTED", "layer", "its weights are float16")
    ]


def test_weights_that_two_operations_share_count_once(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    weights = np.array([[1, 0], [2, 3]], np.int8)
    content = pack(
        [
            tensor((1, 2)),
            tensor((2, 2), buffer=1),
            tensor((2, 2), buffer=1),  # A tensor of its own over the same buffer.
            tensor((1, 2), name="m/a/MatMul"),
            tensor((1, 2), name="m/b/MatMul"),
        ],
        [weights],
        [("FULLY_CONNECTED", (0, 1, -1), (3,)), ("FULLY_CONNECTED", (3, 2, -1), (4,))],
    )
    model = read_model(content)
    assert [(kernel.layer, kernel.size) for kernel in count.kernels(model)] == [("a", 4)]
    assert count.parameters(model) == 4
    assert count.total_macs(model) == 8


def test_parameters_leave_out_shapes_and_single_numbers(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    content = pack(
        [
            tensor((4,), "FLOAT32"),
            tensor((2,), "INT32", 1),
            tensor((2, 2), "FLOAT32"),
            tensor((), "FLOAT32", 2),
            tensor((2, 2), "FLOAT32"),
            tensor((2,), "FLOAT32", 3),
            tensor((2, 2), "FLOAT32"),
        ],
        [np.array([2, 2], np.int32), np.array(0.5, np.float32), np.ones(2, np.float32)],
        [("RESHAPE", (0, 1), (2,)), ("MUL", (2, 3), (4,)), ("ADD", (4, 5), (6,))],
    )
    assert count.parameters(read_model(content)) == 2


def test_an_embedding_is_a_kernel_and_a_gather_of_shapes_is_not(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    content = pack(
        [
            tensor((1,), "INT32"),
            tensor((3, 2), "FLOAT32", 1),
            tensor((1, 2), "FLOAT32"),
            tensor((4,), "INT32", 2),
            tensor((1,), "INT32"),
        ],
        [np.array([[0, 1], [0, 1], [1, 1]], np.float32), np.arange(4, dtype=np.int32)],
        [("GATHER", (1, 0), (2,)), ("GATHER", (3, 0), (4,))],
    )
    kernels = count.kernels(read_model(content))
    assert [(kernel.op, kernel.size, kernel.zeros) for kernel in kernels] == [("GATHER", 6, 2)]


def test_zeros_of_a_file_without_weights_do_not_exist(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    model = read_model(pack([tensor((1,)), tensor((1,))], [], [("TANH", (0,), (1,))]))
    assert count.zero_share(count.kernels(model)) is None


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_bytes_by_layer_add_up_to_the_file(kind: str, variant: Variant) -> None:
    model = read_model(variant(kind))
    by_layer = count.bytes_by_layer(model)
    assert sum(by_layer.values()) == model.size
    assert [*by_layer] == ["dense", "reshape", *[*KERNELS][1:], count.STRUCTURE]


def test_bytes_by_layer_are_kernel_bias_and_shape(variant: Variant) -> None:
    by_layer = count.bytes_by_layer(read_model(variant("int8")))
    assert by_layer["dense"] == 1280 + 4 * 80
    assert by_layer["conv2d_transpose"] == 480 + 4 * 6 + 4 * 4


# Every count below is worked out by hand from the layer's definition.


@pytest.mark.parametrize(
    ("op", "inputs", "output", "expected"),
    [
        ("FULLY_CONNECTED", [(3, 8), (5, 8)], (3, 5), 3 * 5 * 8),
        ("CONV_2D", [(1, 9, 9, 4), (6, 3, 3, 4)], (1, 7, 7, 6), 7 * 7 * 6 * 3 * 3 * 4),
        # Two groups: each output channel sees half of the eight input channels.
        ("CONV_2D", [(1, 5, 5, 8), (6, 3, 3, 4)], (1, 5, 5, 6), 5 * 5 * 6 * 3 * 3 * 4),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 4), (1, 3, 3, 8)], (1, 4, 4, 8), 4 * 4 * 8 * 3 * 3),
        (
            "TRANSPOSE_CONV",
            [(4,), (6, 4, 4, 5), (2, 7, 7, 5)],
            (2, 14, 14, 6),
            2 * 7 * 7 * 5 * 4 * 4 * 6,
        ),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 7)], (1, 2, 2, 2, 7), 8 * 7 * 27 * 2),
        (
            "CONV_3D_TRANSPOSE",
            [(5,), (2, 2, 2, 7, 3), (1, 4, 4, 4, 3)],
            (1, 8, 8, 8, 7),
            64 * 3 * 8 * 7,
        ),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), 2 * 3 * 5 * 4),
        # The left side stored transposed.
        ("BATCH_MATMUL", [(2, 4, 3), (2, 4, 5)], (2, 3, 5), 2 * 3 * 5 * 4),
        ("BATCH_MATMUL", [(0, 4), (4, 5)], (0, 5), 0),
        ("TANH", [(1, 8)], (1, 8), 0),
    ],
)
def test_macs_of_one_operation(
    op: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], expected: int
) -> None:
    assert count.macs(op, inputs, [output]) == expected


@pytest.mark.parametrize("op", ["FULLY_CONNECTED", "CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL"])
def test_macs_refuses_tensors_with_too_few_dimensions(op: str) -> None:
    with pytest.raises(IndexError):
        count.macs(op, [(4,), (4,), (4,)], [(4,)])


@pytest.mark.parametrize(
    ("layer", "settings", "shape", "weights", "biases", "expected"),
    [
        ("Dense", {"units": 7}, (5,), 5 * 7, 7, 5 * 7),
        ("Conv2D", {"filters": 6, "kernel_size": 3, "strides": 2}, (9, 9, 4), 216, 6, 16 * 216),
        (
            "Conv2D",
            {"filters": 6, "kernel_size": 3, "padding": "same"},
            (9, 9, 4),
            216,
            6,
            81 * 216,
        ),
        (
            "DepthwiseConv2D",
            {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2},
            (8, 8, 4),
            72,
            8,
            16 * 72,
        ),
        (
            "Conv2DTranspose",
            {"filters": 6, "kernel_size": 4, "strides": 2, "padding": "same"},
            (7, 7, 5),
            480,
            6,
            49 * 480,
        ),
        ("Conv2DTranspose", {"filters": 6, "kernel_size": 3}, (7, 7, 5), 270, 6, 49 * 270),
        ("Conv3D", {"filters": 2, "kernel_size": 2}, (4, 4, 4, 3), 48, 2, 27 * 48),
    ],
)
def test_converted_layers_have_the_weights_and_macs_of_their_definition(
    layer: str,
    settings: dict[str, Any],
    shape: tuple[int, ...],
    weights: int,
    biases: int,
    expected: int,
) -> None:
    import tf_keras

    source = tf_keras.Input((math.prod(shape),), batch_size=1)
    tested_layer = getattr(tf_keras.layers, layer)(name="x", **settings)
    model = tf_keras.Model(source, tested_layer(tf_keras.layers.Reshape(shape)(source)))
    tested_layer.bias.assign([0.5 + i for i in range(biases)])
    read = read_model(convert.to_float32(model))
    assert count.total_macs(read) == expected
    assert [(kernel.layer, kernel.size) for kernel in count.kernels(read)] == [("x", weights)]
    assert count.parameters(read) == weights + biases


def refusal(content: bytes) -> PocketganError:
    with pytest.raises(PocketganError) as refused:
        refuse_float(read_model(content), "int8-qat")
    return refused.value


@pytest.mark.parametrize("kind", ["int8", "int16x8"])
def test_an_integer_file_passes(kind: str, variant: Variant) -> None:
    refuse_float(read_model(variant(kind)), "int8")


def test_refusal_names_the_variant_each_operation_and_its_layer(variant: Variant) -> None:
    problem = refusal(variant("float32")).problem
    assert problem.startswith("variant int8-qat is not int8")
    for named in ("FULLY_CONNECTED in dense", "CONV_2D in picture", "its weights are float32"):
        assert named in problem


def test_float_borders_are_refused_with_their_remedy(variant: Variant) -> None:
    refused = refusal(variant("int8 inside float borders"))
    assert "QUANTIZE in" in refused.problem
    assert refused.remedy == "The input is float; convert with int8 input and output."


@pytest.mark.parametrize(
    ("ops", "remedy"),
    [
        (["MUL", "ADD"], "A batch norm is left over"),
        (["SUB", "RSQRT"], "Instance and layer norms"),
        (["ELU"], "Replace the layer"),
        ([], "The input is float"),
    ],
    ids=str,
)
def test_remedy_is_for_the_cause_and_not_for_what_stands_around_it(
    ops: list[str], remedy: str, pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    chain = ["QUANTIZE", "DEQUANTIZE", *ops, "QUANTIZE"]
    dtypes = ["FLOAT32", "INT8", *["FLOAT32"] * (len(ops) + 1), "INT8"]
    tensors = [tensor([1, 4], dtype, name="net/culprit/Op") for dtype in dtypes]
    steps = [(name, [i], [i + 1]) for i, name in enumerate(chain)]
    refused = refusal(pack(tensors, [], steps, outputs=[len(chain)]))
    assert all(f"{op} in culprit" in refused.problem for op in chain)
    assert refused.remedy.startswith(remedy)


def test_a_long_list_is_cut_short(pack: Callable[..., bytes], tensor: Callable[..., Any]) -> None:
    tensors = [tensor([1, 4], "FLOAT32", name=f"net/layer_{i}/Op") for i in range(13)]
    content = pack(tensors, [], [("ELU", [i], [i + 1]) for i in range(12)], outputs=[12])
    problem = refusal(content).problem
    assert problem.count("ELU in layer_") == 8
    assert problem.endswith(" and 4 more.")
