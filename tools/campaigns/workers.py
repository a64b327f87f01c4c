"""Does a search lose a trial where its workers are killed?

A leader and two workers make a search on a PostgreSQL server. Their processes are killed (SIGKILL)
at random moments, nine of ten times a worker or the process that works for it, and begun again.
After each kill every score that was there must still be there; at the end each trial must have one,
and what was found must be what is found undisturbed.

    python -m tools.campaigns.workers FOLDER [--search light] [--kills 100] [--minutes 10]
        [--seed 0]

`light` searches have everything but the training; the search of a `tiny` run is that of the
commands. Needs Linux and PostgreSQL. FOLDER keeps the counts, so that the same command goes on
where it was stopped, and what was left where something was wrong. Exit code 1 if it was.
"""

import argparse
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pipeline.atomic import write_text
from pipeline.consoles import console
from pipeline.tensorflow_setup import configure_tensorflow, load_tensorflow
from tools.campaigns.crews import LEADER, WORKER, CrewMember, kill_until_done
from tools.console import run_as_program
from tools.postgresql import server
from tools.tables import Table, whole

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from pipeline.search.work_study import SharedWork

RESULTS = "searches.json"
SEARCHES = {"light": 1.0, "tiny": 8.0}
"""Each with the seconds between its first kills: about what a worker needs for a trial."""
WORKERS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--search", choices=SEARCHES, default="light")
    parser.add_argument("--kills", type=int, default=100, help="of workers, at least")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    configure_tensorflow()
    load_tensorflow()  # once, here: nothing is run, so that this process can fork
    folder = options.folder.absolute() / options.search
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rows(folder)
    with server() as address:
        while time.monotonic() < end and _sum(rows, WORKER) < options.kills:
            number = len(rows)
            rows.append(disturb(options.search, folder, address, f"{options.seed} {number}"))
            write_text(folder / RESULTS, json.dumps(rows, indent=1))
            if rows[-1]["violations"]:
                shutil.copytree(folder, folder.with_name(f"{options.search}-{number}-violated"))
    console().print(_table(options.search, rows).for_terminal())
    return int(any(row["violations"] for row in rows))


def disturb(name: str, folder: Path, address: str, seed: str) -> dict[str, Any]:
    """A search whose processes are killed: how many were, and what was wrong after that."""
    search, storage, started = _search(name), empty_storage(address), time.monotonic()
    search.prepare(folder)
    log = folder / "log.txt"
    log.unlink(missing_ok=True)
    kills = kill_until_done(
        CrewMember(LEADER, partial(search.lead, folder, address), log),
        [CrewMember(WORKER, partial(search.work, folder, address), log) for _ in range(WORKERS)],
        random=Random(seed),
        pause=SEARCHES[name],
        scores=lambda: _scores(storage),
    )
    violations = kills.violations or [
        *_without_score(_works(storage)),
        *search.violations(folder),
    ]
    seconds = round(time.monotonic() - started, 1)
    return {"counts": dict(kills.counts), "violations": violations, "seconds": seconds}


def _search(name: str) -> ModuleType:
    """What it consists of: prepare, lead, work, violations."""
    return import_module(f"tools.campaigns.{name}_search")


def empty_storage(address: str) -> "BaseStorage":
    """Without searches."""
    from pipeline.search.storage import open_storage

    storage = open_storage(address)
    for study in storage.get_all_studies():
        storage.delete_study(study._study_id)
    return storage


def _works(storage: "BaseStorage") -> "list[SharedWork]":
    """Of the one search there, if it has begun."""
    from pipeline.search.work_study import SharedWork

    return [
        SharedWork(trial)
        for study in storage.get_all_studies()
        for trial in storage.get_all_trials(study._study_id, deepcopy=False)
    ]


def _scores(storage: "BaseStorage") -> Mapping[object, object]:
    """Number of a work that is done → its score."""
    from pipeline.search.work_study import DONE

    return {one.trial.number: one.score for one in _works(storage) if one.state in DONE}


def _without_score(works: "Sequence[SharedWork]") -> list[str]:
    from pipeline.search.work_study import DONE

    without = {one.key for one in works} - {one.key for one in works if one.state in DONE}
    return [f"{key} has no score" for key in without]


def _rows(folder: Path) -> list[dict[str, Any]]:
    path = folder / RESULTS
    return json.loads(path.read_bytes()) if path.exists() else []


def _sum(rows: Sequence[dict[str, Any]], role: str) -> int:
    return sum(row["counts"].get(role, 0) for row in rows)


def _table(name: str, rows: Sequence[dict[str, Any]]) -> Table:
    violated = sum(bool(row["violations"]) for row in rows)
    counts = [len(rows), _sum(rows, WORKER), _sum(rows, LEADER), violated]
    headings = ["search", "searches", "workers killed", "leaders killed", "with violations"]
    return Table(headings, [[name, *map(whole, counts)]], [])


if __name__ == "__main__":
    run_as_program(main)
