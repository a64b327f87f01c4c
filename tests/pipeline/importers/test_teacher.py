import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.int8_layers import refusals
from pipeline.finished_run import generator_of
from pipeline.importers import teacher as module
from pipeline.importers.discriminator import load_discriminator
from pipeline.importers.missing import MissingFact, MissingFactsError, StatedFacts
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import Teacher, load_teacher
from pipeline.networks.codes import with_code_head
from pipeline.networks.registry import GENERATORS, build_discriminator, build_generator
from pipeline.networks.settings import (
    Codes,
    DiscriminatorSettings,
    GeneratorSettings,
    ImageShape,
    StudentSettings,
)
from pipeline.recipe.plain import to_yaml
from pipeline.recipe.reading import load_recipe
from pipeline.search.builder import StudentBuilder

L = keras.layers
Refused = Callable[..., str]


def latents(teacher: Teacher, count: int = 5) -> np.ndarray:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(count, teacher.latent)).astype(np.float32)
    one_hot = np.eye(max(teacher.classes, 1), dtype=np.float32)[
        np.arange(count) % max(teacher.classes, 1)
    ]
    return np.concatenate([noise, one_hot], axis=1) if teacher.classes else noise


def assert_draws_as(teacher: Teacher, source: Any, inputs: np.ndarray, *source_inputs: Any) -> None:
    read = source_inputs or (inputs,)
    wanted = source(list(read) if len(read) > 1 else read[0])
    pictures = teacher.model(inputs, training=False)
    np.testing.assert_allclose(pictures, np.asarray(wanted), rtol=0, atol=1e-5)


def types(teacher: Teacher) -> list[str]:
    return [type(layer).__name__ for layer in teacher.model.layers]


@pytest.mark.parametrize("name", ["dcgan.keras", "resize_conv.h5"])
def test_keras_3_file_draws_the_same_as_tf_keras_layers(
    name: str, files: Mapping[str, Path]
) -> None:
    teacher = load_teacher(files[name])
    assert isinstance(teacher.model, tf_keras.Model)
    assert not teacher.is_opaque
    assert (teacher.latent, teacher.classes, teacher.input_pixels) == (8, 0, None)
    assert "Keras 3" in teacher.origin
    assert_draws_as(teacher, keras.models.load_model(files[name], compile=False), latents(teacher))


def test_dropout_goes_and_activations_become_layers(files: Mapping[str, Path]) -> None:
    teacher = load_teacher(files["resize_conv.h5"])
    assert "Dropout" not in types(teacher)
    assert types(teacher)[-2:] == ["Conv2D", "Activation"]
    became = {row.type: row.became for row in teacher.layers}
    assert became["Dropout"] == ()
    assert any("tanh became a layer" in note for note in teacher.notes)
    assert teacher.pixels == (-1, 1)


def test_one_hot_classes_at_the_end_of_the_latents(files: Mapping[str, Path]) -> None:
    path = files["conditional.keras"]
    teacher = load_teacher(path, classes=3)
    assert (teacher.latent, teacher.classes, teacher.pixels) == (6, 3, (0, 1))
    assert_draws_as(teacher, keras.models.load_model(path), latents(teacher))


def test_label_that_an_embedding_looks_up_becomes_one_hot(files: Mapping[str, Path]) -> None:
    path = files["labelled.keras"]
    teacher = load_teacher(path)
    assert (teacher.latent, teacher.classes) == (8, 3)
    inputs = latents(teacher)
    labels = inputs[:, 8:].argmax(1)[:, None]
    assert_draws_as(teacher, keras.models.load_model(path), inputs, inputs[:, :8], labels)


def test_picture_generator_keeps_its_skips(files: Mapping[str, Path]) -> None:
    path = files["unet.keras"]
    teacher = load_teacher(path, input_pixels=(-1, 1))
    assert (teacher.latent, teacher.classes) == (0, 0)
    assert (teacher.pixels, teacher.input_pixels) == ((-1, 1), (-1, 1))
    pictures = np.random.default_rng(1).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    assert_draws_as(teacher, keras.models.load_model(path), pictures)


