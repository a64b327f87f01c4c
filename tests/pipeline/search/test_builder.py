import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from deploy.errors import PocketganError
from pipeline.compression.spec import CompressionSpec
from pipeline.importers.generator import Teacher
from pipeline.networks.pixels import to_uint8
from pipeline.networks.registry import build_generator
from pipeline.networks.settings import GeneratorSettings, ImageShape, StudentSettings
from pipeline.recipe import BudgetSettings, SearchSettings, load_recipe
from pipeline.search import trials
from pipeline.search.budget import budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.calibration import with_random_weights
from pipeline.search.refuse import refuse_budget
from pipeline.search.scorer import looking
from pipeline.search.space import LEAST_RANK, WIDE_SHARES, Shape, Space, space_of
from pipeline.training.distillation_set import DistillationSet

SUB_PIXEL = StudentSettings("sub_pixel", 4, (4, 2), 0)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    """Latents [N, 8] → 28×28 grey."""
    model = build_generator(GeneratorSettings(width=8, latent=8), ImageShape(28))
    return Teacher(with_random_weights(model), 8, 0, (-1.0, 1.0), None, "a test")


@pytest.fixture(scope="module")
def builder(teacher: Teacher) -> StudentBuilder:
    return StudentBuilder(teacher, 1)


def space_for(builder: StudentBuilder, budget: BudgetSettings, **search: Any) -> Space:
    recipe = dataclasses.replace(
        load_recipe("digits"), budget=budget, search=SearchSettings(**search)
    )
    return space_of(recipe, builder)


# ---------------------------------------------------------------------- students


def test_purpose_built_student_reads_and_draws_what_its_teacher_does(
    builder: StudentBuilder,
) -> None:
    student = builder.build(SUB_PIXEL)
    assert student.input_shape == builder.teacher.model.input_shape
    assert student.output_shape == builder.teacher.model.output_shape
    assert builder.pixels(SUB_PIXEL) == (-1.0, 1.0)


def test_slim_student_that_keeps_all_draws_as_its_teacher(builder: StudentBuilder) -> None:
    whole = StudentSettings("slim", 0, (100,) * len(builder.groups), 0)
    seen = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    drawn, wanted = (m(seen).numpy() for m in (builder.build(whole), builder.teacher.model))
    np.testing.assert_allclose(drawn, wanted, atol=1e-4)


def test_slim_student_has_its_share_of_the_channels_and_of_the_rank(
    builder: StudentBuilder,
) -> None:
    count = len(builder.groups)
    whole, half, low = (
        builder.build(StudentSettings("slim", rank, (share,) * count, 0)).count_params()
        for share, rank in ((100, 0), (50, 0), (50, 2))
    )
    assert 0.2 < half / whole < 0.6
    assert low < half


def test_slim_student_needs_a_number_for_each_group(builder: StudentBuilder) -> None:
    with pytest.raises(PocketganError, match="groups of channels"):
        builder.build(StudentSettings("slim", 0, (50,) * (len(builder.groups) + 1), 0))


def test_teacher_that_reads_pictures_is_not_slimmed(teacher: Teacher) -> None:
    other = StudentBuilder(dataclasses.replace(teacher, latent=0), 1)
    assert other.groups == []
    with pytest.raises(PocketganError, match="it reads pictures"):
        other.build(StudentSettings("slim", 0, (50,), 0))


def test_student_draws_in_the_range_of_its_last_layer(teacher: Teacher) -> None:
    eight_bits, bright = (
        StudentBuilder(dataclasses.replace(teacher, pixels=pixels), 1)
        for pixels in ((0.0, 255.0), (0.0, 1.0))
    )
    assert eight_bits.pixels(SUB_PIXEL) == (-1.0, 1.0)
    assert eight_bits.pixels(StudentSettings("slim")) == (0.0, 255.0)
    assert bright.pixels(SUB_PIXEL) == (0.0, 1.0)
    assert bright.build(SUB_PIXEL).layers[-1].activation.__name__ == "sigmoid"


# ---------------------------------------------------------------------- the space


def test_widest_student_fills_the_budget_and_the_next_one_would_not(
    builder: StudentBuilder,
) -> None:
    settings = BudgetSettings(max_gzip_kb=8)
    space, budget = space_for(builder, settings), budget_of(settings)
    shape, coarse = Shape("sub_pixel", 4, 0.75, 0), CompressionSpec(5)
    found = space.widest(shape, coarse, budget)
    width = found.student.channels[0]
    wider = space.student(shape, width + 1)
    assert budget.share(found.cost) <= 1 < budget.share(space.price(wider, coarse))


