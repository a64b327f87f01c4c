import pytest

from pipeline.recipe.sections import BudgetSettings
from pipeline.report.run.gates import parse_gate
from pipeline.search.budget import Budget, FileCost, budget_of, gates_of, search_budget

COST = FileCost(bytes=20_000, bytes_gzip=6_000, macs=50_000, p50_ms=0.02, flash_bytes=24_000)


def test_share_is_that_of_the_tightest_limit() -> None:
    budget = budget_of(BudgetSettings(max_kb=40, max_gzip_kb=8, max_macs=100_000, max_ms=0.1))
    assert budget.share(COST) == pytest.approx(0.75)
    assert budget.tightest(COST).description == "--max-gzip-kb 8 (kB)"


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        (BudgetSettings(max_kb=10), 2.0),
        (BudgetSettings(max_gzip_kb=12), 0.5),
        (BudgetSettings(max_macs=25_000), 2.0),
        (BudgetSettings(max_ms=0.04), 0.5),
        (BudgetSettings(max_flash_kb=32), 0.75),
    ],
)
def test_each_limit_holds_alone(settings: BudgetSettings, share: float) -> None:
    assert budget_of(settings).share(COST) == pytest.approx(share)


def test_quality_alone_predicts_no_cost_but_students_shall_be_smaller_than_the_teacher() -> None:
    assert budget_of(BudgetSettings(max_quality_drop=0.05)) == Budget(())
    assert Budget(()).share(COST) == 0
    (limit,) = search_budget(BudgetSettings(max_quality_drop=0.05), 100_000).limits
    assert limit.field == "bytes_gzip"
    assert 0 < limit.most < 100_000


def test_every_gate_of_a_budget_can_be_read() -> None:
    gates = gates_of(
        BudgetSettings(
            max_kb=40, max_gzip_kb=8.5, max_macs=100_000, max_ms=0.1, max_quality_drop=0.05
        )
    )
    assert gates == [
        *("float_ops == 0", "bytes <= 40000", "bytes_gzip <= 8500"),
        *("macs <= 100000", "p50_ms <= 0.100000", "frechet_ratio <= 1.050000"),
    ]
    for gate in gates:
        parse_gate(gate)


def test_flash_is_a_gate_in_bytes() -> None:
    gates = gates_of(BudgetSettings(max_flash_kb=64, target="npu:ethos-u55-128"))
    assert gates == ["float_ops == 0", "flash_bytes <= 64000"]
    assert parse_gate(gates[1]).limit == 64_000


def test_limit_of_flash_is_proposed_as_its_option_in_kilobytes() -> None:
    (limit,) = budget_of(BudgetSettings(max_flash_kb=64, target="npu:ethos-u55-128")).limits
    assert limit.description == "--max-flash-kb 64 (kB of flash on npu:ethos-u55-128)"
    assert limit.option(32_400) == "--max-flash-kb 32.4"


def test_time_on_another_target_is_no_gate_of_this_machine() -> None:
    assert gates_of(BudgetSettings(max_ms=0.1, target="phone")) == ["float_ops == 0"]