@pytest.mark.parametrize("name", ["custom_layer.keras", "subclassed.keras"])
def test_code_of_others_becomes_an_opaque_teacher(
    name: str, files: Mapping[str, Path], custom: Path
) -> None:
    teacher = load_teacher(files[name], custom=custom)
    assert teacher.is_opaque
    assert types(teacher) == ["InputLayer", "Opaque"]
    assert (teacher.latent, teacher.pixels) == (8, (-1, 1))
    assert "opaque" in teacher.notes[-1]
    assert_draws_as(teacher, keras.models.load_model(files[name]), latents(teacher))
    assert sum(row.weights for row in teacher.layers) > 0


def test_exported_saved_model_is_opaque_and_draws_the_same(files: Mapping[str, Path]) -> None:
    teacher = load_teacher(files["exported"])
    assert teacher.is_opaque
    assert teacher.pixels == (0, 1)
    assert_draws_as(teacher, keras.models.load_model(files["dcgan.keras"]), latents(teacher))


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "folder"])
def test_tf_keras_model_of_any_format_is_laid_flat(
    name: str, keras_2: tf_keras.Model, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras on .h5
        keras_2.save(tmp_path / name)
    teacher = load_teacher(tmp_path / name)
    assert not teacher.is_opaque
    assert "Sequential" not in types(teacher)
    assert teacher.layers[0].name == "wide"
    assert_draws_as(teacher, keras_2, latents(teacher))


@pytest.mark.parametrize("classes", [0, 3])
def test_teacher_of_a_run_knows_its_classes(classes: int, tmp_path: Path) -> None:
    run = tmp_path / "small"
    recipe = load_recipe("digits", ["--generator.latent", "8", "--generator.width", "4"])
    model = build_generator(recipe.generator, ImageShape(28, 1, classes))
    (run / "1-train").mkdir(parents=True)
    model.save(run / "1-train" / "generator.keras")
    (run / "recipe.yaml").write_text(to_yaml(recipe))
    teacher = load_teacher(generator_of(run))
    assert (teacher.latent, teacher.classes, teacher.pixels) == (8, classes, (-1, 1))
    assert "run small" in teacher.origin
    assert_draws_as(teacher, model, latents(teacher))


def test_fixed_batch_in_a_keras_file_is_set_free(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input(batch_shape=(7, 4)), L.Dense(16, "tanh"), L.Reshape((4, 4, 1))]
    )
    model.save(tmp_path / "fixed.keras")
    teacher = load_teacher(tmp_path / "fixed.keras")
    assert teacher.model.input_shape == (None, 4)
    assert teacher.model(latents(teacher, 2)).shape == (2, 4, 4, 1)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_fixed_batch_of_a_signature_is_drawn_in_turns(
    count: int, saved_module: Callable[..., Path]
) -> None:
    path = saved_module(lambda z: tf.tanh(tf.reshape(z, [3, 8, 8, 1])), batch=3)
    teacher = load_teacher(path)
    module = tf.saved_model.load(str(path))
    inputs = latents(teacher, count)
    pictures = teacher.model(inputs).numpy()
    assert pictures.shape == (count, 8, 8, 1)
    for row, picture in zip(inputs, pictures, strict=True):
        wanted = module.draw(np.repeat(row[None], 3, 0))["picture"]
        np.testing.assert_allclose(picture, wanted[0], atol=1e-6)


def test_latents_in_the_shape_of_one_pixel_are_a_vector(k3: Callable[..., Path]) -> None:
    path = k3((1, 1, 6), L.Conv2DTranspose(1, 4, activation="tanh"))
    teacher = load_teacher(path)
    assert (teacher.latent, teacher.model.input_shape) == (6, (None, 6))
    inputs = latents(teacher)
    assert_draws_as(teacher, keras.models.load_model(path), inputs, inputs[:, None, None])


