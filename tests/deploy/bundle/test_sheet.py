import io

import numpy as np
import pytest
from PIL import Image

from deploy.bundle.sheet import COLUMNS, GAP, MARGIN, MOST_ROWS, contact_sheet, rows, tiled


def _open(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_stands_enlarged_in_its_place(channels: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (16, 28, 28, channels), np.uint8)
    sheet = _open(contact_sheet(pictures))
    assert sheet.shape == (2 * 58 - GAP + 2 * MARGIN, 8 * 58 - GAP + 2 * MARGIN, 3)
    tile = sheet[MARGIN + 58 : MARGIN + 58 + 56, MARGIN + 58 : MARGIN + 58 + 56]
    assert (tile[::2, ::2] == pictures[COLUMNS + 1]).all()
    assert (tile[1::2, 1::2] == pictures[COLUMNS + 1]).all()


def test_rows_are_called_by_their_names_to_the_left() -> None:
    pictures = np.zeros((16, 28, 28, 1), np.uint8)
    bare, named = _open(contact_sheet(pictures)), _open(contact_sheet(pictures, ["a", "Trouser"]))
    assert named.shape[0] == bare.shape[0]
    margin = named[:, : named.shape[1] - bare.shape[1]]
    assert margin.shape[1] > 20
    assert (margin[:64] < 128).any()
    assert (margin[64:] < 128).any()


def test_a_name_of_any_length_and_letters_is_drawn() -> None:
    pictures = np.zeros((8, 64, 64, 3), np.uint8)
    sheet = _open(contact_sheet(pictures, ["日本語\n" * 100]))
    assert sheet.shape[1] < 8 * 66 + 700


def test_a_row_a_class_as_far_as_there_is_room() -> None:
    assert [rows(classes) for classes in (0, 1, 10, 1000)] == [COLUMNS, 1, 10, MOST_ROWS]


def test_tiles_stand_in_rows_of_so_many() -> None:
    pictures = np.arange(64, dtype=np.uint8)[:, None, None, None] * np.ones([1, 2, 3, 1], np.uint8)
    sheet = tiled(pictures, columns=8)
    assert sheet.shape == (16, 24, 1)
    np.testing.assert_array_equal(sheet[::2, ::3, 0], np.arange(64).reshape(8, 8))
