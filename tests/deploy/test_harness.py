from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.harness import LONGEST_TIMING, NO_METER_READ, MeasuringPlan, measure
from deploy.jobs import Job, Measurement, failure
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
        if not self.answers:
            raise TargetLostError("standin stays away")

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


class Meterless(Local):
    """This machine by a tool that reads no meter, and a list of what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "meterless"
        self.asked_for: list[float | None] = []

    def answer(self, job: Job, time_limit: float) -> Measurement:
        self.asked_for.append(job.energy_s)
        return super().answer(job.model_copy(update={"energy_s": None}), time_limit)


def test_energy_is_metered_in_the_last_round_or_absent_with_the_reason(float_file: Path) -> None:
    target = Meterless()
    plan = MeasuringPlan(rounds=2, runs=8, energy_s=0.5)
    (measurement,) = measure({"float32": float_file}, [target], plan=plan)
    assert target.asked_for == [None, 0.5]
    assert measurement.absent["energy_mj"] == NO_METER_READ


def test_all_that_is_left_on_a_lost_target_says_so(
    float_file: Path, int8_file: Path, job_for: Callable[..., Job]
) -> None:
    target = Standin(TargetLostError("standin went away"), timed=True)
    lost = measure({"a": float_file, "b": int8_file}, [target], plan=MeasuringPlan(rounds=3))
    assert [m.error for m in lost] == ["standin went away; then: standin stays away"] * 2
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