def test_range_is_asked_for_where_no_layer_says_it(
    k3: Callable[..., Path], refused: Refused
) -> None:
    path = k3((4,), L.Dense(16), L.Reshape((4, 4, 1)))
    assert "--pixels -1 1" in refused(load_teacher, path)
    assert load_teacher(path, pixels=(-1, 1)).pixels == (-1, 1)
    assert "is no range" in refused(load_teacher, path, pixels=(1, 1))
    for pixels in ((0.0, 1e-45), (0.0, 1e-18), (1e6, 1e6 + 1), (0.0, 1e30), (-1e300, 1e300)):
        assert "cannot tell 256 steps" in refused(load_teacher, path, pixels=pixels)


def test_rescaling_says_the_range_of_what_is_read_and_drawn(k3: Callable[..., Path]) -> None:
    path = k3(
        (8, 8, 3),
        L.Rescaling(1 / 127.5, -1),
        L.Conv2D(3, 3, padding="same", activation="tanh"),
        L.Rescaling(127.5, 127.5),
    )
    teacher = load_teacher(path)
    assert (teacher.pixels, teacher.input_pixels) == ((0, 255), (0, 255))


def test_range_of_pictures_that_are_read_is_asked_for(
    files: Mapping[str, Path], refused: Refused
) -> None:
    assert "--input-pixels -1 1" in refused(load_teacher, files["unet.keras"])


def test_size_that_is_proposed_is_smaller_for_what_enlarges(
    k3: Callable[..., Path], refused: Refused
) -> None:
    for scale, side in ((1, 256), (2, 128), (3, 64), (4, 64)):
        path = k3((None, None, 3), L.Conv2DTranspose(3, scale, scale, activation="tanh"))
        message = refused(load_teacher, path, input_pixels=(-1, 1))
        assert f"--input-size {side}x{side}" in message


@pytest.mark.parametrize(("spread", "likely"), [(1, "0 1"), (100, "0 255")])
def test_range_of_what_ends_with_a_convolution_is_proposed_by_what_it_draws(
    spread: int, likely: str, k3: Callable[..., Path], refused: Refused
) -> None:
    path = k3((8, 8, 3), L.LayerNormalization(axis=(1, 2)), L.Conv2D(3, 1), L.Rescaling(spread))
    wanted = f"--input-pixels {likely} --pixels {likely}"
    assert wanted in refused(load_teacher, path)


@pytest.mark.parametrize(
    ("activation", "pasted", "wanted"),
    [
        ("tanh", False, "--input-pixels -1 1"),
        ("tanh", True, "--input-pixels -1 1 --pixels -1 1"),
        ("sigmoid", False, "--input-pixels 0 1"),
        ("sigmoid", True, "--input-pixels 0 1 --pixels 0 1"),
    ],
)
def test_range_beside_a_mask_is_proposed_by_what_is_drawn_in_the_hole(
    activation: str, pasted: bool, wanted: str, tmp_path: Path, refused: Refused
) -> None:
    image, mask = keras.Input((8, 8, 3), name="image"), keras.Input((8, 8, 1), name="mask")
    drawn = L.Conv2D(3, 3, padding="same", activation=activation)(L.Concatenate()([image, mask]))
    picture = drawn * mask + image * (1 - mask) if pasted else drawn
    keras.Model([image, mask], picture).save(tmp_path / "inpainter.keras")
    message = refused(load_teacher, tmp_path / "inpainter.keras")
    assert f"Give {wanted}, or" in message


