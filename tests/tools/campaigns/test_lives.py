"""Work that is struck at any moment, and that a campaign sees what is wrong after it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tools.campaigns import small_plan, victims
from tools.campaigns.adversities import ADVERSITIES
from tools.campaigns.lives import Life, Like, life, whole_life
from tools.campaigns.scenes import SCENES, Scene
from tools.campaigns.victims import Moment, run_victim
from tools.campaigns.visible import differences, half_made, left_over

LIGHT = SCENES["two light stages"]
Live = Callable[..., Life]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    small_plan.make_all(tmp_path / "base" / "runs")
    return tmp_path / "base"


@pytest.fixture
def live(base: Path, tmp_path: Path) -> Live:
    """A function that lets work be struck."""

    def one(scene: Scene, adversity: str, seed: int) -> Life:
        whole, faults, room = whole_life(scene, base, tmp_path / "life")
        assert not faults
        like = Like(whole, room, str(seed))
        return life(scene, ADVERSITIES[adversity], base=base, folder=tmp_path / "life", like=like)

    return one


@pytest.mark.parametrize("name", ["two light stages", "light stage, again"])
@pytest.mark.parametrize("stride", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_before_a_change_of_its_folder_work_ends_in_the_same_bytes(
    name: str, stride: int, base: Path, tmp_path: Path
) -> None:
    scene, log = SCENES[name], tmp_path / "log.txt"
    whole, faults, _ = whole_life(scene, base, tmp_path / "life")
    assert not faults
    assert whole.changes > 20
    for change in range(1, whole.changes + 1, stride):
        runs = tmp_path / f"runs-{change}"
        shutil.copytree(base / "runs", runs)
        scene.forget(runs)
        work = partial(scene.work, runs)
        assert run_victim(work, log, Moment(change=change)).was_killed
        assert [*half_made(runs)] == []
        assert run_victim(work, log).code == 0
        assert [*left_over(runs), *differences(base / "runs", runs)] == []


@pytest.mark.parametrize(
    "adversity",
    [
        name if name not in ("full disk", "read-only folder") else pytest.param(name, marks=AS_ROOT)
        for name in ADVERSITIES
    ],
)
def test_struck_work_is_whole_in_the_end(adversity: str, live: Live) -> None:
    lives = [live(LIGHT, adversity, seed) for seed in range(2)]
    assert [one.faults for one in lives] == [[], []]


def test_stage_that_is_seen_half_made_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(partial: Path, final: Path) -> None:
        shutil.copytree(partial, final)
        shutil.rmtree(partial)

    monkeypatch.setattr("pipeline.run.replace_folder", copied)
    runs, log = tmp_path / "runs", tmp_path / "log.txt"
    whole, faults = run_victim(partial(LIGHT.work, runs), log), list[str]()
    for change in range(whole.changes // 2, whole.changes):
        shutil.rmtree(runs, ignore_errors=True)
        run_victim(partial(LIGHT.work, runs), log, Moment(change=change))
        faults += half_made(runs)
    assert any("has no record" in fault or "not as recorded" in fault for fault in faults)


def test_process_that_outlives_the_one_that_began_it_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(victims, "PATIENCE", 0.1)

    def begin() -> int:
        command = ["sh", "-c", f"echo $$ > {tmp_path / 'pid'}; sleep 60"]
        subprocess.Popen(command, start_new_session=True)
        time.sleep(60)
        return 0

    assert run_victim(begin, tmp_path / "log.txt", Moment(seconds=1.0)).left > 0
    os.killpg(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_other_bytes_and_rests_are_faults(base: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(base / "runs", runs)
    assert [*differences(base / "runs", runs), *left_over(runs), *half_made(runs)] == []
    changed = runs / small_plan.NAME / "2-double"
    (changed / "double.txt").write_text("changed")
    (changed.with_name(".3-triple.partial")).mkdir()
    (changed.parent / "1-count" / "sum.txt").unlink()
    assert len([*differences(base / "runs", runs)]) == 2
    assert len([*half_made(runs)]) == 2
    assert len([*left_over(runs)]) == 1
