from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.agent import summarize
from deploy.errors import PocketganError
from deploy.harness import LONGEST_TIMING, MeasuringPlan, combine, measure, run_rounds, schedule
from deploy.jobs import FIGURES, Conditions, Job, Measurement, failure
from deploy.targets.local import Local
from deploy.targets.target import Availability, Session, Target, TargetLostError


def test_each_variant_and_thread_count_is_measured(float_file: Path, int8_file: Path) -> None:
    progress: list[tuple[int, int]] = []
    measurements = measure(
        {"float32": float_file, "int8": int8_file},
        [Local()],
        plan=MeasuringPlan(threads=(1, 2), rounds=2, runs=33, warmup=4),
        on_progress=lambda _, done, total: progress.append((done, total)),
    )
    assert [(m.variant, m.threads) for m in measurements] == [
        ("float32", 1),
        ("float32", 2),
        ("int8", 1),
        ("int8", 2),
    ]
    assert all(m.error is None and m.samples_ns is None for m in measurements)
    assert {(m.rounds, m.runs) for m in measurements} == {(2, 34)}
    assert {m.bytes for m in measurements[:2]} == {float_file.stat().st_size}
    assert measurements[2].output_sha256 == measurements[3].output_sha256 is not None
    assert measurements[0].output_sha256 != measurements[2].output_sha256
    assert progress[-1] == (8, 8)