@pytest.mark.parametrize(("offset", "likely"), [(0.0, "-1 1"), (1.1, "0 1")])
def test_latents_are_likely_drawn_in_the_range_of_tanh_unless_nothing_is_below_0(
    offset: float, likely: str, k3: Callable[..., Path], refused: Refused
) -> None:
    path = k3(
        (4,),
        L.Dense(48, "tanh"),
        L.Reshape((4, 4, 3)),
        L.Conv2D(3, 1, use_bias=False),
        L.LayerNormalization(axis=(1, 2)),
        L.Rescaling(0.1, 0.45 * offset),
    )
    assert f"--pixels {likely}" in refused(load_teacher, path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(
    value: float, k3: Callable[..., Path], refused: Refused
) -> None:
    layer = L.Dense(16, "tanh", name="broken")
    layer.build((None, 4))
    kernel, bias = layer.get_weights()
    kernel[1, 2] = value
    layer.set_weights([kernel, bias])
    message = refused(load_teacher, k3((4,), layer, L.Reshape((4, 4, 1))))
    assert "broken/kernel" in message
    assert "not finite" in message


def test_layer_that_is_random_at_inference_is_found(
    files: Mapping[str, Path], custom: Path, refused: Refused
) -> None:
    assert "another picture from the same input" in refused(
        load_teacher, files["noisy.keras"], custom=custom
    )


def test_activations_that_differ_between_keras_2_and_3_are_noticed(k3: Callable[..., Path]) -> None:
    path = k3((4,), L.Dense(16, "hard_sigmoid"), L.Reshape((4, 4, 1)), L.Activation("tanh"))
    teacher = load_teacher(path)
    assert teacher.is_opaque
    assert "hard_sigmoid" in teacher.notes[-1]
    assert_draws_as(teacher, keras.models.load_model(path), latents(teacher))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_generator_trained_in_mixed_precision_keeps_its_layers(
    policy: str, k3: Callable[..., Path]
) -> None:
    layers = [L.Dense(16, dtype=policy), L.Reshape((4, 4, 1)), L.Activation("tanh", dtype=policy)]
    teacher = load_teacher(k3((4,), *layers))
    assert not teacher.is_opaque
    assert teacher.model(latents(teacher)).dtype == "float32"


# ---------------------------------------------------------------------- saved and read again

FACTS = ("latent", "classes", "pixels", "input_pixels", "origin", "notes", "layers", "is_opaque")


@pytest.fixture(scope="module", params=["labelled.keras", "unet.keras", "exported"])
def any_teacher(request: pytest.FixtureRequest, files: Mapping[str, Path]) -> Teacher:
    """Of layers with two inputs made one, of pictures, and opaque."""
    reads_pictures = request.param == "unet.keras"
    return load_teacher(files[request.param], input_pixels=(-1, 1) if reads_pictures else None)


def test_teacher_that_was_saved_is_the_same(any_teacher: Teacher, tmp_path: Path) -> None:
    save_teacher(any_teacher, tmp_path / "kept")
    read = read_saved_teacher(tmp_path / "kept")
    for fact in FACTS:
        assert getattr(read, fact) == getattr(any_teacher, fact)
    shape = (3, *any_teacher.model.input_shape[1:])
    inputs = np.random.default_rng(1).uniform(size=shape).astype(np.float32)
    np.testing.assert_array_equal(
        read.model(inputs, training=False), any_teacher.model(inputs, training=False)
    )


def test_same_teacher_is_the_same_bytes(any_teacher: Teacher, tmp_path: Path) -> None:
    for name in "ab":
        save_teacher(any_teacher, tmp_path / name)
    save_teacher(read_saved_teacher(tmp_path / "a"), tmp_path / "c")
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert written == ["graph.pb" if any_teacher.is_opaque else "generator.keras", "teacher.json"]
    for other in "bc":
        for name in written:
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / other / name).read_bytes()


@pytest.mark.parametrize("file", ["teacher.json", "generator.keras", "graph.pb"])
@pytest.mark.parametrize("share", [None, 0.5])
def test_damaged_teacher_is_one_message(
    file: str, share: float | None, any_teacher: Teacher, tmp_path: Path, refused: Refused
) -> None:
    save_teacher(any_teacher, tmp_path)
    path = tmp_path / file
    if not path.exists():
        return
    whole = path.read_bytes()
    path.unlink()
    if share is not None:
        path.write_bytes(whole[: int(share * len(whole))])
    assert str(tmp_path) in refused(read_saved_teacher, tmp_path)


