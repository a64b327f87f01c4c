import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.networks.settings import StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.recipe.sections import BudgetSettings
from pipeline.search import trials
from pipeline.search.budget import budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.study import STARTS
from pipeline.search.trials import TrialWork, reach_rung
from pipeline.training.distillation_set import DistillationSet

SUB_PIXEL = StudentSettings("sub_pixel", 4, (4, 2), 0)
PARAMETERS = {**STARTS[-1], "rank": 8}


def test_score_is_0_for_the_teacher_and_infinite_for_what_is_no_number(
    context: trials.SearchContext, builder: StudentBuilder
) -> None:
    assert context.scorer(builder.teacher.model, (-1.0, 1.0)) == pytest.approx(0, abs=1e-6)
    broken = builder.build(SUB_PIXEL)
    assert 0 < context.scorer(broken, (-1.0, 1.0)) < np.inf
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    assert context.scorer(broken, (-1.0, 1.0)) == np.inf


def test_student_goes_on_at_the_next_rung_from_where_another_process_left_it(
    context: trials.SearchContext, tmp_path: Path
) -> None:
    first = reach_rung(context, TrialWork(number=0, parameters=PARAMETERS, rung=1))
    assert first is not None
    assert first.steps == 2
    tmp_path.joinpath("trial-0.npz").rename(tmp_path / "trial-1.npz")
    one, other = (
        reach_rung(
            context,
            TrialWork(number=number, parameters=PARAMETERS, rung=2, proposal=first.proposal),
        )
        for number in (1, 2)
    )
    assert one is not None
    assert other is not None
    assert one.steps == other.steps == 6
    assert one.score != first.score
    assert one.score != other.score  # which was never settled on the way


def test_rung_that_was_reached_is_not_trained_for_again(
    context: trials.SearchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = TrialWork(number=0, parameters=PARAMETERS, rung=1)
    score = reach_rung(context, work)
    monkeypatch.setattr("pipeline.training.distiller.Distiller.train", None)
    assert reach_rung(context, work) == score


def test_trial_does_not_depend_on_what_its_process_did_before(
    context: trials.SearchContext,
) -> None:
    first = reach_rung(context, TrialWork(number=0, parameters=PARAMETERS, rung=1))
    reach_rung(context, TrialWork(number=1, parameters={**PARAMETERS, "rank": 4}, rung=1))
    assert reach_rung(context, TrialWork(number=2, parameters=PARAMETERS, rung=1)) == first


def test_score_that_is_no_number_counts_as_the_worst(context: trials.SearchContext) -> None:
    blind = dataclasses.replace(context, scorer=lambda *_: float("nan"), steps_of=lambda cost: 1)
    score = reach_rung(blind, TrialWork(number=0, parameters=PARAMETERS, rung=1))
    assert score is not None
    assert score.score == trials.WORST


def test_student_that_does_not_fit_is_not_trained(context: trials.SearchContext) -> None:
    tight = dataclasses.replace(context, budget=budget_of(BudgetSettings(max_macs=10)))
    assert reach_rung(tight, TrialWork(number=0, parameters=PARAMETERS, rung=1)) is None


def test_without_parameters_the_smallest_student_is_tried(context: trials.SearchContext) -> None:
    score = reach_rung(context, TrialWork(number=0, parameters={}, rung=2))
    assert score is not None
    assert score.proposal == context.space.smallest(context.budget)
    assert score.steps == 6


@pytest.mark.parametrize(
    ("block", "read", "decay"),
    [("unet", True, trials.PICTURE_AVERAGE), ("residual", True, 0.0), ("unet", False, 0.0)],
)
def test_students_for_pictures_with_batch_norm_are_judged_by_averages(
    block: str, read: bool, decay: float
) -> None:
    pixels, size = (-1.0, 1.0), (16, 16, 3)
    shape = TranslatorShape(source=size, image=size, source_pixels=pixels, pixels=pixels)
    student = build_translator_student(StudentSettings(block, 0, (4, 4), 0), shape)
    pictures = np.zeros((2, *size), np.uint8)
    pairs = DistillationSet(pictures, pictures, 0, pixels if read else None)
    assert trials.distillation_average(student, pairs) == decay


@pytest.mark.parametrize(("side", "batch"), [(32, 32), (64, 32), (128, 8), (512, 8)])
def test_fewer_pictures_are_learnt_from_at_once_the_larger_they_are(side: int, batch: int) -> None:
    assert trials.picture_batch(side * side) == batch
