"""Is anything lost, or visible half-made, where work is killed or has no room or permission?

Makes tiny finished runs once, then removes a part and lets it be made again by a process that a
fault befalls up to six times, mostly SIGKILL: half of the moments are by the clock, half before a
change of the folder. After each fault all that is visible must be whole, an end must be one
message, and nothing that was started may go on; at the end the bytes must be those of undisturbed
work, with no rests.

    python -m tools.campaigns FOLDER [--minutes 10] [--seed 0] [--workloads train search]
        [--faults kill "full disk"]

Needs Linux, and root for file systems of its own. Case NUMBER of a kind is the same whenever the
seed is. FOLDER keeps the results, so that the same command goes on where it was stopped, and what
cases with violations left. Exit code 1 if there was one.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.atomic import write_text
from pipeline.consoles import console
from pipeline.tensorflow_setup import configure_tensorflow, load_tensorflow
from tools.console import run_as_program
from tools.rows import add_rows, read_rows
from tools.tables import Table

if TYPE_CHECKING:
    from tools.campaigns.cases import Undisturbed

RESULTS, BASE, VIOLATIONS = "cases.jsonl", "base", "violations"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=500, help="faults of each kind, at most")
    parser.add_argument("--workloads", nargs="+", help="all, if left out")
    parser.add_argument("--faults", nargs="+", default=["kill"])
    parser.add_argument("--markdown", type=Path, help="write the table to this file, for the docs")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    _start()
    from tools.campaigns.faults import FAULTS
    from tools.campaigns.workloads import WORKLOADS

    for option, names, there in (
        ("--workloads", options.workloads or [], WORKLOADS),
        ("--faults", options.faults, FAULTS),
    ):
        for name in {*names} - {*there}:
            parser.error(f"{option}: nothing is called {name}; there are {', '.join(there)}")
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _make_base(folder)
    kinds = [*product(options.workloads or WORKLOADS, options.faults)]
    while time.monotonic() < end:
        rows = read_rows(folder / RESULTS)
        left = [kind for kind in kinds if _sum(rows, kind, "injected") < options.count]
        if not left:
            break
        # What had the least time is next: cheap work meets more faults.
        kind = min(left, key=lambda one: _sum(rows, one, "seconds"))
        _run_case(*kind, folder, seed=options.seed)
    rows = read_rows(folder / RESULTS)
    console().print(_table(rows).for_terminal())
    if options.markdown:
        write_text(options.markdown, _table(rows).markdown())
    return int(any(row["violations"] for row in rows))


def _start() -> None:
    """Import all that work needs; nothing is run, so that this process can fork."""
    configure_tensorflow()
    load_tensorflow()
    from pipeline.plans import FROM_SCRATCH, FROM_TEACHER

    for plan in (FROM_SCRATCH, FROM_TEACHER):
        plan.stages  # noqa: B018  loads them


def _make_base(folder: Path) -> None:
    """The finished runs, made by a child."""
    from tools.campaigns.processes import run_process
    from tools.campaigns.workloads import make_base

    base, whole = folder / BASE, folder / BASE / "whole"
    if whole.exists():
        return
    shutil.rmtree(base, ignore_errors=True)
    ending = run_process(partial(make_base, base), folder / f"{BASE}.txt")
    if ending.code:
        raise OSError(f"the finished runs could not be made: {ending.output}")
    whole.touch()


def _run_case(workload: str, fault: str, folder: Path, *, seed: int) -> None:
    """One more case, and its row; before the first of a workload it is done undisturbed."""
    from tools.campaigns.cases import run_case
    from tools.campaigns.workloads import WORKLOADS

    like = _undisturbed(workload, folder)
    kind, place, started = (workload, fault), folder / "case", time.monotonic()
    number = sum(_kind(row) == kind and row["seed"] == seed for row in read_rows(folder / RESULTS))
    case = run_case(
        WORKLOADS[workload],
        fault,
        base=folder / BASE,
        folder=place,
        like=like,
        seed=f"{seed} {workload} {fault} {number}",
    )
    if case.violations:
        (folder / VIOLATIONS).mkdir(exist_ok=True)
        shutil.move(place, folder / VIOLATIONS / f"{workload}-{fault}-{seed}-{number}")
    row = {"workload": workload, "fault": fault, "seed": seed, "number": number, **vars(case)}
    row["seconds"] = round(time.monotonic() - started, 2)
    add_rows(folder / RESULTS, [row])


def _undisturbed(workload: str, folder: Path) -> "Undisturbed":
    """How that work goes on under no fault; done once."""
    from tools.campaigns.cases import Undisturbed, run_undisturbed
    from tools.campaigns.processes import Ending
    from tools.campaigns.workloads import WORKLOADS

    path = folder / "undisturbed" / f"{workload}.json"
    if path.exists():
        values = json.loads(path.read_bytes())
        return Undisturbed(**values | {"ending": Ending(**values["ending"])})
    like = run_undisturbed(WORKLOADS[workload], folder / BASE, folder / "case")
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(asdict(like)))
    return like


def _sum(rows: Sequence[dict[str, Any]], kind: tuple[str, str], column: str) -> float:
    return sum(float(row[column]) for row in rows if _kind(row) == kind)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    kinds = dict.fromkeys(map(_kind, rows))
    body = [[*kind, *_counts(row for row in rows if _kind(row) == kind)] for kind in kinds]
    headings = ["work", "fault", "faults injected", "cases", "cases with violations"]
    return Table(headings, [*body, ["all", "", *_counts(rows)]], [])


def _counts(rows: Iterable[dict[str, Any]]) -> list[str]:
    cases = [*rows]
    bad = sum(bool(row["violations"]) for row in cases)
    return [f"{count:,}" for count in (sum(row["injected"] for row in cases), len(cases), bad)]


def _kind(row: dict[str, Any]) -> tuple[str, str]:
    return row["workload"], row["fault"]


if __name__ == "__main__":
    run_as_program(main)
