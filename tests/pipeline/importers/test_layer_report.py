from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from rich.console import Console

from pipeline.importers.layer_report import Check, LayerOutcome, check
from pipeline.importers.teacher import load_teacher
from pipeline.report.check import render

L = keras.layers


@pytest.fixture(scope="module")
def checked(files: Mapping[str, Path], foreign: Any) -> Mapping[str, Check]:
    """Name → what the preflight found, for one generator of each outcome."""
    more: dict[str, dict[str, Any]] = {
        "resize_conv.h5": {},
        "unet.keras": {"input_pixels": (-1, 1)},
        "custom_layer.keras": {"custom": Path(foreign.__file__)},
    }
    return {
        name: check(load_teacher(files[name], **options), name) for name, options in more.items()
    }


def outcomes_of(result: Check) -> dict[str, set[str]]:
    outcomes: dict[str, set[str]] = {}
    for layer in result.layers:
        outcomes.setdefault(layer.type, set()).add(layer.outcome)
    return outcomes


def test_every_layer_has_an_outcome(checked: Mapping[str, Check]) -> None:
    assert outcomes_of(checked["resize_conv.h5"]) == {
        "Dense": {LayerOutcome.SUPPORTED},
        "BatchNormalization": {LayerOutcome.FOLDED},
        "ReLU": {LayerOutcome.SUPPORTED},
        "Activation": {LayerOutcome.SUPPORTED},
        "Reshape": {LayerOutcome.SUPPORTED},
        "UpSampling2D": {LayerOutcome.SUPPORTED},
        "Conv2D": {LayerOutcome.SUPPORTED, LayerOutcome.REWRITTEN},
        "Dropout": {LayerOutcome.REMOVED},
    }


def test_norm_without_int8_form_is_replaced_with_reason_and_remedy(
    checked: Mapping[str, Check],
) -> None:
    result = checked["unet.keras"]
    assert outcomes_of(result)["GroupNormalization"] == {LayerOutcome.REPLACED}
    assert outcomes_of(result)["Concatenate"] == {LayerOutcome.SUPPORTED}
    norm = next(layer for layer in result.layers if layer.type == "GroupNormalization")
    assert "batch norm" in norm.reason
    assert norm.remedy


def test_all_of_an_opaque_generator_is_replaced(checked: Mapping[str, Check]) -> None:
    result = checked["custom_layer.keras"]
    assert {layer.outcome for layer in result.layers} == {LayerOutcome.REPLACED}
    assert "PixelNorm" in result.layers[0].reason


def test_verdict_says_what_can_be_done(checked: Mapping[str, Check]) -> None:
    verdicts = {name: result.verdict for name, result in checked.items()}
    assert verdicts["resize_conv.h5"] == "can be compressed: slimming and edge students"
    assert verdicts["unet.keras"].startswith("can be compressed: edge students only, because layer")
    assert "opaque" in verdicts["custom_layer.keras"]
    assert [result.slimming for result in checked.values()] == [True, False, False]


def test_verdict_of_two_inputs_names_no_layer_that_the_table_lacks(tmp_path: Path) -> None:
    photo, label = keras.Input((8, 8, 3), name="photo"), keras.Input((4,), name="label")
    style = L.Reshape((1, 1, 3))(L.Dense(3)(label))
    both = L.Concatenate()([photo, L.UpSampling2D(8)(style)])
    path = tmp_path / "painter.keras"
    keras.Model([photo, label], L.Conv2D(3, 3, padding="same", activation="tanh")(both)).save(path)
    result = check(load_teacher(path, input_pixels=(-1, 1)), path.name)
    assert LayerOutcome.REPLACED not in {layer.outcome for layer in result.layers}
    assert result.verdict.endswith("because what joins its inputs to one has no int8 form here")


def test_trial_files_are_real_ones(checked: Mapping[str, Check], foreign: Any) -> None:
    float32, int8 = checked["resize_conv.h5"].files
    assert (float32.variant, int8.variant) == ("float32", "int8-ptq")
    assert float32.error == int8.error == ""
    maps = [(8, 16 * 16 * 8), (8, 32 * 32 * 4)]
    macs = 8 * 8 * 8 * 8 + sum(9 * deep * out for deep, out in maps) + 9 * 4 * 32 * 32 * 3
    assert float32.macs == int8.macs == macs
    assert int8.bytes is not None
    assert float32.bytes is not None
    assert int8.bytes < float32.bytes
    assert int8.float_ops == ()
    assert len(int8.outside_xnnpack) == 2
    assert all("RESIZE_NEAREST_NEIGHBOR" in op for op in int8.outside_xnnpack)
    assert float32.left_by_gpu == int8.left_by_gpu == ()


