"""Generators of others as files, small, and ways to spoil them."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError

Refused = Callable[..., str]


@pytest.fixture(scope="session")
def files(foreign: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Name → file or folder with a generator that somebody else wrote. For reading only."""
    folder = tmp_path_factory.mktemp("foreign")
    keras.utils.set_random_seed(1)
    models = {
        "dcgan.keras": foreign.dcgan(2, 8),
        "conditional.keras": foreign.conditional(4, 6, 3),
        "labelled.keras": foreign.labelled(2, 8, 3),
        "resize_conv.h5": foreign.resize_conv(4, 8),
        "unet.keras": foreign.unet(2, 16),
        "custom_layer.keras": foreign.custom_layer(4, 8),
        "noisy.keras": foreign.custom_layer(4, 8, noisy=True),
        "subclassed.keras": foreign.subclassed(4, 8),
    }
    for name, model in models.items():
        _settle(model)
        model.save(folder / name)
    models["dcgan.keras"].export(folder / "exported", verbose=False)
    return {name: folder / name for name in (*models, "exported")}


def _settle(model: Any) -> None:
    """Statistics of batch norms as if they had seen something."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma * 0.7, beta + 0.1, mean + 0.2, variance * 2])


@pytest.fixture
def custom(foreign: Any) -> Path:
    """The Python file that defines the layers of the custom generators."""
    return Path(foreign.__file__)


@pytest.fixture
def registered_nowhere() -> Iterator[None]:
    """As in a new process: nobody has registered a layer yet."""
    registered = keras.saving.get_custom_objects()
    before = dict(registered)
    for name in [name for name in registered if name.startswith("foreign>")]:
        del registered[name]
    yield
    registered.update(before)


@pytest.fixture
def refused() -> Refused:
    """A function that calls another, and gives the message of the error that a person reads."""

    def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        with pytest.raises(PocketganError) as caught:
            function(*args, **kwargs)
        assert caught.value.remedy
        return str(caught.value)

    return call


@pytest.fixture
def k3(tmp_path: Path) -> Callable[..., Path]:
    """A function that saves a Keras 3 model of these layers behind an input, as a .keras file."""

    def save(shape: tuple[int | None, ...], *layers: Any, name: str = "model.keras") -> Path:
        model = keras.Sequential([keras.Input(shape), *layers])
        model.save(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def saved_module(tmp_path: Path) -> Callable[..., Path]:
    """A function that saves a plain function as a SavedModel: latents [batch, 4] → its result."""

    def save(function: Callable[[Any], Any], batch: int | None = None, length: int = 4) -> Path:
        module = tf.Module()
        module.kernel = tf.Variable(tf.random.stateless_normal([length, 64], [1, 2]))
        signature = [tf.TensorSpec([batch, length], tf.float32, name="z")]
        module.draw = tf.function(
            lambda z: {"picture": function(tf.matmul(z, module.kernel))}, input_signature=signature
        )
        tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.draw)
        return tmp_path / "module"

    return save


@pytest.fixture
def rewrite() -> Callable[..., None]:
    """A function that changes the configuration in a .keras file: its JSON goes through it."""

    def change(path: Path, function: Callable[[Any], Any]) -> None:
        with zipfile.ZipFile(path) as archive:
            held = {name: archive.read(name) for name in archive.namelist()}
        held["config.json"] = json.dumps(function(json.loads(held["config.json"]))).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in held.items():
                archive.writestr(name, content)

    return change


@pytest.fixture(scope="session")
def keras_2() -> tf_keras.Model:
    """Latents [N, 6] → grey pictures [N, 8, 8, 1] in −1..1, of tf_keras, with a model inside."""
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    seed = tf_keras.Sequential(
        [
            layers.Input([6]),
            layers.Dense(4 * 4 * 4, activation="relu", name="wide"),
            layers.Dropout(0.3),
            layers.Reshape([4, 4, 4]),
        ],
        name="seed",
    )
    latent = layers.Input([6])
    x = layers.Conv2DTranspose(4, 4, 2, padding="same", use_bias=False, name="up")(seed(latent))
    x = layers.BatchNormalization(name="up_norm")(x)
    x = layers.LeakyReLU(0.2)(x)
    return tf_keras.Model(latent, layers.Conv2D(1, 3, padding="same", activation="tanh")(x))
