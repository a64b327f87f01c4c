import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from deploy.errors import PocketganError
from pipeline.commands.inspect import render
from pipeline.tflite import inspect, read, rewrite
from pipeline.tflite.layers import with_layers
from pipeline.tflite.model import Op, Subgraph, Tensor
from pipeline.tflite.read import read_model

Builder = Callable[..., Any]
Variant = Callable[[str], bytes]


def test_operations_come_in_order_with_layers_and_fused_activations(variant: Variant) -> None:
    ops = read_model(variant("int8")).ops
    assert [(op.name, op.layer, op.fused_activation) for op in ops] == [
        ("FULLY_CONNECTED", "dense", "none"),
        ("LEAKY_RELU", "leaky", "none"),
        ("RESHAPE", "reshape", "none"),
        ("TRANSPOSE_CONV", "conv2d_transpose", "relu"),
        ("DEPTHWISE_CONV_2D", "depthwise_conv2d", "relu"),
        ("CONV_2D", "picture", "none"),
        ("TANH", "picture", "none"),
    ]


def test_inputs_outputs_and_signature_name_the_same_tensors(variant: Variant) -> None:
    model = read_model(variant("int8"))
    (latent,), (image,), (signature,) = model.inputs, model.outputs, model.signatures
    assert (latent.shape, latent.dtype) == ((1, 16), "int8")
    assert (image.shape, image.dtype) == ((1, 8, 8, 3), "int8")
    assert image.scales == (1 / 128,)
    assert image.zero_points == (0,)
    assert signature.key == "serving_default"
    assert signature.inputs == {"latent": latent}
    assert signature.outputs == {"image": image}


def test_weights_read_are_the_weights_of_the_network(variant: Variant, generator: Any) -> None:
    kernel = generator.get_layer("dense").get_weights()[0]
    stored = read_model(variant("float32")).ops[0].inputs[1]
    assert stored is not None
    assert np.array_equal(stored.data(), kernel.T)


def test_a_sparse_kernel_unpacks_to_the_weights_of_the_network(
    variant: Variant, generator: Any
) -> None:
    model = read_model(variant("sparse"))
    expected = {
        "dense": generator.get_layer("dense").get_weights()[0].T,
        "conv2d_transpose": generator.get_layer("conv2d_transpose")
        .get_weights()[0]
        .transpose(2, 0, 1, 3),
        "picture": generator.get_layer("picture").get_weights()[0].transpose(3, 0, 1, 2),
    }
    unpackers = {op.layer: op for op in model.ops if op.name == "DENSIFY"}
    for layer, kernel in expected.items():
        stored = unpackers[layer].inputs[0]
        assert stored is not None
        assert stored.sparsity is not None
        assert np.array_equal(stored.data(), kernel)


def test_per_channel_quantization_is_read_with_its_dimension(variant: Variant) -> None:
    depthwise = read_model(variant("int8")).ops[4].inputs[1]
    assert depthwise is not None
    assert depthwise.shape == (1, 3, 3, 6)
    assert depthwise.quantized_dimension == 3
    assert len(depthwise.scales) == len(depthwise.zero_points) == 6


def test_all_subgraphs_are_read(pack: Builder, tensor: Builder) -> None:
    content = pack([tensor((2,)), tensor((2,))], [], [("TANH", (0,), (1,))])
    model = schema.ModelT.InitFromPackedBuf(content)
    model.subgraphs *= 2
    model.subgraphs[1].name = "second"
    read = read_model(_packed(model))
    assert [op.name for op in read.ops] == ["TANH", "TANH"]
    assert len(read.tensors) == 4
    assert len({*read.tensors}) == 4


def test_custom_and_unknown_operations_are_named(pack: Builder, tensor: Builder) -> None:
    content = pack([tensor((2,)), tensor((2,))], [], [("CUSTOM", (0,), (1,))])
    model = schema.ModelT.InitFromPackedBuf(content)
    model.operatorCodes[0].customCode = "FlexErf"
    assert [(op.name, op.label) for op in read_model(_packed(model)).ops] == [("CUSTOM", "FlexErf")]
    model.operatorCodes[0].builtinCode = 9999
    model.operatorCodes[0].customCode = None
    assert read_model(_packed(model)).ops[0].label == "OP_9999"


def test_names_cannot_steer_a_terminal(pack: Builder, tensor: Builder) -> None:
    content = pack([tensor((2,), name="a\x1b[31m\nb")], [], [])
    assert read_model(content).tensors[0].name == "a\ufffd[31m\ufffdb"


