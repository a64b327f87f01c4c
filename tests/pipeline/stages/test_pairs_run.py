"""A whole run of a translator, from pairs made of pictures to the report, and its student."""

import json
import re
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.bundle.verify import verify
from pipeline import progress
from pipeline.artifacts import EVALUATION, PAIRS, SIZES, read_distillation_set, read_samples
from pipeline.cli import main
from pipeline.recipe.reading import load_recipe
from pipeline.report.run import schema
from pipeline.run import Run
from pipeline.stage import FIRST_FILE
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, read_metadata

RECIPE = """
name: pairs
data: {source: folder, folder: FOLDER, degrade: half, image_size: 32, channels: 3}
generator: {name: residual, width: 8}
discriminator: {width: 2}
train: {steps: 4, batch: 8, check_every: 2}
prune: {steps: 4, sparsity: 0.5, every: 1}
quantize: {steps: 4, calibration: 16}
convert: {calibration: 16, sizes: [24x16]}
evaluate: {samples: 12, judge: trained, judge_steps: 4}
benchmark: {threads: [1], runs: 4, rounds: 1, warmup: 0}
"""
STUDENT = (
    *("--quiet", "--name", "small", "--max-gzip-kb", "4", "--max-macs", "9999999"),
    *("--teacher.lessons", "200", "--trials", "1", "--search.steps", "3", "--student.imitate", "4"),
    *("--quantize.steps", "4", "--quantize.calibration", "16", "--train.batch", "8"),
    *("--benchmark.threads", "[1]", "--benchmark.runs", "4", "--benchmark.rounds", "1"),
)


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a translator's run, `pairs`. For looking at only."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "pictures").mkdir()
    random = np.random.default_rng(1)
    for number in range(60):
        squares = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = np.kron(squares, np.ones((4, 4, 1), np.uint8))
        Image.fromarray(picture).save(folder / "pictures" / f"{number}.png")
    recipe = folder / "pairs.yaml"
    recipe.write_text(RECIPE.replace("FOLDER", str(folder / "pictures")))
    assert main(["run", str(recipe), "--quiet", "--runs", str(folder / "runs")]) in (0, 3)
    return folder / "runs"


@pytest.fixture(scope="module")
def runs(translator: Path) -> Path:
    """The same folder with its student's run, `small`. For looking at only."""
    command = ["compress", str(translator / "pairs"), *STUDENT, "--runs", str(translator)]
    assert main(command) in (0, 3)
    progress.console.quiet = False
    return translator


@pytest.mark.parametrize(("run", "convert"), [("pairs", "4-convert"), ("small", "5-convert")])
def test_int8_file_of_a_translator_reads_small_pictures_and_draws_large_ones(
    run: str, convert: str, runs: Path
) -> None:
    content = (runs / run / convert / "int8.tflite").read_bytes()
    model = read_model(content)
    assert [tensor.shape for tensor in model.inputs] == [(1, 16, 16, 3)]
    assert [tensor.shape for tensor in model.outputs] == [(1, 32, 32, 3)]
    assert not float_ops(model)
    facts = json.loads(read_metadata(content, PROVENANCE) or b"{}")
    assert facts["input_pixels"] == [-1.0, 1.0]
    assert "latent" not in facts


