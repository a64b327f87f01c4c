from dataclasses import dataclass

import numpy as np

from pipeline.metrics.stacked import StackedJudge


@dataclass
class Reader:
    """Reads the label off the first pixel."""

    name = "a reader"
    enough = 10
    classes = ("a", "b", "c")
    sha256 = "1"

    def features(self, images: np.ndarray) -> np.ndarray:
        return images[:, 0, 0].astype(np.float64)

    def predict(self, images: np.ndarray) -> np.ndarray:
        assert images.shape[-1] == 1
        return images[:, 0, 0, 0].astype(np.int64)


PICTURES = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)[:, None, None]


def judge(labels: list[int]) -> StackedJudge:
    return StackedJudge(Reader(), PICTURES, np.array(labels))  # type: ignore[arg-type]


def test_a_label_is_the_number_that_the_channels_spell() -> None:
    assert judge([5, 24]).predict(PICTURES).tolist() == [5, 24]
    assert judge([5, 24]).classes[24] == "cca"


def test_features_are_those_of_the_channels_side_by_side() -> None:
    assert judge([5, 24]).features(PICTURES).tolist() == [[0, 1, 2], [2, 2, 0]]


def test_a_picture_is_told_right_if_all_its_channels_are() -> None:
    assert judge([5, 24]).accuracy == 1
    assert judge([5, 23]).accuracy == 0.5
