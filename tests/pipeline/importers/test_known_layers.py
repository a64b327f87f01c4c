"""Files as TF-Addons, keras-contrib and TF-MOT leave them, and classes of the user's own."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from pipeline.importers.keras_files import load_custom
from pipeline.importers.teacher import load_teacher

L = tf_keras.layers
Refused = Callable[..., str]
SUFFIXES = pytest.mark.parametrize("suffix", ["h5", "keras"])


def saved(path: Path, *layers: Any) -> tuple[tf_keras.Model, np.ndarray]:
    """Pictures [N, 4, 4, 3] → the same through these layers, saved; and pictures to try it with."""
    port = L.Input((4, 4, 3))
    x = port
    for layer in layers:
        x = layer(x)
    model = tf_keras.Model(port, L.Activation("tanh")(x))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        values = rng.normal(1, 0.5, weight.shape)
        is_number = weight.dtype == tf.float32 and "mask" not in weight.name
        weight.assign(values if is_number else tf.cast(values > 1, weight.dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras on .h5
        model.save(path)
    return model, rng.uniform(-1, 1, (3, 4, 4, 3)).astype(np.float32)


def registered(package: str, name: str, base: Any, **methods: Any) -> Any:
    """A class that writes itself as "package>name", or as name; known to nobody afterwards."""
    kind = type(name, (base,), methods)
    if package:
        tf_keras.utils.register_keras_serializable(package)(kind)
        del tf_keras.utils.get_custom_objects()[f"{package}>{name}"]
    return kind


@SUFFIXES
@pytest.mark.parametrize("name", ["GroupNormalization", "InstanceNormalization"])
def test_normalization_of_addons_is_kerass_own(name: str, suffix: str, tmp_path: Path) -> None:
    groups = {"groups": 3 if name.startswith("Group") else -1}
    layer = registered("Addons", name, L.GroupNormalization)(**groups)
    model, pictures = saved(tmp_path / f"model.{suffix}", layer)
    teacher = load_teacher(tmp_path / f"model.{suffix}", input_pixels=(-1, 1))
    assert not teacher.is_opaque
    assert type(teacher.model.layers[1]) is L.GroupNormalization
    np.testing.assert_allclose(teacher.model(pictures), model(pictures), atol=1e-5)


def instance_norm_of_contrib(layer: Any, x: Any) -> Any:
    mean = tf.reduce_mean(x, [1, 2], keepdims=True)
    deviation = tf.math.reduce_std(x, [1, 2], keepdims=True)
    return (x - mean) / (deviation + 0.1) * layer.gamma + layer.beta


def two_weights(layer: Any, shape: Any) -> None:
    layer.gamma, layer.beta = (layer.add_weight(n, (shape[-1],)) for n in ("gamma", "beta"))


@SUFFIXES
def test_instance_norm_of_contrib_divides_by_the_deviation(suffix: str, tmp_path: Path) -> None:
    settings = {"axis": -1, "epsilon": 0.1, "center": True, "scale": True}
    settings |= {"beta_initializer": "zeros", "gamma_constraint": None}
    layer = registered(
        "",
        "InstanceNormalization",
        L.Layer,
        build=two_weights,
        call=instance_norm_of_contrib,
        get_config=lambda self: {"name": self.name, **settings},
    )()
    model, pictures = saved(tmp_path / f"model.{suffix}", layer)
    teacher = load_teacher(tmp_path / f"model.{suffix}", input_pixels=(-1, 1))
    np.testing.assert_allclose(teacher.model(pictures), model(pictures), atol=1e-5)


def of_weight_norm(wrapper: Any, shape: Any) -> None:
    """As TF-Addons builds it: g, the inner layer, a flag, and a copy for its first batch."""
    wrapper.layer.build(shape)
    wrapper.g = wrapper.add_weight("g", (wrapper.layer.kernel.shape[-1],))
    wrapper.v = wrapper.layer.kernel
    wrapper.flag = wrapper.add_weight("initialized", None, tf.bool, "zeros", trainable=False)
    config = {**wrapper.layer.get_config(), "trainable": False}
    with tf.name_scope("data_dep_init"):
        wrapper.naked = type(wrapper.layer).from_config(config)
        wrapper.naked.build(shape)
    wrapper.built = True


def weight_normed(wrapper: Any, x: Any) -> Any:
    wrapper.layer.kernel = tf.nn.l2_normalize(wrapper.v, [0, 1, 2]) * wrapper.g
    return wrapper.layer(x)


@SUFFIXES
def test_weight_norm_of_addons_leaves_its_normalized_kernel(suffix: str, tmp_path: Path) -> None:
    wrapper = registered(
        "Addons",
        "WeightNormalization",
        L.Wrapper,
        build=of_weight_norm,
        call=weight_normed,
        get_config=lambda self: {**L.Wrapper.get_config(self), "data_init": True},
    )
    conv = L.Conv2D(3, 3, padding="same")
    model, pictures = saved(tmp_path / f"model.{suffix}", wrapper(conv))
    teacher = load_teacher(tmp_path / f"model.{suffix}", input_pixels=(-1, 1))
    assert [type(layer) for layer in teacher.model.layers[1:2]] == [L.Conv2D]
    np.testing.assert_allclose(teacher.model(pictures), model(pictures), atol=1e-5)


@SUFFIXES
def test_pruning_of_tfmot_leaves_the_layer_inside(suffix: str, tmp_path: Path) -> None:
    conv = tfmot.sparsity.keras.prune_low_magnitude(
        L.Conv2D(3, 3, padding="same", input_shape=(4, 4, 3))
    )
    model, pictures = saved(tmp_path / f"model.{suffix}", conv)
    teacher = load_teacher(tmp_path / f"model.{suffix}", input_pixels=(-1, 1))
    assert [type(layer) for layer in teacher.model.layers[1:2]] == [L.Conv2D]
    assert any("its pruning ends" in note for note in teacher.notes)
    np.testing.assert_allclose(teacher.model(pictures), model(pictures, training=False), atol=1e-5)


@SUFFIXES
@pytest.mark.parametrize("option", ["", "cluster_per_channel", "preserve_sparsity"])
def test_clustering_of_tfmot_leaves_the_layers_inside_with_their_clustered_weights(
    option: str, suffix: str, tmp_path: Path
) -> None:
    model = tf_keras.Sequential(
        [
            L.Input((4, 4, 3)),
            L.Conv2D(8, 3, padding="same", activation="relu"),
            L.Conv2D(3, 3, padding="same", activation="tanh"),
        ]
    )
    clustered = tfmot.clustering.keras.cluster_weights(
        model,
        number_of_clusters=4,
        cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.LINEAR,
        **({option: True} if option else {}),
    )
    pictures = np.random.default_rng(1).uniform(-1, 1, (3, 4, 4, 3)).astype("f")
    expected = clustered(pictures, training=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras on .h5
        clustered.save(tmp_path / f"model.{suffix}")
    teacher = load_teacher(tmp_path / f"model.{suffix}", input_pixels=(-1, 1))
    assert not teacher.is_opaque
    kernel = next(each for each in teacher.model.layers if each.weights).get_weights()[0]
    clusters = [len(np.unique(kernel[..., n])) for n in range(8)]
    assert max(clusters) <= 4
    assert any("its clustering ends" in note for note in teacher.notes)
    np.testing.assert_allclose(teacher.model(pictures), expected, atol=1e-5)


def test_class_of_any_package_loads_as_the_message_says(tmp_path: Path, refused: Refused) -> None:
    def halved(_layer: Any, x: Any) -> Any:
        return x / 2

    layer = registered("Studio", "Halved", L.Layer, call=halved)()
    path = tmp_path / "model.h5"
    model, pictures = saved(path, layer)
    message = refused(load_teacher, path, input_pixels=(-1, 1))
    assert "Studio>Halved" in message
    (first_line,) = (words for words in message.split("`") if words.startswith("import"))
    own = tmp_path / "own.py"
    own.write_text(
        f"{first_line}\nclass Halved(keras.layers.Layer):\n"
        "    def call(self, x):\n        return x / 2\n"
    )
    teacher = load_teacher(path, input_pixels=(-1, 1), custom=own)
    np.testing.assert_allclose(teacher.model(pictures), model(pictures), atol=1e-6)


@SUFFIXES
def test_instance_norm_of_ones_own_is_not_taken_for_that_of_contrib(
    suffix: str, tmp_path: Path, refused: Refused
) -> None:
    """As in TensorFlow's CycleGAN: another epsilon, other weights, no settings."""
    code = (
        "import tf_keras as keras\nimport tensorflow as tf\n\n\n"
        "class InstanceNormalization(keras.layers.Layer):\n"
        "    def build(self, shape):\n"
        "        self.scale = self.add_weight('scale', shape[-1:])\n\n"
        "    def call(self, x):\n"
        "        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)\n"
        "        return self.scale * (x - mean) * tf.math.rsqrt(variance + 0.1)\n"
    )
    (tmp_path / "own.py").write_text(code)
    layer = load_custom(tmp_path / "own.py")["InstanceNormalization"]()
    model, pictures = saved(tmp_path / f"model.{suffix}", layer)
    path = tmp_path / f"model.{suffix}"
    message = refused(load_teacher, path, input_pixels=(-1, 1))
    assert "nobody here knows: InstanceNormalization" in message
    teacher = load_teacher(path, input_pixels=(-1, 1), custom=tmp_path / "own.py")
    np.testing.assert_allclose(teacher.model(pictures), model(pictures), atol=1e-5)