def test_half_the_budget_gives_a_narrower_student(builder: StudentBuilder) -> None:
    settings = BudgetSettings(max_macs=200_000)
    space, budget = space_for(builder, settings), budget_of(settings)
    shape = Shape("depthwise", 4, 1.0, 0)
    whole, half = (space.widest(shape, CompressionSpec(), budget, share) for share in (1.0, 0.5))
    assert half.cost.macs <= 100_000 < whole.cost.macs <= 200_000


def test_shape_that_is_too_large_at_its_narrowest_is_refused(builder: StudentBuilder) -> None:
    settings = BudgetSettings(max_macs=1000)
    with pytest.raises(PocketganError, match="the smallest sub_pixel student of that shape"):
        space_for(builder, settings).widest(
            Shape("sub_pixel", 4, 1.0, 0), CompressionSpec(), budget_of(settings)
        )


def test_bits_and_zeros_are_searched_only_where_they_change_the_size(
    builder: StudentBuilder,
) -> None:
    plain = space_for(builder, BudgetSettings(max_kb=20))
    assert (plain.bits, plain.zeros) == ((8,), (0.0,))
    packed = space_for(builder, BudgetSettings(max_gzip_kb=20), bits=[4, 6])
    assert packed.bits == (4, 6)
    assert len(packed.zeros) > 1


