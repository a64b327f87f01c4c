"""Work that a fault befalls at any moment, and that a campaign sees what is wrong after it."""

import faulthandler
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tools.campaigns import light_plan, processes
from tools.campaigns.cases import Case, Undisturbed, run_case, run_undisturbed
from tools.campaigns.faults import FAULTS
from tools.campaigns.invariants import differences, half_made, left_over
from tools.campaigns.processes import Ending, Kill, run_process
from tools.campaigns.workloads import WORKLOADS, Workload

LIGHT = WORKLOADS["two light stages"]
ENDED = Ending(code=0, changes=0, seconds=0.0, output="")
Try = Callable[[str, int], Case]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    light_plan.make_all(tmp_path / "base" / "runs")
    return tmp_path / "base"


@pytest.fixture
def case(base: Path, tmp_path: Path) -> Try:
    """A function that lets a fault befall light work."""

    def run(fault: str, seed: int) -> Case:
        folder = tmp_path / "case"
        like = run_undisturbed(LIGHT, base, folder)
        assert not like.violations
        return run_case(LIGHT, fault, base=base, folder=folder, like=like, seed=str(seed))

    return run


@pytest.mark.parametrize("name", ["two light stages", "light stage, again"])
@pytest.mark.parametrize("stride", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_before_a_change_of_its_folder_work_ends_in_the_same_bytes(
    name: str, stride: int, base: Path, tmp_path: Path
) -> None:
    workload, log = WORKLOADS[name], tmp_path / "log.txt"
    like = run_undisturbed(workload, base, tmp_path / "case")
    assert not like.violations
    assert like.ending.changes > 20
    for change in range(1, like.ending.changes + 1, stride):
        runs = tmp_path / f"runs-{change}"
        shutil.copytree(base / "runs", runs)
        workload.prepare(runs)
        work = partial(workload.work, runs)
        assert run_process(work, log, Kill(change=change)).code == -signal.SIGKILL
        assert [*half_made(runs, light_plan.NAME)] == []
        assert run_process(work, log).code == 0
        assert [*left_over(runs), *differences(base / "runs", runs)] == []


@pytest.mark.parametrize(
    "fault",
    [
        name if name not in ("full disk", "read-only folder") else pytest.param(name, marks=AS_ROOT)
        for name in FAULTS
    ],
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_work_under_a_fault_is_whole_in_the_end(fault: str, seed: int, case: Try) -> None:
    assert case(fault, seed).violations == []


def test_stage_that_is_visible_half_made_is_a_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(partial: Path, final: Path) -> None:
        shutil.copytree(partial, final)
        shutil.rmtree(partial)

    monkeypatch.setattr("pipeline.run.replace_folder", copied)
    runs, log = tmp_path / "runs", tmp_path / "log.txt"
    whole = run_process(partial(LIGHT.work, runs), log)

    def problems() -> Iterator[str]:
        for change in range(whole.changes // 2, whole.changes):
            shutil.rmtree(runs, ignore_errors=True)
            run_process(partial(LIGHT.work, runs), log, Kill(change=change))
            yield from half_made(runs, light_plan.NAME)

    assert any("has no record" in one or "not as recorded" in one for one in problems())


def test_process_that_outlives_the_one_that_began_it_is_a_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.1)

    def begin() -> int:
        subprocess.Popen(["sleep", "60"], start_new_session=True)
        time.sleep(60)
        return 0

    ending = run_process(begin, tmp_path / "log.txt", Kill(seconds=1.0))
    assert ending.violations == ("1 processes were left behind",)


def test_other_bytes_and_rests_are_violations(base: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(base / "runs", runs)
    assert [
        *differences(base / "runs", runs),
        *left_over(runs),
        *half_made(runs, light_plan.NAME),
    ] == []
    changed = runs / light_plan.NAME / "2-double"
    (changed / "double.txt").write_text("changed")
    (changed.with_name(".3-triple.partial")).mkdir()
    (changed.parent / "1-count" / "sum.txt").unlink()
    assert len([*differences(base / "runs", runs)]) == 2
    assert len([*half_made(runs, light_plan.NAME)]) == 2
    assert len([*left_over(runs)]) == 1


def test_page_that_a_reader_finds_half_written_is_a_violation(base: Path, tmp_path: Path) -> None:
    def half_written(runs: Path) -> int:
        page = runs / light_plan.NAME / "page.html"
        page.write_text("<html>")
        time.sleep(1.0)
        page.unlink()
        return 0

    work = Workload(lambda runs: None, half_written, light_plan.NAME)
    like = Undisturbed(ENDED, size=0, violations=[])
    case = run_case(work, "read meanwhile", base=base, folder=tmp_path / "case", like=like, seed="")
    assert any(one.endswith("page.html was cut") for one in case.violations)


def test_work_that_crashes_without_a_message_is_a_violation(base: Path, tmp_path: Path) -> None:
    def crash(runs: Path) -> int:
        if not (runs / "crashed").exists():
            (runs / "crashed").touch()
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        return 0

    work = Workload(lambda runs: None, crash, light_plan.NAME)
    like = Undisturbed(ENDED, size=1 << 20, violations=[])
    case = run_case(
        work, "limit of a file's size", base=base, folder=tmp_path / "case", like=like, seed=""
    )
    assert case.injected == 1
    assert case.violations == ["exit code -11: "]
