"""A life: work that is struck up to six times, and goes on until it is done."""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from pipeline.commands.arguments import BAD_INPUT, FAILED, OK
from tools.campaigns.adversities import Adversity, Strike
from tools.campaigns.scenes import Scene
from tools.campaigns.victims import Ending, run_victim
from tools.campaigns.visible import differences, half_made, left_over, search_scores

STRIKES = 6
"""Of one life, at most."""
DONE, REFUSED = (OK, FAILED), BAD_INPUT
CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGKILL)
"""What becomes of native code without memory; the command's parent makes one message of it."""


@dataclass(frozen=True)
class Life:
    """How often work was struck, and what was wrong after that."""

    strikes: int
    faults: list[str]


@dataclass(frozen=True)
class Like:
    """A life that nothing strikes, and what decides when others are struck."""

    whole: Ending
    room: int
    """Bytes that it wrote."""
    seed: str


def whole_life(scene: Scene, base: Path, folder: Path) -> tuple[Ending, list[str], int]:
    """Work that nothing strikes: how it ended, faults, and bytes that it wrote."""
    runs = _prepared(scene, base, folder)
    before = _size(runs)
    ending = run_victim(partial(scene.work, runs), folder / "log.txt")
    return ending, [*_faults_of_end(scene, base, runs, ending)], _size(runs) - before


def life(scene: Scene, adversity: Adversity, *, base: Path, folder: Path, like: Like) -> Life:
    """What became of work of which ``like`` says how it ends unstruck."""
    runs, log = _prepared(scene, base, folder), folder / "log.txt"
    strike = Strike(
        runs=runs,
        work=scene.work,
        log=log,
        chance=Random(like.seed),
        whole=like.whole,
        room=like.room,
    )
    strikes, faults, scores = 0, list[str](), search_scores(runs)
    for _ in range(STRIKES):
        log.unlink(missing_ok=True)
        ending = adversity(strike)
        faults += [*_wrong(ending), *half_made(runs)]
        if ending.code in DONE:
            break
        before, scores = scores, search_scores(runs)
        faults += [f"the score of {one} is lost" for one in before.keys() - scores.keys()]
        strikes += 1
    log.unlink(missing_ok=True)
    ending = run_victim(partial(scene.work, runs), log)
    return Life(strikes, [*faults, *_faults_of_end(scene, base, runs, ending)])


def _wrong(ending: Ending) -> Iterator[str]:
    """What may not become of struck work."""
    if ending.left:
        yield f"{ending.left} processes left behind"
    if ending.code in DONE or -ending.code in CRASHES:
        return
    said = [line for line in ending.words.splitlines() if line.startswith("pocketgan: ")]
    if ending.code != REFUSED or len(said) != 1 or "Traceback" in ending.words:
        yield f"exit code {ending.code}: {ending.words}"


def _prepared(scene: Scene, base: Path, folder: Path) -> Path:
    """A copy of the finished runs, in which the work is left to do."""
    shutil.rmtree(folder, ignore_errors=True)
    runs = folder / "runs"
    shutil.copytree(base / "runs", runs)
    scene.forget(runs)
    return runs


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _faults_of_end(scene: Scene, base: Path, runs: Path, ending: Ending) -> Iterator[str]:
    if ending.code not in DONE:
        yield f"exit code {ending.code}: {ending.words}"
        return
    yield from _wrong(ending)
    yield from half_made(runs)
    yield from left_over(runs)
    for name in (scene.run, ".cache"):
        mine, other = base / "runs" / name, runs / name
        yield from (one for one in differences(mine, other) if not _comes_later(one, other))


def _comes_later(difference: str, run: Path) -> bool:
    """Whether what is missing is in a stage that was not to be made."""
    name = difference.partition(" is in one")[0]
    return "/" in name and not (run / Path(name).parts[0]).exists()
