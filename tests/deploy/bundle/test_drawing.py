from collections.abc import Callable

import numpy as np
import pytest

from deploy.bundle import drawing
from deploy.bundle.drawing import _uniform, draw, encode, latents, normal, to_pixels, unwire, wire
from deploy.bundle.make import BundleContents
from deploy.bundle.schema import Latent, Pixels, TensorSpec
from deploy.errors import PocketganError

Orders = Callable[..., BundleContents]

INT8 = TensorSpec(name="x", dtype="int8", shape=(1, 2), scale=0.5, zero_point=3)
FLOAT = TensorSpec(name="x", dtype="float32", shape=(1, 2))
TANH = Pixels(low=-1, high=1, channels="grey")
ROWS = np.random.default_rng(2).standard_normal((3, 11)).astype(np.float32)


def test_random_numbers_are_those_that_splitmix64_is_published_with() -> None:
    stream = _uniform(1234567)
    published = (
        *(6457827717110365317, 3203168211198807973, 9817491932198370423),
        *(4593380528125082431, 16408922859458223821),
    )
    assert [next(stream) for _ in published] == [(z >> 11) * 2.0**-53 for z in published]


def test_numbers_are_normal_within_a_seed_and_across_neighbouring_seeds() -> None:
    outputs = np.array([normal(seed, 64) for seed in range(500)])
    assert abs(outputs.mean()) < 0.02
    assert outputs.std() == pytest.approx(1, abs=0.02)
    assert np.quantile(outputs, [0.0228, 0.5, 0.9772]) == pytest.approx([-2, 0, 2], abs=0.06)
    across = np.corrcoef(outputs[:-1].ravel(), outputs[1:].ravel())[0, 1]
    assert abs(across) < 0.02


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_every_seed_gives_finite_numbers(seed: int) -> None:
    assert np.isfinite(normal(seed, 1000)).all()


def test_the_class_follows_the_numbers_one_hot() -> None:
    latent = Latent(length=4, classes=3, class_names=("a", "b", "c"))
    outputs = latents(latent, [5, 5], [0, 2])
    assert outputs.dtype == np.float32
    assert outputs[:, 4:].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert outputs[0, :4].tolist() == outputs[1, :4].tolist()
    assert outputs[0, :4].tolist() == np.float32(normal(5, 4)).tolist()


def test_without_classes_the_labels_are_not_looked_at() -> None:
    latent = Latent(length=4, classes=0, class_names=())
    assert latents(latent, [5], [7]).shape == (1, 4)


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


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_a_file_tells_its_ports_and_draws(dtype: str, order_of: Orders) -> None:
    values = draw(order_of(dtype).content, ROWS)
    assert (values.input.name, values.output.name) == ("latent", "image")
    assert values.input.dtype == values.output.dtype == dtype == values.outputs.dtype
    assert values.outputs.shape == (3, 6, 6, 1)
    assert len(np.unique(values.outputs)) > 10
    assert values.runtime.startswith("ai-edge-litert ")


def test_stored_inputs_draw_what_the_real_numbers_drew(order_of: Orders) -> None:
    content = order_of().content
    first = draw(content, ROWS)
    again = draw(content, first.inputs)
    assert again.outputs.tobytes() == first.outputs.tobytes()


def test_plain_kernels_draw_the_same_up_to_rounding(order_of: Orders) -> None:
    content = order_of().content
    rows = np.random.default_rng(2).standard_normal((300, 11)).astype(np.float32)
    apart = draw(content, rows).outputs.astype(int) - draw(content, rows, plain=True).outputs
    assert 0 < np.abs(apart).max() <= 8


def test_a_file_that_draws_several_pictures_at_a_time_is_refused(order_of: Orders) -> None:
    with pytest.raises(PocketganError, match="it draws 2 pictures at a time, not one"):
        draw(order_of(batch=2).content, ROWS)


def test_rows_of_another_kind_are_refused(order_of: Orders) -> None:
    content = order_of().content
    with pytest.raises(PocketganError, match="takes int8, and was given int16"):
        draw(content, ROWS.astype(np.int16))
    with pytest.raises(PocketganError, match=r"does not run: .*Dimension mismatch"):
        draw(content, ROWS[:, :-1])


@pytest.mark.parametrize("content", [b"", b"nothing", b"\0" * 1000])
def test_what_is_no_tflite_is_refused(content: bytes) -> None:
    with pytest.raises(PocketganError, match="the file does not run: "):
        draw(content, ROWS)


def test_a_cut_file_is_refused_whatever_it_does_to_the_runtime(order_of: Orders) -> None:
    content = order_of().content
    with pytest.raises(PocketganError, match="the file does not run: "):
        draw(content[: len(content) // 2], ROWS)


def test_a_file_that_ends_the_runtime_ends_only_its_process(
    order_of: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_CHILD", "import os; os.abort()  # {path}")
    with pytest.raises(PocketganError, match="the runtime was ended by signal 6"):
        draw(order_of().content, ROWS)


def test_a_file_that_never_ends_is_ended(order_of: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_CHILD", "import time; time.sleep(60)  # {path}")
    monkeypatch.setattr(drawing, "SECONDS", 0.2)
    with pytest.raises(PocketganError, match=r"no end after 0\.2 s"):
        draw(order_of().content, ROWS)