# ---------------------------------------------------------------------- discriminators


@pytest.fixture(scope="module")
def dcgan(files: Mapping[str, Path]) -> Teacher:
    return load_teacher(files["dcgan.keras"])


def judging_layers(*last: Any) -> list[Any]:
    return [L.Conv2D(4, 4, 4), L.LeakyReLU(negative_slope=0.2), L.Flatten(), L.Dropout(0.2), *last]


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_logit_is_what_stands_before_the_sigmoid(
    activation: str | None, dcgan: Teacher, k3: Callable[..., Path]
) -> None:
    path = k3((64, 64, 3), *judging_layers(L.Dense(1, activation=activation)))
    pictures = np.random.default_rng(1).uniform(size=(3, 64, 64, 3)).astype(np.float32)
    logits = np.asarray(keras.saving.load_model(path)(pictures))
    logit = load_discriminator(path, dcgan)(pictures, training=False).numpy()
    expected = np.log(logits / (1 - logits)) if activation else logits
    np.testing.assert_allclose(logit, expected, atol=1e-3)


@pytest.mark.parametrize("classes", [0, 3])
def test_head_that_reads_codes_is_taken_off(classes: int, dcgan: Teacher, tmp_path: Path) -> None:
    settings = DiscriminatorSettings(width=2, minibatch_deviation=True)
    plain = build_discriminator(settings, ImageShape(64, 3))
    with_code_head(plain, Codes(2, classes)).save(tmp_path / "discriminator.keras")
    teacher = replace(dcgan, classes=classes)
    judge = load_discriminator(tmp_path / "discriminator.keras", teacher)
    pictures = np.random.default_rng(1).uniform(size=(3, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(judge(pictures), plain(pictures), atol=1e-5)


def test_what_judges_no_such_pictures_is_refused(
    dcgan: Teacher, k3: Callable[..., Path], refused: Refused, files: Mapping[str, Path]
) -> None:
    assert "reads" in refused(
        load_discriminator, k3((32, 32, 3), *judging_layers(L.Dense(1))), dcgan
    )
    two = k3((64, 64, 3), *judging_layers(L.Dense(2)))
    assert "not one number a picture" in refused(load_discriminator, two, dcgan)
    assert "reads" in refused(load_discriminator, files["dcgan.keras"], dcgan)
    assert "nowhere" in refused(load_discriminator, Path("nowhere.keras"), dcgan)


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_of_ours_is_a_teacher_that_can_be_slimmed(
    name: str, tmp_path: Path
) -> None:
    settings = GeneratorSettings(name=name, width=4, latent=6)
    classes = 0 if name == "cogan" else 2
    generator = build_generator(settings, ImageShape(8, classes=classes))
    generator.save(tmp_path / "generator.keras")
    teacher = load_teacher(tmp_path / "generator.keras", classes=classes)
    assert (teacher.latent, teacher.classes, teacher.is_opaque) == (6, classes, False)
    assert_draws_as(teacher, generator, latents(teacher))
    builder = StudentBuilder(teacher, 1, by_norm=True)
    assert builder.why_not_slim == ""
    halves = StudentSettings("slim", rank=0, channels=(50,) * len(builder.groups))
    student = builder.build(halves)
    assert student.count_params() < 0.7 * generator.count_params()
    assert refusals(fold_batch_norm(student)) == {}
    assert np.isfinite(student(latents(teacher))).all()


def test_guess_that_does_not_help_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fact = MissingFact(problem="which is not known", option="--output a", guess={"output": "a"})
    guesses = []

    def load(source: Any, facts: StatedFacts, *_: Any, **__: Any) -> Any:
        guesses.append(facts.output)
        assert len(guesses) < 3
        raise MissingFactsError(tmp_path, [fact])

    monkeypatch.setattr(module, "_load", load)
    with pytest.raises(MissingFactsError) as caught:
        load_teacher(tmp_path)
    assert caught.value.options == "--output a"
    assert guesses == [None, "a"]
