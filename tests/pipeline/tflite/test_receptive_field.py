"""How far small networks look, held against what they draw when what lies beside a tile changes."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import tf_keras
from ai_edge_litert.interpreter import Interpreter

from deploy.errors import PocketganError
from pipeline.networks.layers import DepthToSpace
from pipeline.tflite.convert import to_float32
from pipeline.tflite.receptive_field import Reach, UnknownReachError, reach

layers = tf_keras.layers
SIDE = 32
NETWORKS: dict[str, tuple[Callable[[], list[tf_keras.layers.Layer]], Reach]] = {
    "one by one": (
        lambda: [layers.Conv2D(2, 1)],
        Reach(scale=Fraction(1), multiple=1, margin=0),
    ),
    "convolutions": (
        lambda: [layers.Conv2D(2, 3, padding="same"), layers.Conv2D(2, 5, padding="same")],
        Reach(scale=Fraction(1), multiple=1, margin=3),
    ),
    "even kernel": (
        lambda: [layers.Conv2D(2, 4, padding="same")],
        Reach(scale=Fraction(1), multiple=1, margin=2),
    ),
    "dilated": (
        lambda: [layers.DepthwiseConv2D(3, dilation_rate=3, padding="same")],
        Reach(scale=Fraction(1), multiple=1, margin=3),
    ),
    "sub-pixel": (
        lambda: [layers.Conv2D(8, 3, padding="same"), DepthToSpace(2)],
        Reach(scale=Fraction(2), multiple=1, margin=1),
    ),
    "down and up": (
        lambda: [
            layers.Conv2D(2, 3, strides=2, padding="same"),
            layers.Conv2DTranspose(2, 4, strides=2, padding="same"),
        ],
        Reach(scale=Fraction(1), multiple=2, margin=3),
    ),
    "padded": (
        lambda: [layers.ZeroPadding2D(2), layers.Conv2D(2, 5)],
        Reach(scale=Fraction(1), multiple=1, margin=2),
    ),
    "pooled and resized": (
        lambda: [
            layers.AveragePooling2D(4, padding="same"),
            layers.UpSampling2D(4, interpolation="bilinear"),
        ],
        Reach(scale=Fraction(1), multiple=4, margin=2),
    ),
    "nearest": (
        lambda: [layers.MaxPooling2D(2), layers.UpSampling2D(4)],
        Reach(scale=Fraction(2), multiple=2, margin=0),
    ),
    "all of it": (
        lambda: [layers.Conv2D(2, 65, padding="same")],
        Reach(scale=Fraction(1), multiple=1, margin=None),
    ),
}


def _file(make: Callable[[], list[tf_keras.layers.Layer]], *, side: int = SIDE) -> bytes:
    """A .tflite of the layers, of positive weights so that nothing cancels out."""
    tf_keras.utils.set_random_seed(1)
    network = tf_keras.Sequential([layers.Input((side, side, 2)), *make()])
    network.set_weights([np.abs(weights) + 0.1 for weights in network.get_weights()])
    return to_float32(network, 1)


def _draw(content: bytes, picture: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[np.newaxis])
    interpreter.invoke()
    drawn: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    return drawn


@pytest.mark.parametrize("name", NETWORKS)
def test_reach_is_known_and_what_a_tile_draws_within_it_is_right(name: str) -> None:
    make, expected = NETWORKS[name]
    tile = _file(make)
    assert reach(tile) == expected
    if expected.margin is None:
        return
    whole = _file(make, side=3 * SIDE)
    picture = np.random.default_rng(2).random((3 * SIDE, 3 * SIDE, 2)).astype(np.float32) + 1
    scale, start = int(expected.scale), SIDE // expected.multiple * expected.multiple
    drawn = _draw(tile, picture[start:, start:][:SIDE, :SIDE])
    truth = _draw(whole, picture)[start * scale :, start * scale :][: len(drawn), : len(drawn)]
    wrong = np.abs(drawn - truth).max(axis=-1) > 1e-3
    edge = expected.margin * scale
    inner = slice(edge, len(drawn) - edge)
    assert not wrong[inner, inner].any()
    if edge:  # and no pixel less would do, on one of the sides
        tighter = slice(edge - scale, len(drawn) - edge + scale)
        assert wrong[tighter, tighter].any()


def test_branches_look_as_far_as_the_farthest() -> None:
    source = layers.Input((SIDE, SIDE, 2))
    near = layers.Conv2D(2, 1)(source)
    far = layers.Conv2D(2, 7, padding="same")(source)
    network = tf_keras.Model(source, layers.Add()([near, far]))
    assert reach(to_float32(network, 1)).margin == 3


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (lambda: [layers.GlobalAveragePooling2D(keepdims=True), layers.UpSampling2D(SIDE)], "MEAN"),
        (lambda: [layers.Cropping2D(1)], "more than a pixel's surroundings"),
        (lambda: [layers.Conv2D(2, 3)], "not one number of times as large"),
        (lambda: [layers.Flatten()], "does not turn a picture into a picture"),
    ],
)
def test_what_looks_at_more_than_surroundings_is_said(
    make: Callable[[], list[tf_keras.layers.Layer]], answer: str
) -> None:
    with pytest.raises(UnknownReachError, match=answer):
        reach(_file(make))


def test_what_is_no_tflite_is_refused() -> None:
    with pytest.raises(PocketganError, match="not a TensorFlow Lite file"):
        reach(b"nothing at all")
