from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.agent import summarize
from deploy.jobs import FIGURES, Conditions, Job, Measurement, failure
from deploy.rounds import combine, run_rounds, schedule
from tests.deploy.subject import SUBJECT

MS = 1_000_000
UNKNOWN = ("arena_bytes", "instructions", "dot_products", "loads", "stores", "delegated")


def measured(samples_ms: list[int], **changes: Any) -> Measurement:
    """A round's measurement with these samples."""
    samples = [sample * MS for sample in samples_ms]
    fields = SUBJECT | {
        "init_ms": 1.0,
        "first_ms": 1.0,
        **summarize(samples),
        "overhead_ns": 80,
        "peak_rss_kb": 100,
        "output_sha256": "1" * 64,
        "samples_ns": samples,
        "absent": {**dict.fromkeys(UNKNOWN, "-"), "spread": "one round"},
    }
    return Measurement.model_validate(fields | changes)


def failed(error: str) -> Measurement:
    return failure(measured([1]), error)


@pytest.mark.parametrize(("jobs", "rounds", "seed"), [(1, 1, 0), (2, 5, 1), (14, 4, 2), (7, 9, 3)])
def test_every_round_holds_every_job_once(jobs: int, rounds: int, seed: int) -> None:
    orders = schedule(jobs, rounds, seed)
    assert len(orders) == rounds
    assert all(sorted(order) == list(range(jobs)) for order in orders)


def test_order_changes_between_rounds_and_repeats_by_seed() -> None:
    orders = schedule(14, 4, seed=1)
    assert len({tuple(order) for order in orders}) == 4
    assert orders == schedule(14, 4, seed=1)
    assert orders != schedule(14, 4, seed=2)


def test_percentiles_are_of_all_samples_pooled() -> None:
    pooled = combine([measured([9, 1, 3, 7, 5]), measured([2, 4, 6, 8, 10])])
    assert (pooled.p50_ms, pooled.p90_ms, pooled.p99_ms) == (5, 9, 10)
    assert (pooled.mean_ms, pooled.min_ms, pooled.runs, pooled.rounds) == (5.5, 1, 10, 2)
    assert pooled.samples_ns == tuple(n * MS for n in (9, 1, 3, 7, 5, 2, 4, 6, 8, 10))


def test_single_values_become_medians_and_memory_the_maximum() -> None:
    pooled = combine(
        [
            measured([1], init_ms=init, first_ms=first, overhead_ns=overhead, peak_rss_kb=peak)
            for init, first, overhead, peak in [(1, 6, 70, 10), (9, 5, 90, 30), (2, 4, 80, 20)]
        ]
    )
    assert (pooled.init_ms, pooled.first_ms) == (2, 5)
    assert (pooled.overhead_ns, pooled.peak_rss_kb) == (80, 30)


def test_spread_is_the_relative_range_of_the_medians_and_flagged() -> None:
    pooled = combine([measured([100] * 400), measured([90] * 400), measured([120] * 400)])
    assert pooled.spread == pytest.approx(0.3)
    assert len(pooled.warnings) == 1
    assert "30%" in pooled.warnings[0]
    assert "spread" not in pooled.absent


def test_percentile_far_above_the_median_is_flagged() -> None:
    (warning,) = combine([measured([10] * 900 + [30] * 300)]).warnings
    assert "the 90th percentile is 3.0 times the median" in warning
    assert not combine([measured([10] * 900 + [19] * 300)]).warnings


def test_steady_rounds_with_enough_runs_raise_no_doubt() -> None:
    pooled = combine([measured([100] * 512), measured([110] * 512)])
    assert pooled.warnings == ()


def test_too_few_runs_are_flagged() -> None:
    assert "1024" in combine([measured([100] * 1023)]).warnings[0]


def test_one_round_has_no_spread_but_the_reason() -> None:
    pooled = combine([measured([1])])
    assert pooled.spread is None
    assert pooled.absent["spread"] == "one round"


