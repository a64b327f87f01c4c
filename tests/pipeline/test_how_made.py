import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.finished_run import open_run
from pipeline.how_made import _CONVERTED, steps
from pipeline.variants import VARIANTS

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
    answer = steps(open_run("tiny", tiny_runs), variant)
    assert len(answer) == len(PARTS[variant])
    for sentence, part in zip(answer, PARTS[variant], strict=True):
        assert part in sentence


def test_figures_are_those_of_the_recipe(tiny_runs: Path) -> None:
    answer = " ".join(steps(open_run("tiny", tiny_runs), "int8"))
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
    answer = steps(open_run("small", small_runs), variant)
    assert len(answer) == len(COMPRESSED[variant])
    for sentence, part in zip(answer, COMPRESSED[variant], strict=True):
        assert part in sentence


def test_a_student_names_its_teacher_its_steps_and_its_bits(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    answer = " ".join(steps(run, "int8"))
    assert "the teacher of run tiny" in answer
    assert run.records["search"].metrics["reason"] in answer
    bits = json.loads((run.stage("quantize") / "int8.bits.json").read_text()).values()
    few, many = f"{min(bits):.2g}", f"{max(bits):.2g}"
    each = f"{few} to {many}" if few != many else many
    assert f"the training (8 steps), {each} bits a weight." in answer
    assert "No real pictures" not in answer


def test_larger_student_tells_that_smaller_ones_drew_too_badly(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    record = run.records["student"]
    attempts = [{"student": "a", "frechet_ratio": 1.3}, {"student": "b", "frechet_ratio": 1.0}]
    metrics = {**record.metrics, "attempts": attempts, "zeros": 0.3}
    records = {**run.records, "student": record.model_copy(update={"metrics": metrics})}
    answer = " ".join(steps(replace(run, records=records), "int8"))
    assert "Smaller students that drew too badly: 1." in answer
    assert "30% of its weights were set to zero" in answer


def test_student_of_a_teacher_alone_tells_that_no_picture_was_real(small_runs: Path) -> None:
    run = open_run("small", small_runs)
    record = run.records["search"]
    settings = {**record.settings, "data": {"source": "teacher"}}
    free = {**run.records, "search": record.model_copy(update={"settings": settings})}
    answer = " ".join(steps(replace(run, records=free), "int8"))
    assert "No real pictures were used" in answer
