from collections.abc import Callable

import numpy as np
import pytest

from deploy.bundle import runtime
from deploy.bundle.make import BundleContents
from deploy.bundle.runtime import draw
from deploy.errors import PocketganError

Orders = Callable[..., BundleContents]

ROWS = np.random.default_rng(2).standard_normal((3, 11)).astype(np.float32)


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
    monkeypatch.setattr(runtime, "_CHILD", "import os; os.abort()  # {path}")
    with pytest.raises(PocketganError, match="the runtime was ended by signal 6"):
        draw(order_of().content, ROWS)


def test_a_file_that_never_ends_is_ended(order_of: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_CHILD", "import time; time.sleep(60)  # {path}")
    monkeypatch.setattr(runtime, "SECONDS", 0.2)
    with pytest.raises(PocketganError, match=r"no end after 0\.2 s"):
        draw(order_of().content, ROWS)