def test_rounds_that_disagree_on_the_output_have_none() -> None:
    pooled = combine([measured([1]), measured([1], output_sha256="2" * 64)])
    assert pooled.output_sha256 is None
    assert "different outputs" in pooled.absent["output_sha256"]


def test_memory_known_in_one_round_only_is_kept() -> None:
    gone = {**dict.fromkeys((*UNKNOWN, "spread"), "-"), "peak_rss_kb": "hidden"}
    lacking = measured([1], peak_rss_kb=None, absent=gone)
    pooled = combine([lacking, measured([1])])
    assert pooled.peak_rss_kb == 100
    assert "peak_rss_kb" not in pooled.absent
    assert combine([lacking, lacking]).absent["peak_rss_kb"] == "hidden"


def test_warnings_of_rounds_are_told_once() -> None:
    pooled = combine([measured([1] * 600, warnings=["lower bound"])] * 2)
    assert pooled.warnings == ("lower bound",)


def doing(celsius: float | None = None, mhz: float | None = None) -> Conditions:
    return Conditions(celsius=celsius, mhz=mhz)


@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        (doing(40), doing(79.9), None),
        (doing(40), doing(80), "80 °C"),
        (doing(91), doing(60), "91 °C"),
        (doing(mhz=1500), doing(mhz=1360), None),
        (doing(mhz=1500), doing(mhz=1340), "fell from 1500 to 1340 MHz"),
        (doing(mhz=600), doing(mhz=1500), None),
        (None, None, None),
    ],
)
def test_heat_and_lost_frequency_are_flagged(
    before: Conditions | None, after: Conditions | None, warning: str | None
) -> None:
    round_ = measured([100] * 1024, before=before, after=after)
    warnings = combine([round_]).warnings
    assert len(warnings) == (warning is not None)
    assert warning is None or warning in warnings[0]


def test_frequency_lost_between_the_rounds_is_flagged() -> None:
    first = measured([100] * 512, before=doing(mhz=2000), after=doing(mhz=1900))
    last = measured([100] * 512, before=doing(mhz=1850), after=doing(mhz=1700))
    pooled = combine([first, last])
    assert "fell from 2000 to 1700 MHz" in pooled.warnings[0]
    assert (pooled.before, pooled.after) == (doing(mhz=2000), doing(mhz=1700))


@pytest.mark.parametrize(("last_ms", "warned"), [(1.04, False), (1.2, True)])
def test_slowdown_under_load_is_flagged(last_ms: float, warned: bool) -> None:
    long = {"seconds": 120, "stretch_s": 30, "runs": 9, "first_ms": 1.0, "last_ms": last_ms}
    pooled = combine([measured([1] * 512), measured([1] * 512, sustained=long)])
    assert pooled.sustained is not None
    assert any("slows down by 20% under load" in w for w in pooled.warnings) is warned


def test_energy_is_that_of_the_round_that_metered_it() -> None:
    pooled = combine([measured([1]), measured([1], energy_mj=2.5, energy_source="RAPL package-0")])
    assert (pooled.energy_mj, pooled.energy_source) == (2.5, "RAPL package-0")


def test_reason_for_no_energy_outlives_the_pooling() -> None:
    last = measured([1])
    last = last.model_copy(update={"absent": {**last.absent, "energy_mj": "no meter"}})
    assert combine([measured([1]), last]).absent["energy_mj"] == "no meter"
    assert "energy_mj" not in combine([measured([1]), measured([1])]).absent


def test_failed_round_is_told_beside_the_figures_of_the_others() -> None:
    pooled = combine([measured([1]), failed("SIGSEGV")])
    assert pooled.error == "1 of 2 rounds went well, then: SIGSEGV"
    assert pooled.p50_ms == 1


def test_rounds_that_are_still_to_come_are_told() -> None:
    pooled = combine([measured([1]), measured([2])], 4)
    assert pooled.error == "2 of 4 rounds went well until now"
    assert pooled.runs == 2


