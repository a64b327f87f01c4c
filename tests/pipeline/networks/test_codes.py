from pathlib import Path

import numpy as np
import pytest
import tf_keras

from pipeline.networks.codes import codes_in, has_code_head, set_apart, with_code_head
from pipeline.networks.registry import DISCRIMINATORS, build_discriminator, build_generator
from pipeline.networks.settings import Codes, DiscriminatorSettings, GeneratorSettings, ImageShape
from tests.grids import pairs

PICTURES = np.random.default_rng(1).normal(size=[3, 28, 28, 1]).astype(np.float32)
CLASSES = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("codes", "read"),
    [
        (Codes(2, 3), [0, 1, 5, 6, 7]),
        (Codes(2), [0, 1]),
        (Codes(discrete=3), [5, 6, 7]),
        (Codes(), []),
    ],
)
def test_codes_are_both_ends_of_the_latent(codes: Codes, read: list[int]) -> None:
    inputs = np.arange(8, dtype=np.float32)[None]
    assert codes_in(inputs, codes).numpy().tolist() == [read]


@pytest.mark.parametrize(
    ("name", "kind"),
    pairs(
        [name for name in DISCRIMINATORS if name not in ("projected", "cogan")],
        [(False, 0), (True, 0), (False, 3), (True, 3)],
    ),
)
def test_head_reads_codes_and_leaves_the_logit_alone(
    name: str, kind: tuple[bool, int], tmp_path: Path
) -> None:
    spectral_norm, classes = kind
    settings = DiscriminatorSettings(name, 4, spectral_norm)
    plain = build_discriminator(settings, ImageShape(28, 1, classes))
    headed = with_code_head(plain, Codes(2, 3))
    assert (has_code_head(plain), has_code_head(headed)) == (False, True)
    inputs = [PICTURES, CLASSES] if classes else PICTURES
    logits, read = headed(inputs)
    assert read.shape == (3, 5)
    np.testing.assert_array_equal(logits, plain(inputs))
    headed.save(tmp_path / "discriminator.keras")
    again = tf_keras.models.load_model(tmp_path / "discriminator.keras", compile=False)
    assert has_code_head(again)
    np.testing.assert_array_equal(again(inputs)[1], read)


def test_without_codes_there_is_no_head() -> None:
    plain = build_discriminator(DiscriminatorSettings("dense", 4), ImageShape(28))
    assert with_code_head(plain, Codes()) is plain


@pytest.mark.parametrize("name", ["dense", "dcgan", "r3gan"])
def test_generators_that_are_set_apart_differ_as_much_as_latents_do(name: str) -> None:
    tf_keras.utils.set_random_seed(1)
    settings = GeneratorSettings(name=name, width=8, latent=16)
    generator = build_generator(settings, ImageShape(16, 1, 4))
    inputs = np.hstack(
        [np.random.default_rng(1).normal(size=[40, 16]), np.eye(4)[np.arange(40) % 4]]
    )

    def share() -> float:
        """Of the variance of the first layer's outputs, what the code is behind."""
        first = next(layer for layer in generator.layers if layer.weights)
        values = inputs @ first.get_weights()[0]
        means = values.reshape(10, 4, -1).mean(axis=0)
        return float(means.var(axis=0).sum() / values.var(axis=0).sum())

    before = share()
    set_apart(generator, 4)
    assert share() > max(0.4, 1.5 * before)