def test_operations_that_a_gpu_leaves_are_named_with_reason_and_source(
    checked: Mapping[str, Check],
) -> None:
    unet = checked["unet.keras"]
    reasons = {(each.operation, each.reason) for each in unet.files[0].left_by_gpu}
    assert ("RESHAPE", "it has more than 4 axes") in reasons  # of its group norms
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render(unet))
    assert "float32, left to the CPU by LiteRT's GPU delegate: RESHAPE" in captured.get()
    assert "(https://github.com/" in captured.get()


def test_float_operations_of_the_int8_file_are_named(checked: Mapping[str, Check]) -> None:
    _, int8 = checked["unet.keras"].files
    assert any("group_normalization" in op for op in int8.float_ops)


def test_int8_file_that_cannot_be_made_says_why(
    files: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("head\nerror: 'tf.Foo' op is neither a custom op nor a flex op\n")

    monkeypatch.setattr("pipeline.tflite.convert.to_int8_post_training", fail)
    float32, int8 = check(load_teacher(files["dcgan.keras"]), "dcgan.keras").files
    assert float32.error == ""
    assert "tf.Foo" in int8.error
    assert int8.bytes is None


def test_generator_that_ignores_its_latents_is_doubted(k3: Callable[..., Path]) -> None:
    path = k3((4,), L.Dense(16, "tanh", kernel_initializer="zeros"), L.Reshape((4, 4, 1)))
    notes = check(load_teacher(path), "dead").notes
    assert any("the same picture" in note for note in notes)


def test_range_that_does_not_fit_is_doubted(k3: Callable[..., Path]) -> None:
    path = k3((4,), L.Dense(16, "tanh"), L.Reshape((4, 4, 1)))
    notes = check(load_teacher(path, pixels=(0, 1)), "wrong").notes
    assert any("look at --pixels" in note for note in notes)


@pytest.mark.parametrize("width", [80, 200])
def test_page_names_every_layer_and_ends_with_the_verdict(
    width: int, checked: Mapping[str, Check]
) -> None:
    for result in checked.values():
        console = Console(width=width, highlight=False)
        with console.capture() as captured:
            console.print(render(result))
        text = captured.get()
        for layer in result.layers:
            assert layer.name in text
        assert " ".join(text.split()).endswith(f"{result.path} {result.verdict}.")


@pytest.mark.parametrize("batch", [1, 2])
def test_saved_model_of_one_batch_size_has_an_int8_file(
    batch: int, saved_module: Callable[..., Path]
) -> None:
    path = saved_module(lambda z: tf.tanh(tf.reshape(z, [batch, 8, 8, 1])), batch=batch)
    files = check(load_teacher(path), str(path)).files
    assert [file.error for file in files] == ["", ""]


def test_loop_in_the_graph_has_no_int8_file_and_crashes_nothing(
    saved_module: Callable[..., Path],
) -> None:
    def looped(z: Any) -> Any:
        _, halved = tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v / 2), [0, z])
        return tf.tanh(tf.reshape(halved, [-1, 8, 8, 1]))

    path = saved_module(looped)
    float32, int8 = check(load_teacher(path), str(path)).files
    assert float32.error == ""
    assert "a loop in its graph" in int8.error


def test_class_beside_the_latents_leaves_a_generator_that_can_be_slimmed(tmp_path: Path) -> None:
    layers = keras.layers
    z, label = keras.Input((6,), name="z"), keras.Input((1,), name="label")
    one = layers.Reshape((4, 4, 2))(layers.Dense(32, "relu")(z))
    other = layers.Reshape((4, 4, 1))(layers.Dense(16)(layers.Embedding(3, 5)(label)))
    picture = layers.Conv2D(1, 3, padding="same", activation="tanh")(
        layers.Concatenate()([one, other])
    )
    keras.Model([z, label], picture).save(tmp_path / "model.keras")
    checked = check(load_teacher(tmp_path / "model.keras"), "model.keras")
    assert checked.slimming
    assert checked.files[1].error == ""
    assert checked.files[1].float_ops == ()