def test_broken_variant_does_not_stop_the_others(float_file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(float_file.read_bytes()[:1000])
    bad, good = measure(
        {"broken": broken, "float32": float_file},
        [Local()],
        plan=MeasuringPlan(rounds=2, runs=8, keep_samples=True),
    )
    assert bad.error
    assert bad.p50_ms is None
    assert good.error is None
    assert len(good.samples_ns or ()) == 8


def test_hostile_file_name_is_only_a_name(float_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "--help; $(exit 1) \n'\"ü.tflite"
    path.write_bytes(float_file.read_bytes())
    (measurement,) = measure({"odd": path}, [Local()], plan=MeasuringPlan(rounds=1, runs=4))
    assert measurement.error is None


def test_missing_file_is_told_before_anything_runs(float_file: Path, tmp_path: Path) -> None:
    progress: list[int] = []
    with pytest.raises(PocketganError, match=r"gone\.tflite"):
        measure(
            {"float32": float_file, "gone": tmp_path / "gone.tflite"},
            [Local()],
            plan=MeasuringPlan(),
            on_progress=lambda _, done, total: progress.append(done),
        )
    assert progress == []


class Standin(Target):
    """Answers from a list: what a real target could say, without one."""

    def __init__(self, *answers: Measurement | Exception, timed: bool = False) -> None:
        self.name = "standin"
        self.timed = timed
        self.answers = list(answers)
        self.asked: list[Job] = []

    def availability(self) -> Availability:
        return Availability(
            "it has answers", "pocketgan targets install it", ready=bool(self.answers)
        )

    @contextmanager
    def open(self) -> Iterator[Session]:
        def answer(job: Job, time_limit: float) -> Measurement:
            self.asked.append(job)
            next_answer = self.answers.pop(0)
            if isinstance(next_answer, Exception):
                raise next_answer
            return next_answer

        yield answer


def test_target_that_is_not_ready_is_told_before_anything_runs(float_file: Path) -> None:
    with pytest.raises(PocketganError, match="standin") as caught:
        measure({"float32": float_file}, [Standin()], plan=MeasuringPlan())
    assert "pocketgan targets install it" in caught.value.remedy


@pytest.mark.parametrize(("limit", "seconds"), [(600.0, LONGEST_TIMING), (4.0, 2.0)])
def test_slow_file_is_timed_for_seconds_not_for_the_whole_limit(
    float_file: Path, limit: float, seconds: float
) -> None:
    target = Standin(TargetLostError("standin went away"), timed=True)
    measure({"a": float_file}, [target], plan=MeasuringPlan(time_limit=limit))
    assert [job.budget_s for job in target.asked] == [seconds]


def test_all_that_is_left_on_a_lost_target_says_so(
    float_file: Path, int8_file: Path, job_for: Callable[..., Job]
) -> None:
    target = Standin(TargetLostError("standin went away"), timed=True)
    lost = measure({"a": float_file, "b": int8_file}, [target], plan=MeasuringPlan(rounds=3))
    assert [m.error for m in lost] == ["standin went away"] * 2
    assert len(target.asked) == 1


def test_what_is_known_is_not_measured_again(
    float_file: Path, int8_file: Path, job_for: Callable[..., Job]
) -> None:
    files = {"float32": float_file, "int8": int8_file}
    plan = MeasuringPlan(rounds=1, runs=4)
    first = measure(files, [Local()], plan=plan)
    broken = [first[0], failure(job_for(int8_file, variant="int8"), "gone")]
    totals: list[int] = []
    again = measure(
        files,
        [Local()],
        plan=plan,
        earlier=broken,
        on_progress=lambda _, done, total: totals.append(total),
    )
    assert totals == [1]
    assert again[0] == first[0]
    assert again[1].error is None


def test_other_target_is_compared_with_the_desktop(float_file: Path) -> None:
    (measurement,) = measure(
        {"float32": float_file}, [Local(xnnpack=False)], plan=MeasuringPlan(runs=4)
    )
    assert measurement.agreement is not None
    assert measurement.agreement.reference == "local"
    assert measurement.agreement.largest < 1e-5
    assert measurement.plain_agreement is None
    assert measurement.outputs is None


def test_measurements_are_handed_over_after_each_round(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    reports: list[list[Measurement]] = []
    answer = failure(job_for(float_file, target="standin"), "it only has to answer")
    measure(
        {"float32": float_file},
        [Local(), Standin(answer)],
        plan=MeasuringPlan(rounds=2, runs=4),
        on_round=reports.append,
    )
    assert [len(so_far) for so_far in reports] == [1, 1, 2]
    assert [so_far[0].error for so_far in reports] == [
        "1 of 2 rounds went well until now",
        None,
        None,
    ]


def test_target_that_cannot_be_opened_does_not_stop_the_others(float_file: Path) -> None:
    class Closed(Standin):
        @contextmanager
        def open(self) -> Iterator[Session]:
            raise PocketganError("nobody is at home", "Knock.")
            yield

    answers = [failure, failure]
    closed, here = measure(
        {"float32": float_file}, [Closed(*answers), Local()], plan=MeasuringPlan(rounds=1, runs=4)
    )
    assert closed.error == "nobody is at home (Knock.)"
    assert here.error is None


def test_file_timed_in_a_later_call_than_the_others_says_so(
    float_file: Path, int8_file: Path, job_for: Callable[..., Job]
) -> None:
    files, plan = {"float32": float_file, "int8": int8_file}, MeasuringPlan(rounds=1, runs=4)
    first = measure(files, [Local()], plan=plan)
    broken = [first[0], failure(job_for(int8_file, variant="int8"), "gone")]
    reused, late = measure(files, [Local()], plan=plan, earlier=broken)
    assert reused == first[0]
    assert any("later call" in warning for warning in late.warnings)


def test_targets_that_this_machine_times_take_turns(float_file: Path) -> None:
    lines: list[str] = []
    measurements = measure(
        {"float32": float_file},
        [Local(), Local(xnnpack=False)],
        plan=MeasuringPlan(rounds=3, runs=6),
        on_progress=lambda name, done, total: lines.append(f"{name} {done}/{total}"),
    )
    assert lines[-1] == "local and local:plain 6/6"
    assert [m.target for m in measurements] == ["local", "local:plain"]
    assert {m.rounds for m in measurements} == {3}


MS = 1_000_000
UNKNOWN = ("arena_bytes", "instructions", "dot_products", "loads", "stores", "delegated")


def measured(samples_ms: list[int], **changes: Any) -> Measurement:
    """A round's measurement with these samples."""
    samples = [sample * MS for sample in samples_ms]
    fields = {
        "target": "local",
        "variant": "int8",
        "sha256": "0" * 64,
        "bytes": 1,
        "bytes_gzip": 1,
        "bytes_zstd": 1,
        "threads": 1,
        "delegate": "xnnpack",
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
    subject = measured([1]).model_dump(
        include={
            "target",
            "variant",
            "sha256",
            "bytes",
            "bytes_gzip",
            "bytes_zstd",
            "threads",
            "delegate",
        }
    )
    return Measurement.model_validate(subject | {"error": error})


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
