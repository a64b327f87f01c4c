"""A generator and a budget, through the command, to a finished run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.lite.read import read_model
from pipeline.recipe_file import load
from pipeline.report import schema
from pipeline.run import COMPRESSION, RECORD, Record, Run
from pipeline.variants import find_variants

Compress = Callable[..., int]


def run_in(runs: Path) -> Run:
    return Run(load(str(runs / "small" / "recipe.yaml")), runs)


def record_of(run: Run, stage: str) -> Record:
    found = run.record(stage)
    assert found is not None
    return found


def stamps(runs: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in runs.glob("small/*/" + RECORD)}


def made_since(before: dict[str, int], runs: Path) -> list[str]:
    return sorted(stage for stage, stamp in stamps(runs).items() if before.get(stage) != stamp)


# ---------------------------------------------------------------------- what a run leaves


def test_run_leaves_a_folder_a_stage_and_nothing_half_written(small_runs: Path) -> None:
    stages = {f"{number}-{name}" for number, name in enumerate(COMPRESSION, start=1)}
    inside = {path.name for path in (small_runs / "small").iterdir()}
    assert inside == stages | {"recipe.yaml", ".lock"}
    assert not [*small_runs.rglob("*.partial"), *small_runs.rglob(".scratch")]


def test_record_names_every_file_of_its_stage_and_every_input(small_runs: Path) -> None:
    run = run_in(small_runs)
    for name, stage in COMPRESSION.items():
        record, folder = record_of(run, name), run.path(name)
        found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert {RECORD, *record.outputs} == found
        assert set(record.inputs) == set(stage.needs)
        assert set(record.settings) == set(stage.sections)
        assert run.is_fresh(name)


def test_recipe_of_the_run_is_taken_over_and_its_budget_becomes_gates(
    small_runs: Path, tiny_runs: Path
) -> None:
    recipe = run_in(small_runs).recipe
    of_teacher = load(str(tiny_runs / "tiny" / "recipe.yaml"))
    assert (recipe.seed, recipe.data, recipe.train, recipe.discriminator) == (
        *(of_teacher.seed, of_teacher.data, of_teacher.train, of_teacher.discriminator),
    )
    assert recipe.generator.latent == of_teacher.generator.latent
    assert recipe.teacher.file == tiny_runs / "tiny"
    assert recipe.teacher.discriminator == tiny_runs / "tiny" / "1-train" / "discriminator.keras"
    assert recipe.report.gates == ["float_ops == 0", "bytes_gzip <= 5000"]


def test_int8_file_keeps_the_budget_and_float32_is_the_teachers(
    small_runs: Path, tiny_runs: Path
) -> None:
    report = schema.read(run_in(small_runs).path("report") / "report.json")
    teachers = schema.read(tiny_runs / "tiny" / "7-report" / "report.json")
    by_name = {variant.name: variant for variant in report.variants}
    assert [*by_name] == ["float32", "int8-ptq", "student-float32", "int8"]
    assert by_name["int8"].float_ops == by_name["int8-ptq"].float_ops == 0
    assert by_name["int8"].bytes_gzip <= 5000
    assert by_name["float32"].macs == teachers.variants[0].macs
    assert by_name["float32"].parameters == teachers.variants[0].parameters
    assert by_name["float32"].quality.frechet == teachers.variants[0].quality.frechet
    assert not report.failed_gates


def test_expected_cost_is_near_that_of_the_file(small_runs: Path) -> None:
    run = run_in(small_runs)
    expected = record_of(run, "search").metrics["expected"]
    file = read_model(find_variants(run.path("convert"))["int8"])
    assert 0.8 < file.size / expected["bytes"] < 1.25
    assert file.size_gzip <= 5000


def test_page_stands_alone(small_runs: Path) -> None:
    page = (run_in(small_runs).path("report") / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert 'src="http' not in page


# ---------------------------------------------------------------------- again


def test_second_call_does_nothing(small_copy: Path, compress: Compress) -> None:
    before = stamps(small_copy)
    assert compress(small_copy) == 0
    assert made_since(before, small_copy) == []


def test_longer_teaching_keeps_the_search(small_copy: Path, compress: Compress) -> None:
    before = stamps(small_copy)
    assert compress(small_copy, "--student.imitate", "9") == 0
    assert made_since(before, small_copy)[0] == "3-student"


def test_failed_gate_exits_3_and_the_result_as_json_is_one_document(
    small_copy: Path, compress: Compress, capfd: pytest.CaptureFixture[str]
) -> None:
    assert compress(small_copy, "--report.gates", "[bytes_gzip <= 10]", "--json") == 3
    out, err = capfd.readouterr()
    assert err == ""
    told = json.loads(out)
    assert [stage["stage"] for stage in told["stages"]] == [*COMPRESSION]
    assert told["report"]["gates"][0]["passed"] is False


def test_stage_of_the_other_path_is_refused(
    small_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(small_copy / "small" / "recipe.yaml")
    assert main(["prune", recipe, "--runs", str(small_copy), "--quiet"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "has no stage prune" in told
    assert "teacher, search, student" in told