def test_failure_is_counted_against_the_rounds_that_were_planned() -> None:
    pooled = combine([measured([1]), failed("SIGSEGV")], 4)
    assert pooled.error == "1 of 4 rounds went well, then: SIGSEGV"


def test_only_failed_rounds_give_the_error_alone() -> None:
    assert combine([failed("no memory")]) == failed("no memory")


def test_counted_answer_needs_no_samples() -> None:
    counted = {"instructions": 7, "dot_products": 0, "loads": 3, "stores": 2}
    lacking = dict.fromkeys(set(FIGURES) - set(counted) - {"peak_rss_kb", "output_sha256"})
    answer = measured(
        [1], samples_ns=None, **lacking, **counted, absent=dict.fromkeys(lacking, "-")
    )
    assert combine([answer]) == answer


def test_figures_of_a_tool_without_samples_become_medians() -> None:
    measurements = [
        measured([p50], samples_ns=None, min_ms=fastest, runs=600, init_ms=init)
        for p50, fastest, init in [(100, 70, 5), (90, 80, 9), (120, 60, 4)]
    ]
    pooled = combine(measurements)
    assert (pooled.p50_ms, pooled.mean_ms, pooled.init_ms) == (100, 100, 5)
    assert (pooled.min_ms, pooled.runs, pooled.rounds) == (60, 1800, 3)
    assert pooled.spread == pytest.approx(0.3)
    assert pooled.samples_ns is pooled.histogram is None


def test_tool_that_tells_a_mean_only_has_the_spread_of_its_means() -> None:
    gone = dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", *UNKNOWN, "spread"), "-")
    lacking = {"p50_ms": None, "p90_ms": None, "p99_ms": None, "samples_ns": None, "absent": gone}
    pooled = combine([measured([mean], **lacking) for mean in (90, 110)])
    assert pooled.p50_ms is None
    assert pooled.spread == pytest.approx(0.2)


def test_rounds_with_and_without_samples_cannot_be_pooled() -> None:
    with pytest.raises(ValueError, match="samples"):
        combine([measured([1]), measured([1], samples_ns=None)])


def test_failed_job_is_left_out_and_the_others_go_on(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    jobs = [job_for(float_file, variant=name) for name in ("good", "bad", "fine")]
    ran: list[str] = []

    def run(job: Job) -> Measurement:
        ran.append(job.variant)
        return failure(job, "broken") if job.variant == "bad" else measured([1, 2])

    progress: list[tuple[int, int]] = []
    *_, answers = run_rounds(
        jobs, run, rounds=3, seed=1, on_progress=lambda done, total: progress.append((done, total))
    )
    assert [answer.error for answer in answers] == [None, "broken", None]
    assert sorted(ran) == ["bad"] + ["fine"] * 3 + ["good"] * 3
    assert progress == [(done, 9) for done in range(1, 10)]


def test_rounds_interleave_the_jobs(float_file: Path, job_for: Callable[..., Job]) -> None:
    jobs = [job_for(float_file, variant=str(number)) for number in range(5)]
    ran: list[int] = []

    def run(job: Job) -> Measurement:
        ran.append(int(job.variant))
        return measured([1])

    list(run_rounds(jobs, run, rounds=3, seed=4))
    assert [ran[start : start + 5] for start in (0, 5, 10)] == schedule(5, 3, seed=4)


def test_what_there_is_after_each_round_is_told(
    job_for: Callable[..., Job], int8_file: Path
) -> None:
    reports = list(run_rounds([job_for(int8_file)], lambda job: measured([1]), rounds=3, seed=0))
    assert [len(measurements) for measurements in reports] == [1, 1, 1]
    assert [measurements[0].rounds for measurements in reports] == [1, 2, 3]
    assert [measurements[0].error is None for measurements in reports] == [False, False, True]
