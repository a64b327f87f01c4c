from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.plans import FROM_SCRATCH, FROM_TEACHER, Plan, Step
from pipeline.recipe.plain import as_dict
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.run import Run
from pipeline.stage import SECTIONS, Outcome, StageContext, UndeclaredError, stage


@stage("smooth", needs=("train",), settings=("generator", "prune"))
def smooth(_: StageContext) -> Outcome:
    """A stage that declares one input, two sections, and no pictures."""
    return Outcome()


@pytest.fixture
def ctx(tiny_runs: Path, tiny_recipe: Path, tmp_path: Path) -> StageContext:
    return Run(load_recipe(str(tiny_recipe)), tiny_runs).context(smooth, tmp_path)


def test_declared_sections_inputs_and_records_are_handed_out(ctx: StageContext) -> None:
    assert (ctx.recipe.name, ctx.recipe.seed) == ("tiny", 1)
    assert (ctx.recipe.generator.width, ctx.recipe.prune.steps) == (4, 16)
    assert ctx.inputs["train"].name == "1-train"
    assert ctx.records["train"].stage == "train"
    assert [*ctx.declared_settings()] == ["name", "seed", "generator", "prune"]


@pytest.mark.parametrize("section", sorted({*SECTIONS} - {"generator", "prune"}))
def test_undeclared_section_is_refused(section: str, ctx: StageContext) -> None:
    with pytest.raises(
        UndeclaredError, match=rf"stage smooth reads section '{section}' .*settings"
    ):
        getattr(ctx.recipe, section)


@pytest.mark.parametrize(
    "read",
    [lambda c: c.inputs["prune"], lambda c: c.inputs.get("prune"), lambda c: c.records["prune"]],
)
def test_undeclared_input_is_refused(
    read: Callable[[StageContext], object], ctx: StageContext
) -> None:
    with pytest.raises(UndeclaredError, match=r"stage smooth reads what stage prune left .*needs"):
        read(ctx)


def test_undeclared_pictures_are_refused(ctx: StageContext) -> None:
    with pytest.raises(UndeclaredError, match=r"stage smooth reads the pictures .*reads_pictures"):
        _ = ctx.dataset


def test_lineage_holds_what_this_stage_and_all_before_it_declare(
    ctx: StageContext, tiny_recipe: Path
) -> None:
    whole = as_dict(load_recipe(str(tiny_recipe)))
    names = ("data", "generator", "discriminator", "train", "prune")
    assert ctx.lineage_settings() == {name: whole[name] for name in names}


@pytest.mark.parametrize("plan", [FROM_SCRATCH, FROM_TEACHER])
def test_stages_of_a_plan_need_only_earlier_ones_and_bear_their_names(plan: Plan) -> None:
    assert [one.name for one in plan.stages.values()] == [*plan.names]
    for number, one in enumerate(plan.stages.values()):
        assert {*one.needs} <= {*plan.names[:number]}
        assert {*one.settings} <= {*SECTIONS}


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_file_outside_the_run_counts_by_its_content(change: str, tmp_path: Path) -> None:
    layers = tmp_path / "layers.py"
    layers.write_text("SIZE = 1")

    def outside(_: Recipe) -> tuple[Path | None, ...]:
        return layers, None

    only = stage("only", settings=("teacher",), files=outside)(
        lambda ctx: Outcome({"read": layers.read_text()})
    )
    plan = Plan({"only": Step("read a file outside the run", "tests:only")})
    plan.__dict__["stages"] = {"only": only}  # loaded already
    run = Run(load_recipe("digits", ["--name", "outside"]), tmp_path)
    run.plan = plan
    run.folder.mkdir()
    run.make("only")
    assert not run.staleness("only")
    layers.write_text("SIZE = 2") if change == "edit" else layers.unlink()
    assert "made from something else (other inputs or data)" in Run.staleness(_again(run), "only")


def _again(run: Run) -> Run:
    other = Run(run.recipe, run.root)
    other.plan = run.plan
    return other
