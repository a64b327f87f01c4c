"""What is no generator, is damaged, or would run code: one message each, with a remedy."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.input_roles import read_roles
from pipeline.importers.teacher import load_teacher
from pipeline.importers.trial import _refuse_other_than_pictures

L = keras.layers
Refused = Callable[..., str]

NO_GENERATORS: dict[str, tuple[tuple[int, ...], list[Any], str]] = {
    "discriminator": ((8, 8, 1), [L.Flatten(), L.Dense(1)], "discriminator"),
    "classifier": ((8, 8, 1), [L.Flatten(), L.Dense(10, "softmax")], "classifier"),
    "critic of vectors": ((4,), [L.Dense(1)], "discriminator"),
    "flat pictures": ((4,), [L.Dense(784, "tanh")], "Reshape((28, 28, 1))"),
    "sequence": ((4,), [L.Dense(12), L.Reshape((3, 4))], "sequence"),
    "video": ((4,), [L.Dense(24), L.Reshape((2, 2, 2, 3))], "no picture"),
    "seven channels": ((4,), [L.Dense(28), L.Reshape((2, 2, 7))], "1 or 3 channels"),
    "colours without luma": ((8, 8, 1), [L.Conv2D(2, 1, activation="tanh")], "Lab or YCbCr"),
    "channels first": ((4,), [L.Dense(192), L.Reshape((3, 8, 8))], "channels_last"),
    "reader of sequences": ((5, 4), [L.Flatten(), L.Dense(16)], "neither a latent vector"),
}


@pytest.mark.parametrize("name", NO_GENERATORS)
def test_what_gives_no_pictures_is_told_what_it_is(
    name: str, k3: Callable[..., Path], refused: Refused
) -> None:
    shape, layers, expected = NO_GENERATORS[name]
    path = k3(shape, *[type(layer).from_config(layer.get_config()) for layer in layers])
    message = refused(load_teacher, path)
    assert expected in message
    assert str(path) in message


def test_pictures_joined_along_the_batch_are_told_so(tmp_path: Path, refused: Refused) -> None:
    grey = keras.Input((8, 8, 1))
    keras.Model(grey, keras.ops.concatenate([grey, grey, grey])).save(tmp_path / "joined.keras")
    message = refused(load_teacher, tmp_path / "joined.keras")
    assert "12 pictures of 4 inputs" in message
    assert "axis=-1" in message


def test_pictures_without_a_pixel_are_refused() -> None:
    with pytest.raises(PocketganError, match="without a pixel"):
        _refuse_other_than_pictures(Path("x"), np.zeros((2, 0, 4, 3)), reads_pictures=False)


def test_several_outputs_and_inputs_are_refused(tmp_path: Path, refused: Refused) -> None:
    latent = keras.Input((4,))
    picture = L.Reshape((4, 4, 1))(L.Dense(16, "tanh")(latent))
    keras.Model(latent, [picture, L.Dense(2)(latent)]).save(tmp_path / "two.keras")
    assert "2 outputs" in refused(load_teacher, tmp_path / "two.keras")
    others = [keras.Input((4,), name=name) for name in "ab"]
    labels = [keras.Input((4,), name=f"label_{name}") for name in "ab"]
    summed = L.Add()([latent, *labels])
    keras.Model([latent, *labels], L.Reshape((2, 2, 1))(summed)).save(tmp_path / "three.keras")
    roles = read_roles(["label_a=class", "label_b=class"])
    assert "3 inputs" in refused(load_teacher, tmp_path / "three.keras", inputs=roles)
    either = L.Reshape((2, 2, 1))(L.Add()(others))
    keras.Model(others, either).save(tmp_path / "either.keras")
    assert "which one is the class" in refused(load_teacher, tmp_path / "either.keras")


@pytest.mark.parametrize(
    ("shape", "classes", "expected"),
    [
        ((None, None, 3), None, "Give --input-size 256x256"),
        ((16, None, 3), None, "Give --input-size 256x16"),
        ((4,), 4, "cannot be the class"),
        ((8, 8, 3), 2, "Leave --classes away"),
    ],
)
def test_inputs_that_cannot_be_are_refused(
    shape: tuple[int | None, ...],
    classes: int | None,
    expected: str,
    k3: Callable[..., Path],
    refused: Refused,
) -> None:
    layer = L.Dense(3) if len(shape) == 1 else L.Conv2D(3, 3, padding="same")
    assert expected in refused(load_teacher, k3(shape, layer), classes=classes)


def test_unknown_custom_layer_is_named_with_the_way_to_register_it(
    files: Mapping[str, Path], registered_nowhere: None, refused: Refused
) -> None:
    for name, layer in (("custom_layer.keras", "PixelNorm"), ("subclassed.keras", "Painter")):
        message = refused(load_teacher, files[name])
        assert layer in message
        assert "--custom FILE" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "no such file"), ("1/0", "ZeroDivisionError"), ("x =", "SyntaxError")],
)
def test_file_of_custom_layers_that_fails_is_named(
    content: str | None,
    expected: str,
    files: Mapping[str, Path],
    tmp_path: Path,
    refused: Refused,
) -> None:
    path = tmp_path / "own.py"
    if content is not None:
        path.write_text(content)
    message = refused(load_teacher, files["dcgan.keras"], custom=path)
    assert expected in message
    assert str(path) in message


def test_custom_layer_of_the_other_keras_is_refused(
    files: Mapping[str, Path], registered_nowhere: None, tmp_path: Path, refused: Refused
) -> None:
    own = tmp_path / "own.py"
    own.write_text("import tf_keras\nclass PixelNorm(tf_keras.layers.Layer): pass\n")
    message = refused(load_teacher, files["custom_layer.keras"], custom=own)
    assert "`import keras`" in message


# ---------------------------------------------------------------------- code in files


def with_lambda(library: Any, mark: Path) -> Any:
    """A model with a Lambda layer, in a model within, that leaves a file when it is called."""
    layers = library.layers

    leave = eval(f"lambda x: (open({str(mark)!r}, 'w').close(), x)[1]")  # code without a closure
    inner = library.Sequential(
        [library.Input((4,)), layers.Lambda(leave, output_shape=(4,), name="code")]
    )
    return library.Sequential(
        [library.Input((4,)), inner, layers.Dense(16, "tanh"), layers.Reshape((4, 4, 1))]
    )


@pytest.mark.parametrize(
    ("library", "name"),
    [
        (keras, "model.keras"),
        (keras, "model.h5"),
        (tf_keras, "model.keras"),
        (tf_keras, "model.h5"),
        (tf_keras, "folder"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_lambda_layer_is_refused_before_it_runs(
    library: Any, name: str, tmp_path: Path, refused: Refused
) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras on .h5
        with_lambda(library, mark).save(path)
    mark.unlink(missing_ok=True)  # building the model has called it
    message = refused(load_teacher, path)
    assert "would run code" in message
    assert "Lambda" in message
    assert "--allow-unsafe" in message
    assert not mark.exists()


def test_lambda_layer_runs_where_that_is_allowed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with_lambda(keras, mark).save(tmp_path / "model.keras")
    mark.unlink(missing_ok=True)
    assert load_teacher(tmp_path / "model.keras", allow_unsafe=True).is_opaque
    assert mark.exists()


@pytest.mark.parametrize("module", ["os", "keras.utils", "keras.src.saving.serialization_lib"])
def test_function_of_any_module_in_place_of_an_activation_is_refused(
    module: str, k3: Callable[..., Path], rewrite: Callable[..., None], refused: Refused
) -> None:
    path = k3((4,), L.Dense(16, "tanh"), L.Reshape((4, 4, 1)))

    def spoil(config: Any) -> Any:
        function = {"class_name": "function", "config": "getcwd", "module": module}
        config["config"]["layers"][1]["config"]["activation"] = function
        return config

    rewrite(path, spoil)
    assert f"calls {module}.getcwd" in refused(load_teacher, path)


def test_operation_of_keras_2_that_writes_files_is_refused(
    keras_2: tf_keras.Model, tmp_path: Path, rewrite: Callable[..., None], refused: Refused
) -> None:
    model = tf_keras.Model(keras_2.input, tf.tanh(keras_2.output))
    model.save(tmp_path / "model.keras")
    assert load_teacher(tmp_path / "model.keras").pixels == (-1, 1)

    def spoil(config: Any) -> Any:
        (layer,) = (
            each for each in config["config"]["layers"] if each["class_name"] == "TFOpLambda"
        )
        layer["config"]["function"] = "io.write_file"
        return config

    rewrite(tmp_path / "model.keras", spoil)
    assert "calls io.write_file" in refused(load_teacher, tmp_path / "model.keras")


def python(tensor: Any) -> Any:
    return tf.reshape(tf.py_function(lambda value: value, [tensor], tf.float32), [-1, 8, 8, 1])


def reads(tensor: Any) -> Any:
    size = tf.cast(tf.strings.length(tf.io.read_file("/dev/null")), tf.float32)
    return tf.reshape(tensor + size, [-1, 8, 8, 1])


def writes(tensor: Any) -> Any:
    tf.print("a line", output_stream="file:///dev/null")
    return tf.reshape(tensor, [-1, 8, 8, 1])


@pytest.mark.parametrize(
    ("function", "operation"),
    [(python, "EagerPyFunc"), (reads, "ReadFile"), (writes, "PrintV2")],
)
def test_saved_model_that_runs_python_or_touches_files_is_refused(
    function: Callable[[Any], Any],
    operation: str,
    saved_module: Callable[..., Path],
    refused: Refused,
) -> None:
    message = refused(load_teacher, saved_module(function))
    assert operation in message
    assert "--allow-unsafe" in message


def test_weights_in_another_file_are_refused(k3: Callable[..., Path], refused: Refused) -> None:
    path = k3((4,), L.Dense(16, "tanh"), L.Reshape((4, 4, 1)), name="model.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/secret"] = h5py.ExternalLink("/etc/other.h5", "x")
    assert "model_weights/secret" in refused(load_teacher, path)


# ---------------------------------------------------------------------- no model


def any_zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("readme", b"")
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("model.tflite", b"\x1c\0\0\0TFL3", "damaged or truncated"),
        ("model.onnx", b"\x08\x07", "no ONNX file"),
        ("model.zip", any_zip(), "no .keras file"),
        ("model.txt", b"hello, generator", "no model that can be read"),
        ("model.keras", b"", "is empty"),
        ("saved_model.pb", b"\x08\x01", "part of a SavedModel"),
        ("frozen.pb", b"\n\x05", "tf.import_graph_def"),
        ("ckpt-3.index", b"\0\0", "weights only"),
        ("ckpt-3.data-00000-of-00001", b"\0\0", "weights only"),
    ],
)
def test_other_files_are_named_for_what_they_are(
    name: str, content: bytes, expected: str, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / name).write_bytes(content)
    message = refused(load_teacher, tmp_path / name)
    assert expected in message
    assert str(tmp_path) in message


def test_missing_file_and_other_folders_are_told_apart(tmp_path: Path, refused: Refused) -> None:
    assert "no such file" in refused(load_teacher, tmp_path / "nowhere.keras")
    assert "no run, SavedModel or model.json" in refused(load_teacher, tmp_path)


@pytest.mark.parametrize("name", ["", "ckpt-3"])
def test_checkpoint_holds_no_network(name: str, tmp_path: Path, refused: Refused) -> None:
    generator = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2)])
    tf.train.Checkpoint(generator=generator).write(str(tmp_path / "ckpt-3"))
    message = refused(load_teacher, tmp_path / name)
    assert "weights only" in message
    assert "restore(PREFIX)" in message


def test_latents_without_a_batch_are_told_so(tmp_path: Path, refused: Refused) -> None:
    draw = tf.function(
        lambda z: tf.tanh(tf.reshape(z, [1, 4, 4, 1])), [tf.TensorSpec([16], tf.float32, name="z")]
    )
    tf.saved_model.save(tf.Module(), str(tmp_path / "model"), draw.get_concrete_function())
    assert "one row of latents" in refused(load_teacher, tmp_path / "model")


@pytest.mark.parametrize("name", ["dcgan.keras", "resize_conv.h5"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_file_that_was_cut_short_is_damaged(
    name: str, share: float, files: Mapping[str, Path], tmp_path: Path, refused: Refused
) -> None:
    whole = files[name].read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: int(share * len(whole))])
    assert str(cut) in refused(load_teacher, cut)


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_saved_model_that_was_cut_short_is_damaged(
    part: str, saved_module: Callable[..., Path], refused: Refused
) -> None:
    path = saved_module(lambda z: tf.tanh(tf.reshape(z, [-1, 8, 8, 1])))
    whole = (path / part).read_bytes()
    (path / part).write_bytes(whole[: len(whole) // 2])
    assert str(path) in refused(load_teacher, path)


def test_changed_byte_in_a_keras_file_is_damage(
    files: Mapping[str, Path], tmp_path: Path, refused: Refused
) -> None:
    content = bytearray(files["dcgan.keras"].read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "changed.keras").write_bytes(bytes(content))
    assert "damaged" in refused(load_teacher, tmp_path / "changed.keras")


def test_weights_without_a_model_are_not_enough(
    foreign: Any, tmp_path: Path, refused: Refused
) -> None:
    foreign.dcgan(2, 8).save_weights(tmp_path / "gan.weights.h5")
    assert "weights only" in refused(load_teacher, tmp_path / "gan.weights.h5")


def test_configuration_that_is_no_json_is_damage(
    k3: Callable[..., Path], tmp_path: Path, refused: Refused
) -> None:
    path = k3((4,), L.Dense(16, "tanh"), L.Reshape((4, 4, 1)), name="model.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential"})[:-1]
    assert "damaged" in refused(load_teacher, path)


def test_configuration_that_is_nested_without_end_is_damage(
    k3: Callable[..., Path], refused: Refused
) -> None:
    path = k3((4,), L.Dense(16, "tanh"), L.Reshape((4, 4, 1)))
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held["config.json"] = b"[" * 100_000 + b"]" * 100_000
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    assert "damaged: RecursionError" in refused(load_teacher, path)


def test_state_that_changes_the_picture_is_found(
    saved_module: Callable[..., Path], refused: Refused
) -> None:
    def random(tensor: Any) -> Any:
        noise = tf.random.uniform(tf.shape(tensor))
        return tf.tanh(tf.reshape(tensor + noise, [-1, 8, 8, 1]))

    assert "another picture from the same input" in refused(load_teacher, saved_module(random))


def test_signature_must_be_a_single_one(tmp_path: Path, refused: Refused) -> None:
    module = tf.Module()
    tf.saved_model.save(module, str(tmp_path / "none"))
    module.draw = tf.function(lambda z: z, input_signature=[tf.TensorSpec([None, 4])])
    assert "has no signature that could draw" in refused(load_teacher, tmp_path / "none")
    signatures = {"a": module.draw, "b": module.draw}
    tf.saved_model.save(module, str(tmp_path / "two"), signatures=signatures)
    assert "it has 2 signatures, each a network of its own (a, b)" in refused(
        load_teacher, tmp_path / "two"
    )


def test_pictures_that_are_not_finite_are_refused(
    saved_module: Callable[..., Path], refused: Refused
) -> None:
    path = saved_module(lambda z: tf.reshape(tf.math.log(-tf.abs(z)), [-1, 8, 8, 1]))
    assert "not finite" in refused(load_teacher, path, pixels=(0, 1))


@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8, 3)])
def test_picture_without_a_batch_is_told_from_a_sequence(
    shape: tuple[int, ...], saved_module: Callable[..., Path], refused: Refused
) -> None:
    def squeezed(tensor: Any) -> Any:
        maps = tf.reshape(tensor, [-1, 8, 8])[:1]
        return tf.reshape(tf.repeat(maps, 3, axis=0), shape)

    message = refused(load_teacher, saved_module(squeezed, batch=1))
    assert f"gives {[*shape]} of 1 inputs: pictures without a batch" in message
    assert "leave out the squeeze" in message


def test_file_that_holds_a_layer_is_no_model(
    k3: Callable[..., Path], rewrite: Callable[..., None], refused: Refused
) -> None:
    path = k3((4,), keras.layers.Dense(3))
    layer = {"module": "keras.layers", "class_name": "Layer", "config": {}}
    rewrite(path, lambda stored: {**stored, **layer})
    assert "holds no model but a Layer" in refused(load_teacher, path)
