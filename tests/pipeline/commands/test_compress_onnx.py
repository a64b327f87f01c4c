"""Ten ONNX generators, as exporters write them, through `check` and `compress` to an int8 file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from pipeline.cli import main
from pipeline.report.run import schema
from pipeline.report.run.gates import PSNR_OVER_TRIVIAL, measure
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw
from tests.pipeline.commands.test_compress_foreign import HARDLY_TRAINED
from tests.pipeline.importers.onnx_files import generators
from tests.pipeline.importers.onnx_files.conftest import OnnxWriter

TINY = (
    *("--quiet", "--name", "small", "--trials", "1", "--search.steps", "3", "--train.batch", "16"),
    *("--student.imitate", "600", "--student.steps", "0", "--quantize.steps", "12"),
    *("--quantize.calibration", "64", "--convert.calibration", "64", "--teacher.lessons", "512"),
    *("--evaluate.samples", "64", "--evaluate.judge_steps", "4", "--benchmark.threads", "[1]"),
    *("--benchmark.runs", "4", "--benchmark.rounds", "1", "--benchmark.warmup", "0"),
    *("--report.gates", "[float_ops == 0]"),
)


class Case(NamedTuple):
    write: Callable[[Any], onnx.ModelProto]
    most_macs: int
    facts: tuple[str, ...] = ()
    """What the file does not say."""
    external: bool = False
    """Whether its numbers lie in a file beside it."""


CASES: Mapping[str, Case] = {
    "transposed convolutions of a latent map": Case(generators.dcgan, 60_000),
    "its weights in a file beside it": Case(generators.linear, 50_000, external=True),
    "an embedded class": Case(generators.conditional, 60_000),
    "opset 9": Case(generators.of_opset_9, 80_000),
    "modulated convolutions": Case(generators.modulated, 40_000),
    "attention": Case(generators.attention, 60_000),
    "rounded to int8 already": Case(generators.quantized, 40_000),
    "instance norm": Case(generators.cyclegan, 400_000, ("--input-pixels", "-1", "1")),
    "PReLU and pixel shuffle": Case(generators.srgan, 300_000, ("--input-pixels", "0", "1")),
    "dense blocks, of any size": Case(
        *(generators.esrgan, 300_000),
        ("--input-size", "8x8", "--input-pixels", "0", "1", "--pixels", "0", "1"),
    ),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 smooth colour pictures of 16×16."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(1)
    for number in range(60):
        corners = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        picture = Image.fromarray(corners).resize((16, 16), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.png")
    return folder


def written(case: Case, folder: Path) -> Path:
    path = folder / "generator.onnx"
    beside = {"save_as_external_data": True, "size_threshold": 1024} if case.external else {}
    onnx.save(case.write(OnnxWriter()), str(path), **beside)
    assert len([*folder.iterdir()]) == 1 + case.external
    return path


def of_onnxruntime(path: Path, own_inputs: Sequence[np.ndarray]) -> np.ndarray:
    """What the exported file draws, channels last; a batch that it fixes in turns."""
    session = onnxruntime.InferenceSession(str(path))
    first = session.get_inputs()[0].shape[0]
    batch = first if isinstance(first, int) else len(own_inputs[0])
    names = [port.name for port in session.get_inputs()]
    turns = zip(*(np.split(x, len(x) // batch) for x in own_inputs), strict=True)
    rows = [session.run(None, dict(zip(names, turn, strict=True)))[0] for turn in turns]
    return np.concatenate(rows).transpose(0, 2, 3, 1)


def decibels_over_mean_picture(path: Path, name: str, file: Path) -> float:
    """PSNR of a file to the teacher on new latents, above that of the mean of its pictures."""
    random = np.random.default_rng(9)
    latents = random.normal(size=(128, 6)).astype(np.float32)
    if name == "conditional":
        classes = np.eye(5, dtype=np.float32)[random.integers(0, 5, len(latents))]
        latents = np.concatenate([latents, classes], axis=1)
    teachers = of_onnxruntime(path, generators.own_inputs(name, latents))
    errors = np.square(draw(file, latents) - teachers).mean()
    spread = np.square(teachers.mean(axis=0) - teachers).mean()
    return float(10 * np.log10(spread / errors))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_exported_generator_becomes_an_int8_file_that_beats_what_needs_no_network(
    name: str, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    path, runs = written(case, tmp_path), tmp_path / "runs"
    assert main(["check", str(path), *case.facts]) == 0
    assert "can be compressed" in capfd.readouterr().out
    reads_pictures = "--input-pixels" in case.facts
    facts = [*case.facts, *(("--inputs", str(photos)) if reads_pictures else HARDLY_TRAINED)]
    budget = ("--max-macs", str(case.most_macs))
    assert main(["compress", str(path), "--runs", str(runs), *budget, *TINY, *facts]) == 0
    assert capfd.readouterr() == ("", "")
    report = schema.read(runs / "small" / "8-report" / "report.json")
    assert all(gate.passed for gate in report.gates)
    (shipped,) = (variant for variant in report.variants if variant.name == "int8")
    file = runs / "small" / shipped.path
    assert float_ops(read_model(file)) == []
    if reads_pictures:
        above = measure(PSNR_OVER_TRIVIAL, report).value
    else:
        above = decibels_over_mean_picture(path, case.write.__name__, file)
    assert above is not None
    assert above > 0
