import numpy as np
from PIL import Image

from pipeline.arrays import LUMA, luma


def test_luma_is_rounded_as_pillow_rounds_it() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (1, 64, 512, 3), dtype=np.uint8)
    colours[0, 0, :256] = np.arange(256)[:, np.newaxis]  # greys stay as they are
    expected = np.asarray(Image.fromarray(colours[0]).convert("L"))
    np.testing.assert_array_equal(luma(colours)[0, ..., 0], expected)


def test_luma_has_the_published_shares() -> None:
    assert luma(np.diag([255] * 3).astype(np.uint8))[:, 0].tolist() == [
        round(255 * share) for share in LUMA
    ]
