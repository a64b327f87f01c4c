import base64
import zlib

import numpy as np
import pytest

from deploy.agent import pack
from deploy.agreement import compare, decode
from deploy.jobs import Measurement, Output


def drawing(*values: np.ndarray) -> Measurement:
    """A measurement that kept these outputs, each with its first axis the inputs'."""
    return Measurement(
        target="local",
        variant="int8",
        sha256="0" * 64,
        bytes=1,
        bytes_gzip=1,
        bytes_zstd=1,
        threads=1,
        delegate="xnnpack",
        outputs=tuple(Output.model_validate(pack("drawn", [value])) for value in values),
        error="only the outputs matter here",
    )


PICTURE = np.arange(-8, 8, dtype=np.int8).reshape(1, 4, 4, 1)


def test_same_values_are_equal() -> None:
    agreement = compare(drawing(PICTURE), drawing(PICTURE))
    assert agreement is not None
    assert (agreement.equal, agreement.largest, agreement.share) == (True, 0, 0)


def test_distance_counts_steps_and_their_share() -> None:
    other = PICTURE.copy()
    other[0, 0, 0, 0] += 3
    other[0, 1, 1, 0] -= 1
    agreement = compare(drawing(other), drawing(PICTURE))
    assert agreement is not None
    assert (agreement.equal, agreement.largest, agreement.share) == (False, 3, 2 / 16)
    assert agreement.within_one == 15 / 16


def test_int8_extremes_do_not_wrap_around() -> None:
    low, high = np.full((1, 1), -128, np.int8), np.full((1, 1), 127, np.int8)
    agreement = compare(drawing(low), drawing(high))
    assert agreement is not None
    assert agreement.largest == 255


def test_nan_on_one_side_only_is_a_difference() -> None:
    plain, broken = np.zeros((1, 2), np.float32), np.array([[0, np.nan]], np.float32)
    agreement = compare(drawing(broken), drawing(plain))
    assert agreement is not None
    assert not agreement.equal
    both = compare(drawing(broken), drawing(broken))
    assert both is not None
    assert both.equal


@pytest.mark.parametrize(
    "other", [PICTURE.astype(np.float32), PICTURE.reshape(1, 2, 8, 1)], ids=["dtype", "shape"]
)
def test_outputs_of_another_kind_cannot_be_compared(other: np.ndarray) -> None:
    assert compare(drawing(other), drawing(PICTURE)) is None
    assert compare(drawing(PICTURE, PICTURE), drawing(PICTURE)) is None


def test_fewer_inputs_are_compared_with_as_many() -> None:
    agreement = compare(drawing(PICTURE), drawing(np.concatenate([PICTURE, PICTURE + 1])))
    assert agreement is not None
    assert agreement.equal


def test_output_that_unpacks_to_more_than_it_promises_is_refused() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(10_000_000))).decode()
    with pytest.raises(ValueError, match=r"reshape|buffer|size"):
        decode(Output(name="x", dtype="int8", shape=(4,), data=bomb))