def test_coarser_student_is_expected_smaller(builder: StudentBuilder) -> None:
    space = space_for(builder, BudgetSettings(max_gzip_kb=20))
    sizes = [
        space.price(SUB_PIXEL, coarse).bytes_gzip
        for coarse in (CompressionSpec(8), CompressionSpec(4), CompressionSpec(4, 0.5))
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[2]


def test_unknown_block_and_no_block_are_refused(builder: StudentBuilder, teacher: Teacher) -> None:
    with pytest.raises(PocketganError, match="no block 'round'"):
        space_for(builder, BudgetSettings(max_kb=20), blocks=["round"])
    reads_pictures = StudentBuilder(dataclasses.replace(teacher, latent=0), 1)
    with pytest.raises(PocketganError, match="no student can be cut out of this teacher"):
        space_for(reads_pictures, BudgetSettings(max_kb=20), blocks=["slim"])


def test_drawn_student_keeps_its_share_of_the_budget(builder: StudentBuilder) -> None:
    settings = BudgetSettings(max_gzip_kb=8)
    space, budget = space_for(builder, settings), budget_of(settings)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(4):
        assert budget.share(space.draw(study.ask(), budget).cost) <= 1


def test_budgets_are_refused_with_the_reason(builder: StudentBuilder) -> None:
    for settings, told in (
        (BudgetSettings(), "no budget"),
        (BudgetSettings(max_gzip_kb=0.3), "--max-gzip-kb 0.3 .* smaller than any student"),
        (BudgetSettings(max_gzip_kb=5000), "met at once"),
    ):
        with pytest.raises(PocketganError, match=told):
            refuse_budget(settings, builder, space_for(builder, settings))
    for settings in (BudgetSettings(max_gzip_kb=8), BudgetSettings(max_quality_drop=0.05)):
        refuse_budget(settings, builder, space_for(builder, settings))


# ---------------------------------------------------------------------- trials


class Blurred:
    """Means of 7×7 squares as features, in the place of a judge."""

    def features(self, pictures: np.ndarray) -> np.ndarray:
        squares = pictures.astype(np.float64).reshape(len(pictures), 4, 7, 4, 7)
        return squares.mean(axis=(2, 4)).reshape(len(pictures), 16) / 255


@pytest.fixture(scope="module")
def ground(builder: StudentBuilder) -> trials.SearchContext:
    seen = np.random.default_rng(1).normal(size=(128, 8)).astype(np.float32)
    pictures = to_uint8(builder.teacher.model(seen).numpy(), (-1.0, 1.0))
    settings = BudgetSettings(max_gzip_kb=6)
    return trials.SearchContext(
        builder,
        space_for(builder, settings, blocks=["sub_pixel"]),
        budget_of(settings),
        DistillationSet(seen, pictures),
        looking(Blurred(), pictures, seen),  # type: ignore[arg-type]
        steps=6,
        seed=1,
    )


def quiet(_: int, __: str) -> None:
    pass


def test_look_is_0_for_the_teacher_and_infinite_for_what_is_no_number(
    ground: trials.SearchContext, builder: StudentBuilder
) -> None:
    assert ground.look(builder.teacher.model, (-1.0, 1.0)) == pytest.approx(0, abs=1e-6)
    broken = builder.build(SUB_PIXEL)
    assert 0 < ground.look(broken, (-1.0, 1.0)) < np.inf
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    assert ground.look(broken, (-1.0, 1.0)) == np.inf


def test_search_tries_as_many_as_asked_and_goes_on_after_a_kill(
    ground: trials.SearchContext, tmp_path: Path
) -> None:
    study = trials.open_study(tmp_path / "study", 1)
    found = trials.search(study, ground, 2, quiet)
    assert [one.number for one in found] == [0, 1]
    assert found[0].finished
    assert found[0].steps == 6
    trials.begin(study, ground.space)
    killed = study.ask()
    ground.space.draw(killed, ground.budget)
    again = trials.open_study(tmp_path / "study", 1)
    trials.take_up(again)
    rest = trials.search(again, ground, 3, quiet)
    assert rest[:2] == found
    assert [one.number for one in rest] == [0, 1, 3]
    assert again.trials[3].params == again.trials[2].params
    assert trials.search(again, ground, 3, quiet) == rest


def test_running_trial_of_another_process_neither_counts_nor_blocks(
    ground: trials.SearchContext, tmp_path: Path
) -> None:
    study = trials.open_study(f"sqlite:///{tmp_path / 'study.db'}", 1)
    study.ask()
    assert len(trials.search(study, ground, 1, quiet)) == 1
    assert len(trials.finished(study)) == 1


def test_process_that_goes_on_draws_other_students(
    ground: trials.SearchContext, tmp_path: Path
) -> None:
    drawn = []
    for number in (2, 3, 4):
        study = trials.open_study(tmp_path / "study", 1)
        drawn = trials.search(study, dataclasses.replace(ground, steps=1), number, quiet)
    parameters = [json.dumps(trial.params, sort_keys=True) for trial in study.trials]
    assert len(drawn) == 4
    assert len(set(parameters)) == 4


def test_score_that_is_no_number_counts_as_the_worst(
    ground: trials.SearchContext, tmp_path: Path
) -> None:
    blind = dataclasses.replace(ground, look=lambda *_: float("nan"), steps=1)
    (one,) = trials.search(trials.open_study(tmp_path / "study", 1), blind, 1, quiet)
    assert one.score == trials.WORST


def test_search_in_which_nothing_fits_says_so(ground: trials.SearchContext, tmp_path: Path) -> None:
    tight = dataclasses.replace(ground, budget=budget_of(BudgetSettings(max_macs=10)))
    with pytest.raises(PocketganError, match="no student fits: the smallest"):
        trials.search(trials.open_study(tmp_path / "study", 1), tight, 2, quiet)


def test_interrupted_trial_is_tried_again(ground: trials.SearchContext, tmp_path: Path) -> None:
    def interrupt(_: int, __: str) -> None:
        raise KeyboardInterrupt

    study = trials.open_study(tmp_path / "study", 1)
    with pytest.raises(KeyboardInterrupt):
        trials.search(study, ground, 1, interrupt)
    (one,) = trials.search(study, dataclasses.replace(ground, steps=1), 1, quiet)
    assert study.trials[one.number].params == study.trials[0].params


def test_starts_are_only_those_of_the_space(ground: trials.SearchContext, tmp_path: Path) -> None:
    space = dataclasses.replace(ground.space, bits=(8,), zeros=(0.0,), latent=2)
    study = trials.open_study(tmp_path / "study", 1)
    trials.begin(study, space)
    (start,) = (trial.system_attrs["fixed_params"] for trial in study.trials)
    assert (start["block"], start["bits"], start["rank"]) == ("sub_pixel", 8, LEAST_RANK)


def test_search_for_the_smallest_starts_with_one_shape_at_ever_smaller_shares_and_ends_none_early(
    ground: trials.SearchContext, tmp_path: Path
) -> None:
    wide = dataclasses.replace(ground.space, shares=WIDE_SHARES)
    everything = budget_of(BudgetSettings(max_gzip_kb=100))
    found = trials.search(
        trials.open_study(tmp_path / "study", 1),
        dataclasses.replace(ground, space=wide, budget=everything, steps=3),
        len(trials.DESCENT),
        quiet,
    )
    sizes = [one.cost.bytes_gzip for one in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 10 * sizes[-1]
    assert {one.student.block for one in found} == {"sub_pixel"}
    assert all(one.finished for one in found)


@pytest.mark.parametrize("place", ["nowhere/study", "nosuch://database"])
def test_study_that_cannot_be_opened_is_named(place: str) -> None:
    with pytest.raises(PocketganError, match=f"the study at {place} cannot be opened"):
        trials.open_study(place, 1)
