from pathlib import Path

import numpy as np
import pytest
import tf_keras

from pipeline.networks.codes import codes_in, has_code_head, with_code_head
from pipeline.networks.registry import DISCRIMINATORS, build_discriminator
from pipeline.networks.settings import Codes, DiscriminatorSettings, ImageShape

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


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("name", [name for name in DISCRIMINATORS if name != "projected"])
def test_head_reads_codes_and_leaves_the_logit_alone(
    name: str, spectral_norm: bool, classes: int, tmp_path: Path
) -> None:
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
