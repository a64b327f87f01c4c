from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.importers.teacher import Teacher, load_discriminator, load_teacher

L = keras.layers
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def dcgan(files: Mapping[str, Path]) -> Teacher:
    return load_teacher(files["dcgan.keras"])


def layers(*last: Any) -> list[Any]:
    return [L.Conv2D(4, 4, 4), L.LeakyReLU(negative_slope=0.2), L.Flatten(), L.Dropout(0.2), *last]


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_logit_is_what_stands_before_the_sigmoid(
    activation: str | None, dcgan: Teacher, k3: Callable[..., Path]
) -> None:
    path = k3((64, 64, 3), *layers(L.Dense(1, activation=activation)))
    pictures = np.random.default_rng(1).uniform(size=(3, 64, 64, 3)).astype(np.float32)
    given = np.asarray(keras.saving.load_model(path)(pictures))
    logit = load_discriminator(path, dcgan)(pictures, training=False).numpy()
    expected = np.log(given / (1 - given)) if activation else given
    np.testing.assert_allclose(logit, expected, atol=1e-3)


def test_what_judges_no_such_pictures_is_refused(
    dcgan: Teacher, k3: Callable[..., Path], refused: Refused, files: Mapping[str, Path]
) -> None:
    assert "reads" in refused(load_discriminator, k3((32, 32, 3), *layers(L.Dense(1))), dcgan)
    two = k3((64, 64, 3), *layers(L.Dense(2)))
    assert "not one number a picture" in refused(load_discriminator, two, dcgan)
    assert "reads" in refused(load_discriminator, files["dcgan.keras"], dcgan)
    assert "nowhere" in refused(load_discriminator, Path("nowhere.keras"), dcgan)
