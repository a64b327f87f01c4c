"""A case: work under a fault, up to six times, then undisturbed until it is done."""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from pipeline.commands.arguments import BAD_INPUT, FAILED, OK
from tools.campaigns.faults import CRASHING, FAULTS, Attempt
from tools.campaigns.invariants import differences, half_made, left_over, search_scores
from tools.campaigns.processes import Ending, run_process
from tools.campaigns.workloads import Workload

ATTEMPTS = 6
"""Under a fault in one case, at most."""
DONE = (OK, FAILED)
CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


@dataclass(frozen=True)
class Undisturbed:
    """The same work under no fault."""

    ending: Ending
    size: int
    """Bytes that it wrote."""
    violations: list[str]


@dataclass(frozen=True)
class Case:
    """How often a fault ended the work, and what was violated then and in the end."""

    injected: int
    violations: list[str]


def run_undisturbed(workload: Workload, base: Path, folder: Path) -> Undisturbed:
    """Do the work in ``folder``, on a copy of the finished runs in ``base``."""
    runs = _prepare(workload, base, folder)
    before = _size(runs)
    ending = run_process(partial(workload.work, runs), folder / "log.txt")
    return Undisturbed(
        ending, _size(runs) - before, [*_violations_of_end(workload, base, runs, ending)]
    )


def run_case(
    workload: Workload, fault: str, *, base: Path, folder: Path, like: Undisturbed, seed: str
) -> Case:
    """The same under a fault; what ``like`` took and wrote says when and where it strikes."""
    runs, log = _prepare(workload, base, folder), folder / "log.txt"
    attempt = Attempt(
        runs=runs,
        work=workload.work,
        log=log,
        random=Random(seed),
        ending=like.ending,
        size=like.size,
    )
    injected, violations, scores = 0, [*like.violations], search_scores(runs)
    for _ in range(ATTEMPTS):
        log.unlink(missing_ok=True)
        ending = FAULTS[fault](attempt)
        violations += [*_violations_of(ending, fault), *half_made(runs, workload.run)]
        if ending.code in DONE:
            break
        before, scores = scores, search_scores(runs)
        violations += [f"the score of {one} is lost" for one in before.keys() - scores.keys()]
        injected += 1
    log.unlink(missing_ok=True)
    ending = run_process(partial(workload.work, runs), log)
    return Case(injected, [*violations, *_violations_of_end(workload, base, runs, ending)])


def _violations_of(ending: Ending, fault: str) -> Iterator[str]:
    """Work under a fault is done, killed, or ends in one message."""
    yield from ending.violations
    if ending.code in DONE or ending.code == -signal.SIGKILL:
        return
    if fault in CRASHING and -ending.code in CRASHES:
        return
    messages = [line for line in ending.output.splitlines() if line.startswith("pocketgan: ")]
    if ending.code != BAD_INPUT or len(messages) != 1 or "Traceback" in ending.output:
        yield f"exit code {ending.code}: {ending.output}"


def _prepare(workload: Workload, base: Path, folder: Path) -> Path:
    """A copy of the finished runs, in which the work is left to do."""
    shutil.rmtree(folder, ignore_errors=True)
    runs = folder / "runs"
    shutil.copytree(base / "runs", runs)
    workload.prepare(runs)
    return runs


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _violations_of_end(workload: Workload, base: Path, runs: Path, ending: Ending) -> Iterator[str]:
    """Undisturbed work ends well, in the bytes that it left in ``base``."""
    yield from ending.violations
    if ending.code not in DONE:
        yield f"exit code {ending.code}: {ending.output}"
        return
    yield from half_made(runs, workload.run)
    yield from left_over(runs)
    for name in (workload.run, ".cache"):
        whole, run = base / "runs" / name, runs / name
        yield from (one for one in differences(whole, run) if not _comes_later(one, run))


def _comes_later(difference: str, run: Path) -> bool:
    """Whether what is missing is in a stage that was not to be made."""
    name = difference.partition(" is in one")[0]
    return "/" in name and not (run / Path(name).parts[0]).exists()
