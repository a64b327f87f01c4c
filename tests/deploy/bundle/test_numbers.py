import numpy as np
import pytest

from deploy.bundle.numbers import encode, to_pixels, unwire, wire
from deploy.bundle.schema import Pixels, TensorSpec

INT8 = TensorSpec(name="x", dtype="int8", shape=(1, 2), scale=0.5, zero_point=3)
FLOAT = TensorSpec(name="x", dtype="float32", shape=(1, 2))
TANH = Pixels(low=-1, high=1, channels="grey")


def test_real_numbers_are_rounded_half_to_even_and_clipped() -> None:
    values = np.array([0, 0.25, 0.75, -0.25, 1000, -1000], np.float32)
    stored = encode(values, INT8)
    assert stored.dtype == np.int8
    assert stored.tolist() == [3, 3, 5, 3, 127, -128]


def test_a_strangers_scale_and_latents_warn_of_nothing() -> None:
    port = TensorSpec(name="x", dtype="int8", shape=(1, 2), scale=1e-300, zero_point=10**18)
    assert encode(np.array([1e30, np.inf, -np.inf, np.nan], np.float32), port).shape == (4,)


def test_a_float_port_takes_numbers_as_they_are() -> None:
    assert encode(np.array([0.3], np.float32), FLOAT).tolist() == [np.float32(0.3)]


def test_pixels_of_every_int8_value_of_tanh_rise_from_black_to_white() -> None:
    port = TensorSpec(name="image", dtype="int8", shape=(1, 1, 1, 1), scale=1 / 128, zero_point=0)
    levels = to_pixels(np.arange(-128, 128).astype(np.int8), port, TANH)
    assert (levels[0], levels[128], levels[255]) == (0, 128, 254)
    assert (np.diff(levels.astype(int)) >= 0).all()


def test_pixels_beyond_the_range_are_clipped() -> None:
    outputs = np.array([-1.2, -1, 0.999, 1, 1.2], np.float32)
    assert to_pixels(outputs, FLOAT, TANH).tolist() == [0, 0, 255, 255, 255]
    sigmoid = Pixels(low=0, high=1, channels="grey")
    assert to_pixels(np.array([0, 0.5, 1], np.float32), FLOAT, sigmoid).tolist() == [0, 128, 255]


def test_wire_is_little_endian_and_comes_back() -> None:
    values = np.array([[1, -2]], ">i2")
    assert wire(values) == b"\x01\x00\xfe\xff"
    assert unwire(wire(values), "int16", (1, 2)).tolist() == [[1, -2]]


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x01\x00\x02"])
def test_bytes_of_another_length_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"reshape|buffer size"):
        unwire(content, "int16", (1,))