@pytest.mark.parametrize("run", ["pairs", "small"])
def test_bundle_of_a_translator_is_sound_and_says_what_it_reads(
    run: str, runs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    command = ["bundle", run, "--runs", str(runs), "--out", str(out), "--force", "--json"]
    assert main(command) == 0
    check = verify(out)
    assert check.problems == ()
    assert check.model is not None
    assert check.model.picture is not None
    picture = check.model.picture
    assert (picture.low, picture.high, picture.channels, picture.mask) == (-1, 1, "rgb", False)
    assert picture.tiles is not None
    assert picture.tiles.scale == 2
    card = (out / "CARD.md").read_text(encoding="utf-8")
    assert "32×32 pictures, in colour, of 16×16 ones" in card
    assert "| bicubic | floor |" in card
    assert "PSNR to the truth" in card
    assert "latent" not in card


def test_further_sizes_are_written_oblong_ones_too(translator: Path) -> None:
    model = read_model(translator / "pairs" / "4-convert" / SIZES / "int8-24x16.tflite")
    assert model.inputs[0].shape == (1, 16, 24, 3)
    assert model.outputs[0].shape == (1, 32, 48, 3)
    assert not float_ops(model)


def test_bundle_of_a_further_size_holds_its_file_and_pictures_of_that_size(
    translator: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    command = ["bundle", "pairs", "--runs", str(translator), "--out", str(out), "--force"]
    assert main([*command, "--size", "24x16"]) == 0
    check = verify(out)
    assert check.problems == ()
    assert check.model is not None
    assert check.model.input.shape == (1, 16, 24, 3)
    assert check.model.measurements == ()
    file = translator / "pairs" / "4-convert" / SIZES / "int8-24x16.tflite"
    assert (out / "generator.tflite").read_bytes() == file.read_bytes()
    assert "measured its own size, and not 24x16" in (out / "CARD.md").read_text(encoding="utf-8")
    assert main([*command, "--size", "9x9"]) == 2
    assert main([*command, "--size", "24x16", "--gallery"]) == 2


@pytest.mark.parametrize(("run", "number"), [("pairs", 7), ("small", 8)])
def test_report_holds_a_translator_against_the_truth_and_what_needs_no_network(
    run: str, number: int, runs: Path
) -> None:
    report = schema.read(runs / run / f"{number}-report" / "report.json")
    assert report.trivial is not None
    assert report.trivial.name == "bicubic"
    quantities = {gate.text.split()[0] for gate in report.gates}
    assert {"psnr_over_trivial", "qat_within_bound"} <= quantities
    shipped = report.variant("int8")
    assert shipped is not None
    assert shipped.quality.psnr_truth is not None
    assert shipped.measurements[0].p50_ms is not None
    assert f"bicubic: {report.trivial.quality.psnr_truth:.1f}" in (
        runs / run / f"{number}-report" / "report.html"
    ).read_text(encoding="utf-8")


def test_evaluation_uses_each_test_picture_once(translator: Path) -> None:
    evaluation = EVALUATION.read(translator / "pairs" / "5-evaluate")
    assert {quality.samples for quality in evaluation.variants.values()} == {12}
    samples = read_samples(translator / "pairs" / "5-evaluate")
    assert len(np.unique(samples["input"], axis=0)) == len(samples["input"])
    assert samples["real"].shape[1:] == (32, 32, 3)


def test_student_learns_from_mirrored_and_moved_pictures_too_and_says_what_more_time_would_bring(
    runs: Path,
) -> None:
    teacher = json.loads((runs / "small" / "1-teacher" / "stage.json").read_text())
    pairs = read_distillation_set(runs / "small" / "1-teacher", PAIRS)
    assert len(pairs) == teacher["metrics"]["lessons"] == 200
    count = round(48 * 0.85)
    np.testing.assert_array_equal(pairs.inputs[count : 2 * count], pairs.inputs[:count, :, ::-1])
    assert len(np.unique(pairs.inputs, axis=0)) == 200
    (trained,) = events_of(runs / "pairs" / "1-train")
    assert re.match(r"game: \S+ dB to the truth after half of its 4 steps, \S+ dB to the", trained)
    (distilled,) = events_of(runs / "small" / "3-student")
    assert distilled.startswith("distillation: ")
    (rounded,) = events_of(runs / "small" / "4-quantize")
    assert re.match(r"int8: rounding, last round: \S+ dB to the teacher's pictures after", rounded)
    page = unescape((runs / "small" / "8-report" / "report.html").read_text(encoding="utf-8"))
    for event in (distilled, rounded):
        assert "--minutes 30" in event
        assert event in page


def events_of(stage: Path) -> list[str]:
    events: list[str] = json.loads((stage / "stage.json").read_text())["events"]
    return events


def test_first_file_is_there_before_the_student_is_rounded_and_goes_when_all_is_done(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (runs / "small" / FIRST_FILE).exists()
    copy = shutil.copytree(runs, tmp_path / "runs")
    shutil.rmtree(copy / "small" / "3-student")
    Run(load_recipe(str(copy / "small" / "recipe.yaml")), copy).make("student")
    content = (copy / "small" / FIRST_FILE).read_bytes()
    assert f"({len(content):,} bytes)" in capsys.readouterr().err
    model = read_model(content)
    assert not float_ops(model)
    assert [tensor.shape for tensor in model.outputs] == [(1, 32, 32, 3)]
    facts = json.loads(read_metadata(content, PROVENANCE) or b"")
    assert facts["variant"] == "first"
    assert facts["pixels"] == facts["input_pixels"] == [-1, 1]
