import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks.settings import StudentSettings
from pipeline.networks.student import DOUBLINGS, build_student

GREY, COLOUR = (28, 28, 1), (64, 64, 3)


@pytest.mark.parametrize("block", DOUBLINGS)
@pytest.mark.parametrize(("image", "channels"), [(GREY, (6, 4)), (COLOUR, (6, 4, 2))])
def test_latents_become_pictures_in_range(
    block: str, image: tuple[int, int, int], channels: tuple[int, ...]
) -> None:
    latents = np.random.default_rng(1).normal(size=(3, 10)).astype(np.float32)
    for pixels, low in (((-1.0, 1.0), -1), ((0.0, 1.0), 0)):
        model = build_student(StudentSettings(block, 3, channels, 1), 10, image, pixels)
        pictures = model(latents).numpy()
        assert pictures.shape == (3, *image)
        assert low <= pictures.min() < pictures.max() <= 1


def test_rank_parts_the_first_kernel_in_two() -> None:
    whole, parted = (
        build_student(StudentSettings("sub_pixel", rank, (8, 4), 0), 40, GREY, (-1.0, 1.0))
        for rank in (0, 4)
    )
    first = 7 * 7 * 8
    assert whole.count_params() - parted.count_params() == 40 * first - 4 * (40 + first)


@pytest.mark.parametrize(
    "settings",
    [StudentSettings("sub_pixel", 4, (8,), 0), StudentSettings("round", 4, (8, 4), 0)],
)
def test_settings_that_do_not_fit_are_refused(settings: StudentSettings) -> None:
    with pytest.raises(PocketganError, match="cannot draw pictures of 28×28"):
        build_student(settings, 8, GREY, (-1.0, 1.0))
