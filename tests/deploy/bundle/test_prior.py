import numpy as np
import pytest

from deploy.bundle.prior import _uniform, latents, normal
from deploy.bundle.schema import Latent


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
