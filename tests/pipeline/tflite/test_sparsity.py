import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.tflite.sparsity import Level, Sparsity


def compressed(segments: list[int], indices: list[int]) -> Level:
    return Level(0, np.array(segments), np.array(indices))


def test_dense_places_values_of_a_compressed_matrix_by_row() -> None:
    rows = Sparsity((0, 1), (), (Level(3), compressed([0, 2, 2, 3], [0, 3, 1])))
    dense = rows.dense(np.array([5, 6, 7], np.int8), (3, 4), "w")
    assert dense.tolist() == [[5, 0, 0, 6], [0, 0, 0, 0], [0, 7, 0, 0]]
    assert dense.dtype == np.int8


def test_dense_follows_the_traversal_order_when_columns_come_first() -> None:
    columns = Sparsity((1, 0), (), (Level(2), compressed([0, 1, 3], [2, 0, 1])))
    assert columns.dense(np.array([1, 2, 3]), (3, 2), "w").tolist() == [[0, 2], [0, 3], [1, 0]]


def test_dense_places_blocks_side_by_side() -> None:
    # Rows dense, blocks of two columns compressed: row 0 keeps block 1, row 1 keeps block 0.
    blocks = Sparsity((0, 1, 2), (1,), (Level(2), compressed([0, 1, 2], [1, 0]), Level(2)))
    dense = blocks.dense(np.array([1, 2, 3, 4]), (2, 4), "w")
    assert dense.tolist() == [[0, 0, 1, 2], [3, 4, 0, 0]]


@pytest.mark.parametrize(
    "sparsity",
    [
        pytest.param(Sparsity((0,), (), (Level(3),)), id="a dimension is missing"),
        pytest.param(
            Sparsity((0, 0), (), (Level(3), compressed([0, 1, 1, 2], [0, 1]))),
            id="one walked twice",
        ),
        pytest.param(
            Sparsity((0, 1), (), (Level(3), compressed([0, 1, 1, 2], [0, 9]))), id="index outside"
        ),
        pytest.param(
            Sparsity((0, 1), (), (Level(3), compressed([0, 1, 1, 2], [0, -1]))), id="negative index"
        ),
        pytest.param(
            Sparsity((0, 1), (), (Level(3), compressed([0, 1], [0, 1]))), id="segments missing"
        ),
        pytest.param(
            Sparsity((0, 1), (), (Level(3), compressed([0, 2, 1, 2], [0, 1]))), id="going backwards"
        ),
        pytest.param(
            Sparsity((0, 1), (), (Level(3), compressed([0, 1, 2, 3], [0, 1, 2]))), id="values short"
        ),
        pytest.param(
            Sparsity((0, 1, 2), (7,), (Level(3), compressed([0, 1, 1, 2], [0, 1]), Level(1))),
            id="blocks of no dimension",
        ),
        pytest.param(Sparsity((0, 1), (), (Level(2**40), Level(2**40))), id="huge levels"),
        pytest.param(Sparsity((0, 1), (), (Level(-1), Level(-2))), id="negative levels"),
    ],
)
def test_dense_refuses_an_encoding_that_contradicts_itself(sparsity: Sparsity) -> None:
    with pytest.raises(PocketganError, match="sparse tensor w"):
        sparsity.dense(np.array([1, 2]), (3, 4), "w")


def test_dense_refuses_a_huge_level_that_nothing_follows() -> None:
    nothing = np.zeros(0, np.int8)
    with pytest.raises(PocketganError, match="different number of values"):
        Sparsity((0, 1), (), (Level(2**60), Level(0))).dense(nothing, (3, 4), "w")


def test_stored_bytes_counts_segments_and_indices_as_wide_as_the_file_has_them() -> None:
    level = Level(0, np.zeros(4, np.uint8), np.zeros(2, np.uint16))
    assert Sparsity((0, 1), (), (Level(3), level)).stored_bytes == 4 * 1 + 2 * 2


def test_dense_refuses_small_unsigned_segments_that_go_backwards() -> None:
    level = Level(0, np.array([0, 2, 1, 2], np.uint8), np.array([0, 1], np.uint8))
    with pytest.raises(PocketganError, match="different number of values"):
        Sparsity((0, 1), (), (Level(3), level)).dense(np.array([1, 2]), (3, 4), "w")
