import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.bundle.schema import Latent, PictureInput
from deploy.errors import PocketganError
from pipeline import gallery_contents
from pipeline.finished_run import open_run
from pipeline.gallery_contents import gallery_of
from pipeline.report.run.schema import TrivialReport


def test_page_of_a_run_shows_int8_beside_float32_with_the_reports_words(tiny_runs: Path) -> None:
    run = open_run("tiny", tiny_runs)
    contents = gallery_of([run])
    assert [file.label for file in contents.files] == ["int8", "float32"]
    assert (contents.shipped, contents.reference) == (0, 1)
    assert contents.files[0].content == run.variant("int8").read_bytes()
    assert contents.files[0].quality.startswith("Fréchet")
    assert contents.table is not None
    assert contents.table.rows[0][0] == "float32"
    assert isinstance(contents.files[0].reads, Latent)
    assert not len(contents.examples)


def test_table_of_a_translator_ends_with_its_trivial_baseline(tiny_runs: Path) -> None:
    run = open_run("tiny", tiny_runs)
    assert run.report is not None
    trivial = TrivialReport(name="bicubic", quality=run.report.floor)
    translator = run.report.model_copy(update={"trivial": trivial})
    contents = gallery_of([replace(run, report=translator)])
    assert contents.table is not None
    *_, last = contents.table.rows
    frechet = f"{run.report.floor.frechet:.2f}"
    assert (last[0], len(last)) == ("bicubic", len(contents.table.columns))
    assert any(cell.startswith(frechet[:3]) for cell in last[1:])


def test_files_stand_by_size_whatever_the_order_of_their_names(tiny_runs: Path) -> None:
    contents = gallery_of([open_run("tiny", tiny_runs)], ["float32", "float16", "int8"])
    assert [file.label for file in contents.files] == ["int8", "float16", "float32"]


def test_a_heavy_float_file_is_left_out_unless_it_is_named(
    tiny_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_contents, "MOST_UNASKED", 10)
    run = open_run("tiny", tiny_runs)
    contents = gallery_of([run])
    assert ([file.label for file in contents.files], contents.reference) == (["int8"], None)
    assert len(gallery_of([run], ["int8", "float32"]).files) == 2


def test_a_variant_that_the_run_lacks_is_refused(tiny_runs: Path) -> None:
    with pytest.raises(PocketganError, match="no variant 'student-float32'"):
        gallery_of([open_run("tiny", tiny_runs)], ["student-float32"])


def test_two_runs_share_a_page_and_files_bear_their_names(tiny_copy: Path) -> None:
    shutil.copytree(tiny_copy / "tiny", tiny_copy / "other")
    other = tiny_copy / "other" / "4-convert"
    shutil.copyfile(other / "int8-ptq.tflite", other / "int8.tflite")
    runs = [open_run(name, tiny_copy) for name in ("tiny", "other")]
    contents = gallery_of(runs, ["int8", "float32"])
    assert {file.label for file in contents.files} == {"tiny int8", "other int8", "tiny float32"}
    assert contents.title == "tiny and 1 more"


def test_a_failed_gate_is_told(failed: Path) -> None:
    gates = gallery_of([open_run("tiny", failed)]).gates
    assert ("zeros >= 0.99", False) in [(gate.text, gate.passed) for gate in gates]


def test_without_a_report_there_is_no_table(unfinished: Path) -> None:
    contents = gallery_of([open_run("tiny", unfinished)])
    assert contents.table is None
    assert contents.warnings
    assert contents.files[0].quality == ""


def test_classes_have_their_names(conditional_runs: Path) -> None:
    reads = gallery_of([open_run("told", conditional_runs)]).files[0].reads
    assert not isinstance(reads, PictureInput)
    assert reads.class_names == tuple("0123456789")
