import json
from pathlib import Path

import pytest

from pipeline.artifacts import CHOICE
from pipeline.cli import main
from pipeline.networks.settings import StudentSettings
from pipeline.plans import FROM_SCRATCH
from pipeline.recipe.plain import as_dict
from pipeline.recipe.reading import load_recipe
from pipeline.report.run import schema
from pipeline.run import Run
from pipeline.search.budget import FileCost
from pipeline.search.candidates import Candidate
from pipeline.search.trials import WORST
from pipeline.stages.report import _student
from pipeline.tflite import count
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model


@pytest.fixture
def report(tiny: Run) -> schema.Report:
    return schema.read(tiny.path("report") / "report.json")


def test_report_names_recipe_data_judge_and_every_stage_before_it(
    report: schema.Report, tiny: Run
) -> None:
    assert report.recipe == as_dict(tiny.recipe)
    assert (report.recipe_name, report.seed) == ("tiny", 1)
    assert report.dataset.sha256 == tiny.dataset.sha256
    assert [stage.name for stage in report.stages] == [
        name for name in FROM_SCRATCH.names if name != "report"
    ]
    for stage in report.stages:
        record = tiny.record(stage.name)
        assert record is not None
        assert (stage.seconds, list(stage.events)) == (record.seconds, record.events)
    assert report.environment["tensorflow"]


def test_figures_of_a_variant_are_read_off_its_file(report: schema.Report, tiny: Run) -> None:
    for variant in report.variants:
        path = tiny.folder / variant.path
        model = read_model(path)
        assert variant.bytes == path.stat().st_size
        assert variant.zeros == count.zero_share(count.kernels(model))
        assert variant.float_ops == len(float_ops(model))
        assert sum(kernel.size for kernel in variant.kernels) > 0


def test_quality_and_speed_of_a_variant_are_those_that_were_measured(
    report: schema.Report, tiny: Run
) -> None:
    judged = json.loads((tiny.path("evaluate") / "quality.json").read_text())["variants"]
    timed = json.loads((tiny.path("benchmark") / "measurements.json").read_text())
    for variant, timing in zip(report.variants, timed, strict=True):
        assert variant.quality.frechet == judged[variant.name]["frechet"]
        assert [m.p50_ms for m in variant.measurements] == [timing["p50_ms"]]
        shares = variant.quality.class_histogram
        assert shares is not None
        assert sum(shares) == pytest.approx(1)


def test_only_variants_of_a_fake_quantized_model_tell_how_near_they_are_to_it(
    report: schema.Report,
) -> None:
    near = {variant.name for variant in report.variants if variant.qat_steps is not None}
    assert near == {"int8", "int8-qat"}


def test_page_stands_alone_and_shows_samples_curves_and_film(tiny: Run) -> None:
    page = (tiny.path("report") / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "data:image/gif;base64," in page
    for title in ("train", "prune", "quantize int8", "quantize int8-qat"):
        assert title in page
    assert 'src="http' not in page


@pytest.fixture(scope="module")
def small(small_runs: Path) -> Run:
    """The finished compress run. For looking at only."""
    return Run(load_recipe(str(small_runs / "small" / "recipe.yaml")), small_runs)


@pytest.fixture(scope="module")
def searched(small: Run) -> schema.SearchReport:
    choice = schema.read(small.path("report") / "report.json").search
    assert choice is not None
    return choice


def test_search_of_a_compress_run_is_that_of_its_stage(
    searched: schema.SearchReport, small: Run
) -> None:
    choice = CHOICE.read(small.path("search"))
    assert (searched.chosen, searched.reason) == (choice.chosen.number, choice.reason)
    assert [one.number for one in searched.tried] == [one.number for one in choice.candidates]
    for student, tried in zip(searched.tried, choice.candidates, strict=True):
        assert (student.words, student.distance, student.steps) == (
            tried.description,
            tried.score,
            tried.steps,
        )
        assert (student.bytes_gzip, student.macs) == (tried.cost.bytes_gzip, tried.cost.macs)
    assert searched.limits == {"bytes_gzip": 5000.0}
    assert searched.teacher == "the teacher of run tiny"
    assert (searched.reads, searched.real_pictures) == ("latents", True)


def test_predictions_stand_beside_what_the_shipped_file_is(
    searched: schema.SearchReport, small: Run
) -> None:
    model = read_model(small.path("convert") / "int8.tflite")
    predictions = {one.quantity: one for one in searched.predictions}
    assert predictions["bytes"].measured == model.size
    assert predictions["bytes_gzip"].measured == model.size_gzip
    assert predictions["macs"].measured == predictions["macs"].predicted == count.total_macs(model)
    assert predictions["p50_ms"].predicted is None
    assert predictions["p50_ms"].measured is not None


def test_student_that_was_given_has_no_distance() -> None:
    cost = FileCost(bytes=1000, bytes_gzip=500, macs=100, p50_ms=0.1)
    candidate = Candidate(
        number=0, student=StudentSettings(), bits=8, zeros=0, cost=cost, steps=0, score=0.0,
        finished=True,
    )  # fmt: skip
    assert _student(candidate).distance is None
    assert _student(candidate).absent["distance"] == "it was given, not tried"
    broken = candidate.model_copy(update={"steps": 9, "score": WORST})
    assert _student(broken).absent["distance"] == "its pictures were no numbers"
    drew = candidate.model_copy(update={"steps": 9, "score": 3.0})
    assert (_student(drew).distance, _student(drew).p50_ms) == (3.0, 0.1)


@pytest.mark.parametrize(
    "gate", ["zeros => 3", "beauty >= 3", "frechet_below_trivial > 0", "psnr_hole_drop <= 1"]
)
def test_gate_that_cannot_be_read_is_refused_before_anything_runs(
    gate: str, tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--runs", str(tmp_path), "--report.gates", f"[{gate}]", "--quiet"]
    assert main(["run", str(tiny_recipe), *arguments]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "report.gates: " in message
    assert gate in message
    assert not (tmp_path / "tiny").exists()
