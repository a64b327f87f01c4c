"""What `check` passes `compress` begins, what it refuses is refused, with the same words."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.cli import main
from pipeline.commands.compress import parse_compress, run_of
from pipeline.report.run import schema
from tests.pipeline.commands.test_compress_foreign import HARDLY_TRAINED, TINY

L, L2 = keras.layers, tf_keras.layers
LATENT, SIDE = 64, 16


def signature(path: Path, shape: list[int | None] | None, draw: Callable[..., Any]) -> None:
    """A SavedModel of TensorFlow code: ``draw`` of the input and of a kernel."""
    module = tf.Module()
    kernel = module.kernel = tf.Variable(tf.random.stateless_normal([LATENT, SIDE**2], [1, 2]))
    spec = tf.TensorSpec(shape, name="z")
    module.draw = tf.function(lambda z: draw(z, kernel), input_signature=[spec])
    tf.saved_model.save(module, str(path), signatures=module.draw)


def pictures(flat: Any) -> Any:
    return tf.reshape(tf.tanh(flat), [-1, SIDE, SIDE, 1])


def fixed_batch(path: Path) -> None:
    signature(path, [1, LATENT], lambda z, kernel: pictures(z @ kernel))


def noise_without_seed(path: Path) -> None:
    def draw(z: Any, kernel: Any) -> Any:
        return pictures(z @ kernel + 1e-6 * tf.random.normal([SIDE**2]))

    signature(path, [None, LATENT], draw)


def without_lite_form(path: Path) -> None:
    signature(
        path, [None, LATENT], lambda z, kernel: pictures(tf.math.bessel_i0e(z @ kernel) - 0.5)
    )


def unknown_rank(path: Path) -> None:
    signature(path, None, lambda z, kernel: tf.tanh(z) + tf.reduce_sum(kernel))


def layers_of(*behind: Any, shape: tuple[int, ...] = (8, 8, 4)) -> list[Any]:
    return [
        keras.Input((LATENT,)),
        L.Dense(int(np.prod(shape)), name="latent"),
        L.Reshape(shape, name="to_map"),
        *behind,
    ]


def named_like_ours(path: Path) -> None:
    upward = L.Conv2DTranspose(4, 4, 2, "same", activation="relu", name="couche 1 (4x4) é")
    out = L.Conv2D(3, 3, padding="same", activation="tanh", name="image")
    keras.Sequential(layers_of(upward, out)).save(path)


def five_pixels(path: Path) -> None:
    out = L.Conv2D(1, 3, padding="same", activation="sigmoid")
    keras.Sequential(layers_of(out, shape=(5, 5, 16))).save(path)


def one_pixel(path: Path) -> None:
    out = L.Conv2D(3, 1, activation="tanh")
    keras.Sequential(layers_of(out, shape=(1, 1, 256))).save(path)


def scaled_by_channel(path: Path) -> None:
    out = L.Conv2D(3, 3, padding="same", activation="tanh")
    scaled = L.Rescaling([127.5, 120.0, 110.0], [127.5, 120.0, 110.0])
    keras.Sequential(layers_of(out, scaled)).save(path)


def dilated(path: Path) -> None:
    upward = L.Conv2DTranspose(4, 3, padding="same", dilation_rate=2, activation="relu")
    out = L.Conv2D(1, 3, padding="same", activation="tanh")
    keras.Sequential(layers_of(upward, out)).save(path)


def collapsed(path: Path) -> None:
    zeros = L.Conv2D(1, 3, padding="same", activation="tanh", kernel_initializer="zeros")
    keras.Sequential(layers_of(zeros)).save(path)


def normal_noise(path: Path) -> None:
    signature(path, [None, LATENT], lambda z, kernel: pictures(z @ kernel + tf.random.normal([1])))


def noisy(path: Path) -> None:
    signature(path, [None, LATENT], lambda z, kernel: pictures(z @ kernel + tf.random.uniform([1])))


def in_training(path: Path) -> None:
    z = tf_keras.Input((LATENT,))
    wide = L2.ReLU()(L2.BatchNormalization()(L2.Dense(SIDE**2)(z), training=True))
    picture = L2.Conv2D(1, 3, padding="same", activation="tanh")(L2.Reshape((SIDE, SIDE, 1))(wide))
    tf_keras.Model(z, picture).save(path, save_format="keras")


def classifier(path: Path) -> None:
    keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(10)]).save(path)


PIXELS = ("--pixels", "-1", "1")
PASSED: Mapping[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
    "fixed batch": (fixed_batch, "", ()),
    "noise without a seed": (noise_without_seed, "", PIXELS),
    "normal noise": (normal_noise, "", PIXELS),
    "no TFLite form": (without_lite_form, "", PIXELS),
    "names": (named_like_ours, ".keras", ()),
    "five pixels": (five_pixels, ".keras", ()),
    "one pixel": (one_pixel, ".keras", ()),
    "constants of a channel": (scaled_by_channel, ".keras", ("--pixels", "0", "255")),
    "dilated": (dilated, ".keras", ()),
}
REFUSED: Mapping[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
    "unknown rank": (unknown_rank, "", PIXELS),
    "collapsed": (collapsed, ".keras", ()),
    "noisy": (noisy, "", PIXELS),
    "in training": (in_training, ".keras", ()),
    "classifier": (classifier, ".keras", ("--input-pixels", "0", "1")),
}
LIMIT = ("--max-gzip-kb", "8")


@pytest.fixture
def words(tmp_path: Path) -> Callable[..., list[str]]:
    """A function that writes a case's generator and gives what names it in a command."""

    def write(build: Callable[[Path], None], suffix: str, options: tuple[str, ...]) -> list[str]:
        keras.utils.set_random_seed(1)
        build(path := tmp_path / f"generator{suffix}")
        return [str(path), *options]

    return write


QUICK = ("fixed batch", "noise without a seed", "five pixels")


@pytest.mark.parametrize(
    "case",
    [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in PASSED],
)
def test_what_check_passes_compress_takes(
    case: str,
    words: Callable[..., list[str]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    named = words(*PASSED[case])
    assert main(["check", *named]) == 0, capfd.readouterr().err
    assert run_of(*parse_compress([*named, *LIMIT, "--runs", str(tmp_path / "runs")])).recipe


@pytest.mark.parametrize("case", REFUSED)
def test_what_check_refuses_compress_refuses_in_the_same_words(
    case: str,
    words: Callable[..., list[str]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    named = words(*REFUSED[case])
    assert main(["check", *named]) == 2
    of_check = capfd.readouterr().err
    assert main(["compress", *named, *LIMIT, "--quiet", "--runs", str(tmp_path / "runs")]) == 2
    assert capfd.readouterr().err == of_check
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("case", PASSED)
def test_what_check_passes_compress_finishes(
    case: str, words: Callable[..., list[str]], tmp_path: Path
) -> None:
    named, runs = words(*PASSED[case]), tmp_path / "runs"
    command = ["compress", *named, *LIMIT, "--runs", str(runs), *TINY, *HARDLY_TRAINED]
    assert main(command) in (0, 3)
    report = schema.read(runs / "small" / "8-report" / "report.json")
    assert report.variants[-1].float_ops == 0
