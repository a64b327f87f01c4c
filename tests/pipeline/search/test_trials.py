import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks.pixels import to_uint8
from pipeline.networks.settings import StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.recipe import BudgetSettings, SearchSettings
from pipeline.search import trials
from pipeline.search.budget import budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.scorers import frechet_scorer
from pipeline.search.space import LEAST_RANK, WIDE_SHARES, Space, space_of
from pipeline.training.distillation_set import DistillationSet

SUB_PIXEL = StudentSettings("sub_pixel", 4, (4, 2), 0)


class Blurred:
    """Means of 7×7 squares as features, in the place of a judge."""

    def features(self, pictures: np.ndarray) -> np.ndarray:
        squares = pictures.astype(np.float64).reshape(len(pictures), 4, 7, 4, 7)
        return squares.mean(axis=(2, 4)).reshape(len(pictures), 16) / 255


@pytest.fixture(scope="module")
def context(builder: StudentBuilder) -> trials.SearchContext:
    inputs = np.random.default_rng(1).normal(size=(128, 8)).astype(np.float32)
    pictures = to_uint8(builder.teacher.model(inputs).numpy(), (-1.0, 1.0))
    settings = BudgetSettings(max_gzip_kb=6)
    return trials.SearchContext(
        builder=builder,
        space=space_of(SearchSettings(blocks=["sub_pixel"]), settings, builder),
        budget=budget_of(settings),
        distillation_set=DistillationSet(inputs, pictures),
        scorer=frechet_scorer(Blurred(), pictures, inputs),  # type: ignore[arg-type]
        steps_of=lambda cost: 6,
        seed=1,
    )


def quiet(_: int, __: str) -> None:
    pass


def test_score_is_0_for_the_teacher_and_infinite_for_what_is_no_number(
    context: trials.SearchContext, builder: StudentBuilder
) -> None:
    assert context.scorer(builder.teacher.model, (-1.0, 1.0)) == pytest.approx(0, abs=1e-6)
    broken = builder.build(SUB_PIXEL)
    assert 0 < context.scorer(broken, (-1.0, 1.0)) < np.inf
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    assert context.scorer(broken, (-1.0, 1.0)) == np.inf


def test_search_tries_as_many_as_asked_and_goes_on_after_a_kill(
    context: trials.SearchContext, tmp_path: Path
) -> None:
    study = trials.open_study(tmp_path / "study", 1)
    candidates = trials.search(study, context, 2, quiet)
    assert [one.number for one in candidates] == [0, 1]
    assert candidates[0].finished
    assert candidates[0].steps == 6
    trials.enqueue_starts(study, context.space)
    killed = study.ask()
    context.space.draw(killed, context.budget)
    again = trials.open_study(tmp_path / "study", 1)
    trials.requeue_interrupted(again)
    rest = trials.search(again, context, 3, quiet)
    assert rest[:2] == candidates
    assert [one.number for one in rest] == [0, 1, 3]
    assert again.trials[3].params == again.trials[2].params
    assert trials.search(again, context, 3, quiet) == rest


def test_running_trial_of_another_process_neither_counts_nor_blocks(
    context: trials.SearchContext, tmp_path: Path
) -> None:
    study = trials.open_study(f"sqlite:///{tmp_path / 'study.db'}", 1)
    study.ask()
    assert len(trials.search(study, context, 1, quiet)) == 1
    assert len(trials.finished_trials(study)) == 1


def test_process_that_goes_on_draws_other_students(
    context: trials.SearchContext, tmp_path: Path
) -> None:
    for number in (2, 3, 4):
        study = trials.open_study(tmp_path / "study", 1)
        candidates = trials.search(
            study, dataclasses.replace(context, steps_of=lambda cost: 1), number, quiet
        )
    parameters = [json.dumps(trial.params, sort_keys=True) for trial in study.trials]
    assert len(candidates) == 4
    assert len(set(parameters)) == 4


def test_score_that_is_no_number_counts_as_the_worst(
    context: trials.SearchContext, tmp_path: Path
) -> None:
    blind = dataclasses.replace(context, scorer=lambda *_: float("nan"), steps_of=lambda cost: 1)
    (one,) = trials.search(trials.open_study(tmp_path / "study", 1), blind, 1, quiet)
    assert one.score == trials.WORST


def test_search_in_which_nothing_fits_says_so(
    context: trials.SearchContext, tmp_path: Path
) -> None:
    tight = dataclasses.replace(context, budget=budget_of(BudgetSettings(max_macs=10)))
    with pytest.raises(PocketganError, match="no student fits: the smallest"):
        trials.search(trials.open_study(tmp_path / "study", 1), tight, 2, quiet)


def test_smallest_student_is_tried_where_chance_drew_none_that_fits(
    context: trials.SearchContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(*_: Any) -> None:
        raise PocketganError("too large", "No.")

    monkeypatch.setattr(Space, "draw", unfit)
    quick = dataclasses.replace(context, steps_of=lambda cost: 1)
    (one,) = trials.search(trials.open_study(tmp_path / "study", 1), quick, 2, quiet)
    assert one.student == context.space.smallest(context.budget).student


def test_interrupted_trial_is_tried_again(context: trials.SearchContext, tmp_path: Path) -> None:
    def interrupt(_: int, __: str) -> None:
        raise KeyboardInterrupt

    study = trials.open_study(tmp_path / "study", 1)
    with pytest.raises(KeyboardInterrupt):
        trials.search(study, context, 1, interrupt)
    (one,) = trials.search(study, dataclasses.replace(context, steps_of=lambda cost: 1), 1, quiet)
    assert study.trials[one.number].params == study.trials[0].params


def test_starts_are_only_those_of_the_space(context: trials.SearchContext, tmp_path: Path) -> None:
    space = dataclasses.replace(context.space, bits=(8,), zeros=(0.0,), latent=2)
    study = trials.open_study(tmp_path / "study", 1)
    trials.enqueue_starts(study, space)
    (start,) = (trial.system_attrs["fixed_params"] for trial in study.trials)
    assert (start["block"], start["bits"], start["rank"]) == ("sub_pixel", 8, LEAST_RANK)


def test_search_for_the_smallest_starts_with_one_shape_at_ever_smaller_shares_and_ends_none_early(
    context: trials.SearchContext, tmp_path: Path
) -> None:
    wide = dataclasses.replace(context.space, shares=WIDE_SHARES)
    everything = budget_of(BudgetSettings(max_gzip_kb=100))
    candidates = trials.search(
        trials.open_study(tmp_path / "study", 1),
        dataclasses.replace(context, space=wide, budget=everything, steps_of=lambda cost: 3),
        len(trials.DESCENT),
        quiet,
    )
    sizes = [one.cost.bytes_gzip for one in candidates]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 10 * sizes[-1]
    assert {one.student.block for one in candidates} == {"sub_pixel"}
    assert all(one.finished for one in candidates)


@pytest.mark.parametrize("place", ["nowhere/study", "nosuch://database"])
def test_study_that_cannot_be_opened_is_named(place: str) -> None:
    with pytest.raises(PocketganError, match=f"the study at {place} cannot be opened"):
        trials.open_study(place, 1)


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