def test_optional_inputs_that_are_left_out_are_none(pack: Builder, tensor: Builder) -> None:
    content = pack(
        [tensor((1, 2)), tensor((3, 2), buffer=1), tensor((1, 3))],
        [np.ones((3, 2), np.int8)],
        [("FULLY_CONNECTED", (0, 1, -1), (2,))],
    )
    assert read_model(content).ops[0].inputs[2] is None


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.tflite"):
        with pytest.raises(PocketganError, match=f"{path} is not a file"):
            read_model(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"TFL3", "is not a TensorFlow Lite file"),
        (b"PK\x03\x04 a zip archive", "is not a TensorFlow Lite file"),
        (b"\xff\xff\xff\xffTFL3", "is damaged"),
        (b"\0\0\0\0TFL3", "is damaged"),
    ],
)
def test_what_is_no_model_is_an_error_that_names_the_file(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(PocketganError, match=f"{path} {problem}"):
        read_model(path)


def test_a_constant_shorter_than_its_shape_is_damage(pack: Builder, tensor: Builder) -> None:
    content = pack([tensor((4,), "FLOAT32", 1, "short")], [np.ones(3, np.float32)], [])
    with pytest.raises(PocketganError, match="short needs 16 bytes and has 12"):
        read_model(content)


@pytest.mark.parametrize("shape", [(-1, 3), (2**31 - 1,) * 4, (1,) * 33])
def test_an_impossible_shape_is_damage(
    shape: tuple[int, ...], pack: Builder, tensor: Builder
) -> None:
    with pytest.raises(PocketganError, match="impossible shape"):
        read_model(pack([tensor(shape)], [], []))


@pytest.mark.parametrize("index", [-2, 2, 2**31 - 1])
def test_an_operation_on_a_tensor_that_is_not_there_is_damage(
    index: int, pack: Builder, tensor: Builder
) -> None:
    content = pack([tensor((2,)), tensor((2,))], [], [("TANH", (index,), (1,))])
    with pytest.raises(PocketganError, match=f"tensor {index} of 2 is asked for"):
        read_model(content)


def test_weights_in_another_file_are_an_error(pack: Builder, tensor: Builder) -> None:
    with pytest.raises(PocketganError, match="tensor far keeps its values in another file"):
        read_model(pack([tensor((2,), name="far", externalBuffer=3)], [], []))


def test_nine_thousand_operations_are_a_file_as_any(pack: Builder, tensor: Builder) -> None:
    chain = [("TANH", (n,), (n + 1,)) for n in range(9000)]
    model = read_model(pack([tensor((2,))] * 9001, [], chain))
    assert len(model.ops) == 9000


def test_more_tensors_than_any_network_has_are_an_error(
    pack: Builder, tensor: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "_MOST_TABLES", 100)
    with pytest.raises(PocketganError, match="more than 100 tensors"):
        read_model(pack([tensor((2,))] * 100, [], []))


def test_an_operation_that_runs_a_graph_that_is_not_there_is_damage(
    pack: Builder, tensor: Builder
) -> None:
    table = schema.ModelT.InitFromPackedBuf(pack([tensor((2,))] * 2, [], [("WHILE", (0,), (1,))]))
    (op,) = table.subgraphs[0].operators
    op.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    op.builtinOptions = schema.WhileOptionsT(condSubgraphIndex=0, bodySubgraphIndex=7)
    with pytest.raises(PocketganError, match="WHILE runs a sub-graph that is not there"):
        read_model(rewrite.pack(table))


def test_a_sparse_tensor_that_would_fill_memory_is_an_error(pack: Builder, tensor: Builder) -> None:
    huge = tensor((2**15, 2**15), buffer=1, sparsity=schema.SparsityParametersT())
    with pytest.raises(PocketganError, match="sparse tensors take more than"):
        read_model(pack([huge], [np.ones(4, np.int8)], []))


def test_a_sparse_tensor_that_ends_within_a_value_is_damage(pack: Builder, tensor: Builder) -> None:
    cut = tensor((4, 4), "FLOAT32", 1, "cut", sparsity=schema.SparsityParametersT())
    with pytest.raises(PocketganError, match="cut ends within a value"):
        read_model(pack([cut], [np.ones(6, np.int8)], []))


def test_one_large_table_listed_many_times_is_damage() -> None:
    """A file of 140 kB that unfolds to 10,000 tensors, each with the same name of 100 kB."""
    builder = flatbuffers.Builder(0)
    name = builder.CreateString("n" * 100_000)
    schema.TensorStart(builder)
    schema.TensorAddName(builder, name)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, 10_000)
    for _ in range(10_000):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    subgraph = schema.SubGraphEnd(builder)
    empty = schema.BufferT().Pack(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(empty)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, subgraphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    with pytest.raises(PocketganError, match="it claims more than it holds"):
        read_model(bytes(builder.Output()))


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The file with one to eight accidents of one kind."""
    data = np.frombuffer(content, np.uint8).copy()
    kind = rng.integers(4)
    if kind == 0:
        return content[: rng.integers(len(content))]
    for _ in range(rng.integers(1, 9)):
        at = rng.integers(8, len(data) - 8)
        if kind == 1:
            data[at] ^= 1 << rng.integers(8)
        elif kind == 2:
            data[at : at + rng.integers(1, 200)] = 0
        else:  # An offset, a length or a dimension of any size.
            data[at : at + 4] = rng.integers(0, 256, 4) >> rng.integers(0, 8)
    return data.tobytes()


def test_a_damaged_file_is_read_or_refused_and_never_anything_else(
    variant: Variant, tmp_path: Path
) -> None:
    sources = [variant(kind) for kind in ("float32", "int8", "sparse", "float16")]
    rng = np.random.default_rng(4)
    path = tmp_path / "mutated.tflite"
    outcomes: Counter[str] = Counter()
    for i in range(1000):
        path.write_bytes(mutated(sources[i % len(sources)], rng))
        try:
            summary = inspect.describe(path)
        except PocketganError:
            outcomes["refused"] += 1
        else:
            json.dumps(summary, allow_nan=False)
            render(summary)
            outcomes["read"] += 1
    # Both really happen: many accidents hit weights, which any value suits.
    assert min(outcomes["refused"], outcomes["read"]) > 200


def _packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def computed(name: str) -> Tensor:
    return Tensor(index=0, name=name, shape=(1,), dtype="int8")


def stored(name: str) -> Tensor:
    return Tensor(index=0, name=name, shape=(1,), dtype="int8", buffer=b"\1")


def layers(*ops: Op) -> list[str]:
    return [
        op.layer
        for op in with_layers(Subgraph(name="", tensors=(), ops=ops, inputs=(), outputs=()))
    ]


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
    assert layers(
        Op(name="RELU", layer="", inputs=(computed("x"),), outputs=(computed(tensor),))
    ) == [layer]


def test_layer_of_a_nameless_output_is_read_off_the_kernel() -> None:
    kernel = stored("generator/picture/Conv2D")
    conv = Op(
        name="CONV_2D",
        layer="",
        inputs=(computed("x"), kernel),
        outputs=(computed("StatefulPartitionedCall:0"),),
    )
    assert layers(conv) == ["picture"]


def test_layer_of_a_nameless_activation_is_the_one_before_it() -> None:
    between = computed("generator/picture/Conv2D")
    conv = Op(name="CONV_2D", layer="", inputs=(computed("x"),), outputs=(between,))
    tanh = Op(
        name="TANH", layer="", inputs=(between,), outputs=(computed("StatefulPartitionedCall:0"),)
    )
    assert layers(conv, tanh) == ["picture", "picture"]


def test_a_fused_activation_does_not_outvote_its_convolution() -> None:
    kernel = stored("generator/conv/Conv2D")
    output = computed("generator/relu/Relu;generator/conv/Conv2D")
    assert layers(
        Op(name="CONV_2D", layer="", inputs=(computed("x"), kernel), outputs=(output,))
    ) == ["conv"]


def test_unpacking_belongs_to_the_layer_that_reads_the_weights() -> None:
    packed, half, full = stored("StatefulPartitionedCall:01"), computed("a"), computed("b")
    chain = (
        Op(name="DENSIFY", layer="", inputs=(packed,), outputs=(half,)),
        Op(name="DEQUANTIZE", layer="", inputs=(half,), outputs=(full,)),
        Op(
            name="CONV_2D",
            layer="",
            inputs=(computed("x"), full),
            outputs=(computed("generator/conv/Conv2D"),),
        ),
    )
    assert layers(*chain) == ["conv", "conv", "conv"]


def test_unpacking_that_nobody_reads_is_called_after_itself() -> None:
    assert layers(
        Op(name="DEQUANTIZE", layer="", inputs=(stored("w"),), outputs=(computed("x"),))
    ) == ["dequantize"]
