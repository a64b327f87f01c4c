import dataclasses
from typing import Any

import optuna
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.spec import CompressionSpec
from pipeline.importers.opaque import FrozenGraph, OpaqueGenerator
from pipeline.importers.teacher import Teacher
from pipeline.networks.settings import StudentSettings
from pipeline.recipe.sections import BudgetSettings, SearchSettings
from pipeline.search.budget import budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.refuse import refuse_budget
from pipeline.search.space import StudentShape, space_of

OPAQUE = OpaqueGenerator(graph=FrozenGraph(b"", (), ()), shape=(8,))
SUB_PIXEL = StudentSettings("sub_pixel", 4, (4, 2), 0)


def test_widest_student_fills_the_budget_and_the_next_one_would_not(
    builder: StudentBuilder,
) -> None:
    settings = BudgetSettings(max_gzip_kb=8)
    space, budget = space_of(SearchSettings(), settings, builder), budget_of(settings)
    shape, spec = StudentShape(block="sub_pixel", rank=4, taper=0.75, mixers=0), CompressionSpec(5)
    widest = space.widest(shape, spec, budget)
    width = widest.student.channels[0]
    wider = space.student(shape, width + 1)
    assert budget.share(widest.cost) <= 1 < budget.share(space.cost_of(wider, spec))


def test_half_the_budget_gives_a_narrower_student(builder: StudentBuilder) -> None:
    settings = BudgetSettings(max_macs=200_000)
    space, budget = space_of(SearchSettings(), settings, builder), budget_of(settings)
    shape = StudentShape(block="depthwise", rank=4, taper=1.0, mixers=0)
    whole, half = (
        space.widest(shape, CompressionSpec(), budget, share=share) for share in (1.0, 0.5)
    )
    assert half.cost.macs <= 100_000 < whole.cost.macs <= 200_000


def test_slim_student_of_latents_keeps_more_of_the_later_channels(builder: StudentBuilder) -> None:
    space = space_of(SearchSettings(), BudgetSettings(max_gzip_kb=8), builder)
    space = dataclasses.replace(space, groups=3)
    shape = StudentShape(block="slim", rank=4, taper=0.5, mixers=0)
    assert space.student(shape, 20).channels == (20, 40, 80)
    assert space.student(shape, 40).channels == (40, 80, 100)
    of_pictures = dataclasses.replace(space, latent=0)
    assert of_pictures.student(shape, 20).channels == (20, 20, 20)


def test_narrowest_student_of_a_block_has_no_channels_that_another_taper_saves(
    builder: StudentBuilder,
) -> None:
    of_latents = space_of(SearchSettings(), BudgetSettings(max_gzip_kb=8), builder)
    of_latents = dataclasses.replace(of_latents, groups=3)
    of_pictures = dataclasses.replace(of_latents, latent=0, halvings=3)
    for space, block in ((of_latents, "slim"), (of_latents, "sub_pixel"), (of_pictures, "unet")):
        assert set(space.narrowest(block).channels) == {2}


def test_shape_that_is_too_large_at_its_narrowest_is_refused(builder: StudentBuilder) -> None:
    settings = BudgetSettings(max_macs=1000)
    with pytest.raises(PocketganError, match="the smallest sub_pixel student of that shape"):
        space_of(SearchSettings(), settings, builder).widest(
            StudentShape(block="sub_pixel", rank=4, taper=1.0, mixers=0),
            CompressionSpec(),
            budget_of(settings),
        )


def test_bits_and_zeros_are_searched_only_where_they_change_the_size(
    builder: StudentBuilder,
) -> None:
    plain = space_of(SearchSettings(), BudgetSettings(max_kb=20), builder)
    assert (plain.bits, plain.zeros) == ((8,), (0.0,))
    packed = space_of(SearchSettings(bits=[4, 6]), BudgetSettings(max_gzip_kb=20), builder)
    assert packed.bits == (4, 6)
    assert len(packed.zeros) > 1


