"""Five generators of other people, through `compress` with the least that still runs."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipeline.cli import main
from pipeline.report.run import schema
from pipeline.report.run.gates import measure
from pipeline.report.run.wording import headline
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE

L = keras.layers
TINY = (
    *("--quiet", "--name", "small", "--trials", "1", "--search.steps", "3", "--train.batch", "8"),
    *("--student.imitate", "4", "--student.steps", "4", "--quantize.steps", "4"),
    *("--quantize.calibration", "16", "--convert.calibration", "16", "--teacher.lessons", "64"),
    *("--evaluate.samples", "32", "--evaluate.judge_steps", "8", "--benchmark.threads", "[1]"),
    *("--benchmark.runs", "4", "--benchmark.rounds", "1", "--benchmark.warmup", "0"),
    *("--report.gates", "[float_ops == 0, psnr_over_trivial >= -99]"),
)
"""Of a student with so few steps, which draws worse than what needs no network."""
HARDLY_TRAINED = ("--report.gates", "[float_ops == 0, recall_drop <= 1]")
"""Of one of latents: it has not the variety that is asked of others."""


@pytest.fixture(scope="module")
def generators(
    foreign: Any, foreign_inputs: Any, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """Name → file, and the discriminator of one of them."""
    folder = tmp_path_factory.mktemp("generators")
    keras.utils.set_random_seed(1)
    models = {
        "dcgan": foreign.dcgan(8, 8),
        "conditional": foreign.conditional(16, 16, 10),
        "resize_conv": foreign.resize_conv(8, 8),
        "unet": foreign.unet(8, 32),
        "custom": foreign.custom_layer(16, 8),
        "subclassed": foreign.subclassed(8, 8),
        "inpainting": foreign_inputs["inpainting"](keras, 96),
        "discriminator": keras.Sequential(
            [
                *(keras.Input((64, 64, 3)), L.Conv2D(4, 4, 4), L.LeakyReLU(negative_slope=0.2)),
                *(L.Flatten(), L.Dropout(0.2), L.Dense(1, activation="sigmoid")),
            ]
        ),
    }
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    return {name: folder / f"{name}.keras" for name in models}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 60 colour pictures of 32×32."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(60):
        squares = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = np.kron(squares, np.ones((8, 8, 1), np.uint8))
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


CASES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "DCGAN with nothing else": ("dcgan", ("--max-gzip-kb", "8")),
    "DCGAN with its discriminator": (
        *("dcgan", ("--max-gzip-kb", "8", "--discriminator", "{discriminator}")),
    ),
    "conditional": ("conditional", ("--classes", "10", "--max-kb", "16")),
    "conditional with data": (
        *("conditional", ("--classes", "10", "--max-kb", "16", "--data", "digits")),
    ),
    "resize-conv, slimmed": (
        *("resize_conv", ("--max-gzip-kb", "8", "--search.blocks", "[slim]")),
    ),
    "U-Net": ("unet", ("--inputs", "{photos}", "--input-pixels", "-1", "1", "--max-kb", "24")),
    "a picture and its mask": (
        *("inpainting", ("--inputs", "{photos}", "--input-pixels", "-1", "1", "--max-kb", "16")),
    ),
    "custom layer": ("custom", ("--custom", "{custom}", "--max-macs", "40000")),
    "subclassed": ("subclassed", ("--custom", "{custom}", "--max-kb", "14")),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_generator_of_others_becomes_an_int8_file_within_the_budget(
    case: str,
    generators: Mapping[str, Path],
    photos: Path,
    foreign: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name, options = CASES[case]
    places = {
        "photos": photos,
        "custom": foreign.__file__,
        "discriminator": generators["discriminator"],
    }
    filled = [option.format(**places) for option in options]
    runs = tmp_path / "runs"
    command = ["compress", str(generators[name]), "--runs", str(runs), *filled, *TINY]
    assert main([*command, *(() if "--inputs" in filled else HARDLY_TRAINED)]) == 0
    assert capfd.readouterr() == ("", "")
    report = schema.read(runs / "small" / "8-report" / "report.json")
    variants = {variant.name: variant for variant in report.variants}
    assert variants["int8"].float_ops == 0
    assert all(gate.passed for gate in report.gates)
    file = read_model(runs / "small" / variants["int8"].path)
    chosen = json.loads((runs / "small" / "2-search" / "choice.json").read_text())["chosen"]
    if "--max-macs" in filled:
        assert variants["int8"].macs == chosen["cost"]["macs"] <= 40000
    assert file.size < variants["float32"].bytes
    provenance = json.loads(file.metadata[PROVENANCE])
    parts = [part["kind"] for part in provenance.get("inputs", [])]
    assert parts == (["picture", "mask"] if name == "inpainting" else [])


@pytest.mark.slow
def test_generator_that_tflite_cannot_run_has_a_student_and_no_files_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module = tf.Module()
    module.kernel = tf.Variable(tf.random.stateless_normal([6, 256], [1, 2]))
    module.draw = tf.function(
        lambda z: tf.reshape(tf.tanh(tf.math.bessel_i0e(z @ module.kernel)), [-1, 16, 16, 1]),
        input_signature=[tf.TensorSpec([None, 6], name="z")],
    )
    path, runs = tmp_path / "module", tmp_path / "runs"
    tf.saved_model.save(module, str(path), signatures=module.draw)
    command = ["compress", str(path), "--runs", str(runs), "--max-gzip-kb", "4", *TINY]
    assert main([*command, *HARDLY_TRAINED]) == 0
    assert capfd.readouterr() == ("", "")
    report = schema.read(runs / "small" / "8-report" / "report.json")
    assert [variant.name for variant in report.variants] == ["student-float32", "int8"]
    assert report.teacher is not None
    assert all(variant.quality.psnr is not None for variant in report.variants)
    (convert,) = (stage for stage in report.stages if stage.name == "convert")
    assert [event.split(":")[0] for event in convert.events] == [
        "float32 is missing",
        "int8-ptq is missing",
    ]
    assert measure("frechet_ratio", report).value is not None
    assert headline(report).startswith("Beside its teacher int8 draws")


BAD: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "pictures but no folder": ("unet", ("--input-pixels", "-1", "1"), "--inputs FOLDER"),
    "a folder that is not there": (
        *("unet", ("--input-pixels", "-1", "1", "--inputs", "nowhere"), "nowhere does not exist"),
    ),
    "too few pictures": (
        *("unet", ("--input-pixels", "-1", "1", "--inputs", "{few}"), "holds 5 pictures"),
    ),
    "black and white unknown": ("unet", ("--inputs", "{photos}"), "--input-pixels"),
    "another's discriminator": (
        *("resize_conv", ("--discriminator", "{discriminator}"), "a discriminator of this"),
    ),
    "other classes than the data's": (
        *("conditional", ("--classes", "4", "--data", "digits"), "draws 4 classes"),
    ),
    "a discriminator as generator": ("discriminator", (), "discriminator"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_go_together_is_one_message_and_leaves_nothing(
    case: str,
    generators: Mapping[str, Path],
    photos: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name, options, message = BAD[case]
    few = tmp_path / "few"
    few.mkdir()
    for number in range(5):
        (few / f"{number}.png").write_bytes((photos / f"{number}.png").read_bytes())
    places = {"photos": photos, "few": few, "discriminator": generators["discriminator"]}
    filled = [option.format(**places) for option in options]
    runs = tmp_path / "runs"
    code = main(["compress", str(generators[name]), "--runs", str(runs), "--max-kb", "16", *filled])
    out, err = capfd.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("pocketgan: ")
    assert message in " ".join(err.split())
    assert not (runs / "small").exists()
    assert [path.name for path in runs.glob("*")] in ([], [".cache"])


@pytest.mark.parametrize(
    ("name", "message"), [("custom", "--custom FILE"), ("subclassed", "--custom FILE")]
)
def test_unknown_layers_are_told_how_to_be_known(
    name: str, message: str, generators: Mapping[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    registered = keras.saving.get_custom_objects()
    removed = {key: registered.pop(key) for key in [*registered] if key.startswith("foreign>")}
    try:
        assert main(["compress", str(generators[name]), "--max-kb", "16"]) == 2
    finally:
        registered.update(removed)
    assert message in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize("bad", ["nan", "lambda", "outputs"])
def test_generator_that_check_refuses_is_refused(
    bad: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    latent = keras.Input((4,))
    x = L.Dense(64, activation="tanh", name="wide")(latent)
    x = L.Lambda(lambda v: v * 1.0, output_shape=(64,))(x) if bad == "lambda" else x
    picture = L.Reshape((8, 8, 1))(x)
    model = keras.Model(latent, [picture, x] if bad == "outputs" else picture)
    if bad == "nan":
        model.get_layer("wide").set_weights([np.full((4, 64), np.nan), np.zeros(64)])
    model.save(tmp_path / "model.keras")
    runs: Callable[[], bool] = (tmp_path / "runs").exists
    arguments = [str(tmp_path / "model.keras"), "--runs", str(tmp_path / "runs"), "--max-kb", "9"]
    assert main(["compress", *arguments]) == 2
    message = {"nan": "not finite", "lambda": "--allow-unsafe", "outputs": "2 outputs"}[bad]
    assert message in " ".join(capfd.readouterr().err.split())
    assert not runs()


def test_command_in_the_message_has_what_the_file_and_the_person_leave_out(
    foreign_inputs: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.keras"
    foreign_inputs["any_size"](keras).save(path)
    assert main(["compress", str(path), "--max-kb", "9", "--search.trials", "2"]) == 2
    err = capfd.readouterr().err
    command = shlex.split(err[err.index("pocketgan compress") :])
    assert command[2:6] == [str(path), "--max-kb", "9", "--search.trials"]
    added = "--input-size 256x256 --input-pixels -1 1 --pixels -1 1 --inputs FOLDER"
    assert command[7:] == added.split()
