import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.importers.teacher import Teacher, load_teacher

Refused = Callable[..., str]
SPEC = tf.TensorSpec([None, 8, 8, 3], tf.float32, name="picture")
RANGES: dict[str, Any] = {"input_pixels": (0.0, 1.0), "pixels": (0.0, 1.0)}
RNG = np.random.default_rng(4)
KERNEL = RNG.normal(size=[3, 3, 3, 3]).astype("f")
BIAS, SLOPES = np.array([0.1, -0.2, 0.3], "f"), np.array([0.2, 0.3, -0.4], "f")
PICTURES = RNG.uniform(size=(3, 8, 8, 3)).astype("f")


def convolve(pictures: Any) -> Any:
    convolved = tf.nn.conv2d(pictures, tf.constant(KERNEL, name="kernel"), 1, "SAME")
    return tf.nn.relu(tf.nn.bias_add(convolved, tf.constant(BIAS, name="bias")))


def assert_draws_as(teacher: Teacher, function: Callable[[Any], Any]) -> None:
    assert teacher.is_opaque
    drawn = teacher.model(PICTURES)
    np.testing.assert_allclose(drawn, function(PICTURES), rtol=0, atol=1e-5)


@pytest.mark.parametrize("signature", [True, False])
def test_graph_model_draws_as_its_function(
    graph_model: Callable[..., Path], signature: bool
) -> None:
    path = graph_model(convolve, SPEC, signature=signature)
    teacher = load_teacher(path, **RANGES)
    assert "graph model" in teacher.origin
    assert_draws_as(teacher, convolve)


def test_free_sizes_are_fixed_for_a_graph(graph_model: Callable[..., Path]) -> None:
    path = graph_model(convolve, tf.TensorSpec([None, None, None, 3], tf.float32, name="picture"))
    teacher = load_teacher(path, input_size=(8, 8), **RANGES)
    assert teacher.model.output_shape == (None, 8, 8, 3)
    assert_draws_as(teacher, convolve)


def fuse(op: str, fused_ops: Sequence[str], inputs: Sequence[str]) -> Callable[[Any], None]:
    """Replace all but constants and inputs by one fused operation, as older converters wrote it."""

    def change(graph: Any) -> None:
        held = [node for node in graph.node if node.op in ("Placeholder", "Const")]
        linear = next(node for node in graph.node if node.op in op)
        fused = tf.compat.v1.NodeDef(name="Identity", op=op, input=inputs)
        for name, value in linear.attr.items():
            fused.attr[name].CopyFrom(value)
        fused.attr["fused_ops"].list.s.extend(name.encode() for name in fused_ops)
        fused.attr["num_args"].i = len(inputs) - 2
        fused.attr["epsilon"].f = 0.001
        fused.attr["leakyrelu_alpha"].f = 0.1
        del graph.node[:]
        graph.node.extend([*held, fused])

    return change


def convolve_with_slopes(pictures: Any) -> Any:
    x = tf.nn.bias_add(
        tf.nn.conv2d(pictures, tf.constant(KERNEL, name="kernel"), 1, "SAME"),
        tf.constant(BIAS, name="bias"),
    )
    return tf.nn.relu(x) - tf.constant(SLOPES, name="slopes") * tf.nn.relu(-x)


def convolve_depthwise(pictures: Any) -> Any:
    kernel = tf.constant(KERNEL[..., :1], name="kernel")
    x = tf.nn.depthwise_conv2d(pictures, kernel, [1, 1, 1, 1], "SAME")
    return tf.nn.leaky_relu(tf.nn.bias_add(x, tf.constant(BIAS, name="bias")), 0.1)


@pytest.mark.parametrize(
    ("function", "op", "fused_ops", "inputs"),
    [
        (convolve, "_FusedConv2D", ["BiasAdd", "Relu"], ["picture", "kernel", "bias"]),
        (
            convolve_with_slopes,
            "_FusedConv2D",
            ["BiasAdd", "Prelu"],
            ["picture", "kernel", "bias", "slopes"],
        ),
        (
            convolve_depthwise,
            "FusedDepthwiseConv2dNative",
            ["BiasAdd", "LeakyRelu"],
            ["picture", "kernel", "bias"],
        ),
    ],
)
def test_fused_operations_are_taken_apart(
    function: Callable[[Any], Any],
    op: str,
    fused_ops: list[str],
    inputs: list[str],
    graph_model: Callable[..., Path],
) -> None:
    path = graph_model(function, SPEC, change=fuse(op, fused_ops, inputs))
    assert_draws_as(load_teacher(path, **RANGES), function)


def test_slope_that_a_fused_operation_does_not_say_is_the_usual_one(
    graph_model: Callable[..., Path],
) -> None:
    def leaky(pictures: Any) -> Any:
        x = tf.nn.conv2d(pictures, tf.constant(KERNEL, name="kernel"), 1, "SAME")
        return tf.nn.leaky_relu(tf.nn.bias_add(x, tf.constant(BIAS, name="bias")), 0.2)

    def change(graph: Any) -> None:
        fuse("_FusedConv2D", ["BiasAdd", "LeakyRelu"], ["picture", "kernel", "bias"])(graph)
        del graph.node[-1].attr["leakyrelu_alpha"]

    assert_draws_as(load_teacher(graph_model(leaky, SPEC, change=change), **RANGES), leaky)


def test_operation_that_touches_files_is_refused(
    graph_model: Callable[..., Path], refused: Refused
) -> None:
    message = refused(load_teacher, graph_model(convolve, SPEC, change=add_reader), **RANGES)
    assert "ReadFile" in message
    assert "--allow-unsafe" in message


def add_reader(graph: Any) -> None:
    graph.node.add(name="reader", op="ReadFile", input=["picture"])


def spoil_op(topology: Any) -> None:
    topology["node"][-1]["op"] = "NoSuchOperation"


def spoil_input(topology: Any) -> None:
    topology["node"][-1]["input"] = ["nowhere"]


def spoil_attribute(topology: Any) -> None:
    topology["node"][-1]["attr"] = 3


@pytest.mark.parametrize("spoil", [spoil_op, spoil_input, spoil_attribute])
def test_damaged_graph_is_one_message(
    spoil: Callable[[Any], None], graph_model: Callable[..., Path], refused: Refused
) -> None:
    path = graph_model(convolve, SPEC)
    document = json.loads(path.read_text())
    spoil(document["modelTopology"])
    path.write_text(json.dumps(document))
    assert str(path) in refused(load_teacher, path, **RANGES)
