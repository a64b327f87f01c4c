from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.targets import vela
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import BudgetSettings
from pipeline.search.budget import budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.dry_run import without_cpu_blocks
from pipeline.search.flash import NpuCompiler, compiler_of
from pipeline.search.refuse import refuse_budget
from pipeline.search.space import StudentShape, space_of

TARGET = "npu:ethos-u55-128"
STUDENT = StudentSettings("transposed", 6, (24, 16), 0)
TRANSPOSED = {"name": "test", "search": {"blocks": ["transposed"]}}
Flash = Callable[[CompressionSpec], int]


@pytest.fixture
def limits() -> BudgetSettings:
    """Of a target whose compiler is installed."""
    state = vela.ENVIRONMENT.availability()
    if not state.ready:
        pytest.skip(f"{state.detail}; {state.remedy}")
    return BudgetSettings(max_flash_kb=12, target=TARGET)


@pytest.fixture
def flash(limits: BudgetSettings, builder: StudentBuilder) -> Flash:
    compiler = compiler_of(limits)
    assert compiler is not None
    inputs = builder.teacher.random_inputs(2)

    def flash_of(spec: CompressionSpec) -> int:
        return compiler.report(builder.build(STUDENT), inputs, spec, trained=False).flash_bytes

    return flash_of


def test_zeros_and_few_levels_take_less_flash(flash: Flash) -> None:
    whole = flash(CompressionSpec())
    assert flash(CompressionSpec(8, 0.8)) < 0.8 * whole
    assert flash(CompressionSpec(4)) < 0.8 * whole


def test_flash_is_a_cost_only_where_it_is_limited(
    limits: BudgetSettings, builder: StudentBuilder
) -> None:
    recipe = load_recipe(TRANSPOSED)
    limited, free = (
        space_of(recipe.search, budget, builder).cost_of(STUDENT, CompressionSpec())
        for budget in (limits, BudgetSettings(max_kb=20))
    )
    assert limited.flash_bytes is not None
    assert limited.flash_bytes > limited.bytes_gzip
    assert free.flash_bytes is None
    assert replace(limited, flash_bytes=None) == free


@pytest.mark.slow
def test_widest_student_is_solved_for_by_compiling_it(
    limits: BudgetSettings, builder: StudentBuilder
) -> None:
    space = space_of(load_recipe(TRANSPOSED).search, limits, builder)
    budget = budget_of(limits)
    shape, spec = StudentShape(block="transposed", rank=4, taper=1.0, mixers=0), CompressionSpec(5)
    widest = space.widest(shape, spec, budget)
    wider = space.student(shape, widest.student.channels[0] + 1)
    assert widest.cost.flash_bytes is not None
    assert widest.cost.flash_bytes <= 12_000
    assert budget.share(space.cost_of(wider, spec)) > 1
    assert len(space.bits) > 1


def test_flash_that_no_student_keeps_is_refused_before_training(
    limits: BudgetSettings, builder: StudentBuilder
) -> None:
    impossible = replace(limits, max_flash_kb=1)
    recipe = load_recipe(TRANSPOSED)
    with pytest.raises(PocketganError, match="--max-flash-kb 1") as caught:
        refuse_budget(impossible, builder, space_of(recipe.search, impossible, builder))
    assert "bytes of flash" in caught.value.problem


def test_blocks_that_the_npu_leaves_to_the_cpu_are_not_searched(
    limits: BudgetSettings, builder: StudentBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_recipe({"name": "test", "search": {"blocks": ["sub_pixel", "transposed"]}})
    limited = replace(recipe, budget=limits)
    space = space_of(limited.search, limits, builder)
    assert without_cpu_blocks(recipe, space, builder) == recipe  # no flash is limited
    assert without_cpu_blocks(limited, space, builder).search.blocks == ["transposed"]
    said = " ".join(capsys.readouterr().err.split())
    assert "sub_pixel" in said
    assert "DepthToSpace ×2 (Unsupported opType)" in said
    only = replace(limited, search=replace(recipe.search, blocks=["sub_pixel"]))
    assert without_cpu_blocks(only, space, builder).search.blocks == ["sub_pixel"]


def test_target_without_a_compiler_has_no_flash_to_limit() -> None:
    assert compiler_of(BudgetSettings(max_kb=20, target="local")) is None
    with pytest.raises(PocketganError, match="target local tells nothing of flash"):
        compiler_of(BudgetSettings(max_flash_kb=20, target="local"))


def test_missing_compiler_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    with pytest.raises(PocketganError, match=TARGET) as caught:
        compiler_of(BudgetSettings(max_flash_kb=20, target=TARGET))
    assert caught.value.remedy == "Run: pocketgan targets install npu"


def test_compiler_is_that_of_the_target(limits: BudgetSettings) -> None:
    assert compiler_of(limits) == NpuCompiler("ethos-u55-128")
