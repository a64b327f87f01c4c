import gzip

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.tflite.model import LiteModel, Op, Subgraph, Tensor


def int8(values: np.ndarray, **more: object) -> Tensor:
    values = values.astype(np.int8)
    return Tensor(
        index=0, name="w", shape=values.shape, dtype="int8", buffer=values.tobytes(), **more
    )  # type: ignore[arg-type]


def test_data_unpacks_four_bit_integers_lowest_bits_first() -> None:
    # 3 and -2 share a byte, 7 has one to itself.
    tensor = Tensor(index=0, name="w", shape=(3,), dtype="int4", buffer=bytes([0xE3, 0x07]))
    assert tensor.data().tolist() == [3, -2, 7]
    assert tensor.dense_bytes == 2


def test_data_unpacks_two_bit_integers() -> None:
    tensor = Tensor(index=0, name="w", shape=(4,), dtype="int2", buffer=bytes([0b11_10_01_00]))
    assert tensor.data().tolist() == [0, 1, -2, -1]


def test_data_keeps_unsigned_four_bit_integers_positive() -> None:
    tensor = Tensor(index=0, name="w", shape=(2,), dtype="uint4", buffer=bytes([0xE3]))
    assert tensor.data().tolist() == [3, 14]


def test_zeros_counts_values_equal_to_the_zero_point() -> None:
    assert int8(np.array([0, 3, 3, -1]), scales=(0.1,), zero_points=(3,)).zeros() == 2


def test_zeros_counts_each_channel_against_its_own_zero_point() -> None:
    values = np.array([[0, 5, -7], [0, 0, 1], [5, 5, -7]])
    along_columns = int8(
        values, scales=(1.0, 1.0, 1.0), zero_points=(0, 5, -7), quantized_dimension=1
    )
    assert along_columns.zeros() == 2 + 2 + 2
    along_rows = int8(values, scales=(1.0, 1.0, 1.0), zero_points=(0, 5, -7))
    assert along_rows.zeros() == 1 + 0 + 1


def test_zeros_counts_both_zeros_of_float_and_ignores_a_zero_point() -> None:
    values = np.array([0.0, -0.0, 1e-30, 3.0], np.float32)
    tensor = Tensor(
        index=0, name="w", shape=(4,), dtype="float32", zero_points=(3,), buffer=values.tobytes()
    )
    assert tensor.zeros() == 2


def test_zeros_refuses_zero_points_that_do_not_fit_the_shape() -> None:
    with pytest.raises(PocketganError, match="2 zero points"):
        int8(np.zeros((3, 4)), scales=(1.0, 1.0), zero_points=(0, 0)).zeros()


def test_data_refuses_a_computed_tensor() -> None:
    with pytest.raises(PocketganError, match="tensor t has no stored values"):
        Tensor(index=0, name="t", shape=(1,), dtype="int8").data()


def test_data_refuses_a_type_that_numpy_does_not_know() -> None:
    with pytest.raises(PocketganError, match="bfloat16"):
        Tensor(index=0, name="w", shape=(1,), dtype="bfloat16", buffer=b"\0\0").data()


def test_constant_is_seen_through_chained_unpacking_but_not_through_arithmetic() -> None:
    stored = Tensor(index=0, name="w", shape=(1,), dtype="float16", buffer=b"\0\0")
    half, full, result = (Tensor(index=i, name="t", shape=(1,), dtype="float32") for i in (1, 2, 3))
    subgraph = Subgraph(
        name="",
        tensors=(stored, half, full, result),
        ops=(
            Op(name="DENSIFY", layer="", inputs=(stored,), outputs=(half,)),
            Op(name="DEQUANTIZE", layer="", inputs=(half,), outputs=(full,)),
            Op(name="RELU", layer="", inputs=(full,), outputs=(result,)),
        ),
        inputs=(),
        outputs=(result,),
    )
    assert subgraph.constant(full) is stored
    assert subgraph.constant(result) is None


def test_constant_of_an_operation_that_reads_itself_is_none() -> None:
    tensor = Tensor(index=0, name="t", shape=(1,), dtype="float32")
    loop = Op(name="DEQUANTIZE", layer="", inputs=(tensor,), outputs=(tensor,))
    assert (
        Subgraph(name="", tensors=(tensor,), ops=(loop,), inputs=(), outputs=()).constant(tensor)
        is None
    )


def test_model_knows_its_size_gzipped_size_and_hash() -> None:
    model = LiteModel(
        content=b"abc" * 100, description="", subgraphs=(), signatures=(), metadata={}
    )
    assert model.size == 300
    assert model.size_gzip == len(gzip.compress(b"abc" * 100, 9, mtime=0)) < 300
    # Of sha256sum.
    assert model.sha256 == "d9f5aeb06abebb3be3f38adec9a2e3b94228d52193be923eb4e24c9b56ee0930"