def test_coarser_student_is_expected_smaller(builder: StudentBuilder) -> None:
    space = space_of(SearchSettings(), BudgetSettings(max_gzip_kb=20), builder)
    sizes = [
        space.cost_of(SUB_PIXEL, spec).bytes_gzip
        for spec in (CompressionSpec(8), CompressionSpec(4), CompressionSpec(4, 0.5))
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[2]


def test_unknown_block_and_no_block_are_refused(builder: StudentBuilder, teacher: Teacher) -> None:
    with pytest.raises(PocketganError, match="no block 'round'"):
        space_of(SearchSettings(blocks=["round"]), BudgetSettings(max_kb=20), builder)
    opaque = StudentBuilder(dataclasses.replace(teacher, opaque=OPAQUE), 1)
    with pytest.raises(PocketganError, match="no student can be cut out of this teacher"):
        space_of(SearchSettings(blocks=["slim"]), BudgetSettings(max_kb=20), opaque)


def test_drawn_student_keeps_its_share_of_the_budget(builder: StudentBuilder) -> None:
    settings = BudgetSettings(max_gzip_kb=8)
    space, budget = space_of(SearchSettings(), settings, builder), budget_of(settings)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(4):
        assert budget.share(space.draw(study.ask(), budget).cost) <= 1


def test_budgets_are_refused_with_the_reason(builder: StudentBuilder) -> None:
    for settings, message in (
        (BudgetSettings(), "no budget"),
        (BudgetSettings(max_gzip_kb=0.3), "--max-gzip-kb 0.3 .* smaller than any student"),
        (BudgetSettings(max_gzip_kb=5000), "met at once"),
    ):
        with pytest.raises(PocketganError, match=message):
            refuse_budget(settings, builder, space_of(SearchSettings(), settings, builder))
    settings = BudgetSettings(max_gzip_kb=8)
    refuse_budget(settings, builder, space_of(SearchSettings(), settings, builder))


def test_generator_too_small_for_a_loss_of_quality_alone_is_refused_with_a_budget_that_does(
    builder: StudentBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StudentBuilder, "weight_count", 1000)
    settings = BudgetSettings(max_quality_drop=0.05)
    space = space_of(SearchSettings(), settings, builder)
    with pytest.raises(PocketganError, match=r"0\.1 kB gzipped is smaller than any") as caught:
        refuse_budget(settings, builder, space)
    kilobytes = float(caught.value.remedy.split("--max-gzip-kb ")[1].rstrip("."))
    followed = BudgetSettings(max_quality_drop=0.05, max_gzip_kb=kilobytes)
    refuse_budget(followed, builder, space_of(SearchSettings(), followed, builder))
    monkeypatch.setattr(StudentBuilder, "weight_count", 100_000)
    refuse_budget(settings, builder, space)


@pytest.mark.parametrize(
    "settings", [{"max_gzip_kb": 5000}, {"max_kb": 5000}, {"max_macs": 10**12}], ids=str
)
def test_smaller_budget_that_the_refusal_names_can_be_kept(
    settings: dict[str, Any], builder: StudentBuilder
) -> None:
    def refuse(settings: BudgetSettings) -> None:
        refuse_budget(settings, builder, space_of(SearchSettings(), settings, builder))

    with pytest.raises(PocketganError, match="met at once") as caught:
        refuse(BudgetSettings(**settings))
    (option,) = settings
    named = caught.value.remedy.split(f"--{option.replace('_', '-')} ")[1].rstrip(".")
    refuse(BudgetSettings(**{option: type(settings[option])(float(named))}))


def test_odd_pictures_leave_the_students_that_never_halve_them(teacher: Teacher) -> None:
    layers = tf_keras.layers
    pictures = layers.Input([9, 9, 3])
    image = layers.Activation("tanh")(layers.Conv2D(3, 3, padding="same")(pictures))
    reads_pictures = dataclasses.replace(
        teacher,
        model=tf_keras.Model(pictures, image),
        latent=0,
        classes=0,
        input_pixels=(-1.0, 1.0),
    )
    builder = StudentBuilder(reads_pictures, 1)
    settings = SearchSettings(blocks=["residual", "residual_half", "unet"])
    space = space_of(settings, BudgetSettings(max_kb=20), builder)
    assert space.blocks == ("residual",)
    with pytest.raises(PocketganError, match="none of unet reads pictures"):
        space_of(SearchSettings(blocks=["unet"]), BudgetSettings(max_kb=20), builder)
