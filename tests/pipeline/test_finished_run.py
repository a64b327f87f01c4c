import shutil
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from pipeline.finished_run import generator_of, open_run
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER


def test_a_finished_run_is_found_by_name_and_by_folder(tiny_runs: Path) -> None:
    for name, runs in (("tiny", tiny_runs), (str(tiny_runs / "tiny"), Path("runs"))):
        run = open_run(name, runs)
        assert run.unfinished == ()
        assert [*run.records] == [*FROM_SCRATCH.names]
        assert run.report is not None
        assert run.source == "digits"
        assert run.variant("int8").name == "int8.tflite"


def test_a_run_that_is_not_there_is_told_with_those_that_are(tiny_runs: Path) -> None:
    with pytest.raises(PocketganError, match="There is no run 'large'") as raised:
        open_run("large", tiny_runs)
    assert f"Runs in {tiny_runs}: tiny." in str(raised.value)
    with pytest.raises(PocketganError, match=r"There is no run in .*nowhere yet"):
        open_run("large", tiny_runs / "nowhere")


@pytest.mark.parametrize(("name", "recipe"), [("article", "article"), ("mine", "digits")])
def test_way_to_a_run_that_is_not_there_names_a_recipe(
    name: str, recipe: str, tmp_path: Path
) -> None:
    with pytest.raises(PocketganError) as raised:
        open_run(name, tmp_path)
    assert f"`pocketgan run {recipe} --runs {tmp_path}` makes one" in raised.value.remedy


@pytest.mark.parametrize(
    ("gone", "problem"),
    [
        ("7-report", ("stage report has not run",)),
        ("7-report/stage.json", ("stage report left a broken record",)),
        ("4-convert/int8.tflite", ("stage convert: int8.tflite is missing or was changed",)),
        ("1-train", ("stage train has not run",)),
    ],
)
def test_what_is_missing_is_said_first(
    gone: str, problem: tuple[str, ...], tiny_copy: Path
) -> None:
    path = tiny_copy / "tiny" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    run = open_run("tiny", tiny_copy)
    assert run.unfinished[:1] == problem
    assert run.report is None


def test_a_changed_file_is_found(tiny_copy: Path) -> None:
    path = tiny_copy / "tiny" / "4-convert" / "int8.tflite"
    changed = bytearray(path.read_bytes())
    changed[1000] ^= 1
    path.write_bytes(changed)
    run = open_run("tiny", tiny_copy)
    assert run.unfinished[0] == "stage convert: int8.tflite is missing or was changed"
    assert run.unfinished[1] == "stage evaluate needs convert, which is not complete"


def test_a_report_of_older_measurements_is_found(tiny_copy: Path) -> None:
    record = tiny_copy / "tiny" / "6-benchmark" / "stage.json"
    record.write_text(record.read_text().replace('"seconds": ', '"seconds": 1'))
    assert open_run("tiny", tiny_copy).unfinished == (
        "stage report was made from another benchmark than is there now",
    )


def test_an_unknown_variant_lists_those_there_are(tiny_runs: Path) -> None:
    with pytest.raises(PocketganError, match="has no variant 'int4'") as raised:
        open_run("tiny", tiny_runs).variant("int4")
    assert "float32, float16, dynamic-range, int8-ptq" in str(raised.value)


def test_a_compressed_run_is_found_with_the_stages_of_its_own_path(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    assert run.unfinished == ()
    assert [*run.records] == [*FROM_TEACHER.names]
    assert run.stage("convert").name == "5-convert"
    assert run.source == "digits"
    assert run.variant("student-float32").is_file()


def test_what_a_compressed_run_lacks_is_said(small_copy: Path) -> None:
    shutil.rmtree(small_copy / "small" / "1-teacher")
    assert open_run("small", small_copy).unfinished[:2] == (
        "stage teacher has not run",
        "stage search needs teacher, which is not complete",
    )


def test_run_without_a_trained_generator_gives_none(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("seed: 1\n")
    with pytest.raises(PocketganError, match="without a trained generator") as raised:
        generator_of(tmp_path)
    assert raised.value.remedy


def test_run_that_is_compressed_already_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("teacher: {file: dcgan.keras}\n")
    with pytest.raises(PocketganError, match="what it made is compressed already"):
        generator_of(tmp_path)
