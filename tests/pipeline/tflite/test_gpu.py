from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from deploy.errors import PocketganError
from pipeline.tflite.gpu import CORNERS, FIVE_AXES, QUANTIZED, RULES, TRANSPOSED, gpu_check
from pipeline.tflite.read import read_model
from tests.pipeline.tflite import others

Variant = Callable[[str], bytes]


def left(content: bytes) -> list[tuple[str, str]]:
    return [(each.operation, each.reason) for each in gpu_check(read_model(content)).left]


@pytest.mark.parametrize("kind", ["float32", "float16", "int8", "dynamic-range"])
def test_generator_of_common_layers_stays_on_the_gpu(kind: str, variant: Variant) -> None:
    assert gpu_check(read_model(variant(kind))).is_clean


@pytest.mark.parametrize(
    ("function", "shape", "refused"),
    [
        (lambda x: tf.nn.conv3d(x, tf.ones([3, 3, 3, 3, 3]), [1] * 5, "SAME"), (1, 4, 4, 4, 3),
         ("CONV_3D", "the delegate has no such operation")),
        (lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC"), (1, 4, 4, 3),
         ("MIRROR_PAD", "it mirrors the edge too (SYMMETRIC)")),
        (lambda x: x[:, 0], (1, 4, 4, 3), ("STRIDED_SLICE", "it drops an axis")),
        (lambda x: tf.nn.depthwise_conv2d(x, tf.ones([3, 3, 3, 2]), [1] * 4, "SAME"), (1, 4, 4, 3),
         ("DEPTHWISE_CONV_2D", "it draws several channels out of each of several")),
        (lambda x: tf.transpose(x[..., None], [0, 2, 1, 3, 4]), (1, 4, 5, 3),
         ("TRANSPOSE", "it has more than 4 axes")),
        (lambda x: tf.cast(tf.cast(x, tf.int64), tf.float32), (1, 4, 4, 3),
         ("CAST", "it turns float32 into int64")),
    ],
)  # fmt: skip
def test_operation_that_the_delegate_refuses_is_named_with_the_reason(
    function: Callable[[Any], Any], shape: tuple[int, ...], refused: tuple[str, str]
) -> None:
    content = others.file_of(lambda x: {"y": function(x)}, others.picture(*shape, name="x"))
    assert refused in left(content)


def test_mirrored_padding_without_the_edge_is_taken() -> None:
    padding = [[0, 0], [1, 1], [1, 1], [0, 0]]
    content = others.file_of(
        lambda x: {"y": tf.pad(x, padding, "REFLECT")}, others.picture(1, 4, 4, 3, name="x")
    )
    assert not left(content)


def test_custom_operation_is_left_by_its_own_name() -> None:
    assert ("Erfinv", "the delegate has no such operation") in [
        (name.removeprefix("Flex"), reason) for name, reason in left(others.with_custom_operation())
    ]


def test_free_sizes_leave_the_gpu() -> None:
    content = others.enlarger()
    reasons = {reason for _, reason in left(content)}
    assert "its sizes are not fixed in the file" in reasons
    assert "the delegate has no such operation" in reasons  # SHAPE


def test_each_remark_names_its_source(variant: Variant) -> None:
    check = gpu_check(read_model(variant("int8")))
    sources = {each.operation: each.source for each in check.otherwise}
    assert sources == {"": QUANTIZED, "TRANSPOSE_CONV": TRANSPOSED}
    assert "int8 makes nothing faster" in check.otherwise[0].reason
    deep = others.file_of(
        lambda x: {"y": tf.transpose(x[..., None], [0, 2, 1, 3, 4])},
        others.picture(1, 4, 5, 3, name="x"),
    )
    assert {each.source for each in gpu_check(read_model(deep)).left} <= {RULES, FIVE_AXES}


def test_aligned_corners_are_said_to_be_drawn_otherwise() -> None:
    def resized(corners: bool) -> bytes:
        return others.file_of(
            lambda x: {"y": tf.compat.v1.image.resize_bilinear(x, [8, 8], align_corners=corners)},
            others.picture(1, 4, 4, 3, name="x"),
        )

    sources = [
        {each.source for each in gpu_check(read_model(resized(corners))).otherwise}
        for corners in (True, False)
    ]
    assert CORNERS in sources[0]
    assert CORNERS not in sources[1]


def test_damaged_file_is_said_to_be_damaged(variant: Variant) -> None:
    content = variant("float32")
    with pytest.raises(PocketganError, match="damaged"):
        gpu_check(read_model(content[: len(content) // 2]))
