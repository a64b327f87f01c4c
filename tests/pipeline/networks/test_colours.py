from collections.abc import Callable

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks import colours
from pipeline.networks.settings import DiscriminatorSettings, ImageShape

Logits = Callable[[np.ndarray], np.ndarray]
JUDGE = DiscriminatorSettings("colours", 4)
PICTURES = np.random.default_rng(0).normal(size=[3, 28, 28, 3]).astype(np.float32)


@pytest.fixture(scope="module")
def logits() -> Logits:
    discriminator = colours.discriminator(JUDGE, ImageShape(28, 3))
    return lambda pictures: discriminator(pictures).numpy().reshape(4, -1)


def test_whole_pictures_come_first_then_each_colour(logits: Logits) -> None:
    before = logits(PICTURES)
    assert before.shape == (4, 3)
    for colour in range(3):
        changed = PICTURES.copy()
        changed[..., colour] = 0
        moved = np.abs(logits(changed) - before).min(axis=1) > 1e-4
        assert moved.tolist() == [True, *(colour == other for other in range(3))]


def test_all_colours_are_seen_alike(logits: Logits) -> None:
    grey = np.repeat(PICTURES[..., :1], 3, axis=-1)
    _whole, *alone = logits(grey)
    for colour in alone[1:]:
        np.testing.assert_allclose(colour, alone[0], atol=1e-5)


@pytest.mark.parametrize("image", [ImageShape(28, 1), ImageShape(28, 3, 10)])
def test_grey_pictures_and_classes_are_refused(image: ImageShape) -> None:
    with pytest.raises(PocketganError, match="each colour of pictures without a class"):
        colours.discriminator(JUDGE, image)
