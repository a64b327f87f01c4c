"""What it costs a search that its workers are elsewhere: one, two and more of them.

Makes the light search of `tools/campaigns` (40 students in batches of eight, of which two go on to
the second rung) on a PostgreSQL server. Its trials wait in place of training, so that workers on
one machine do not take each other's cores: what is measured is how well the work is shared, and
what server, leader and looking cost. In time of a trial, a batch takes one worker 8 + 2·2 = 12, two
workers 4 + 2 = 6, four 2 + 2 = 4, eight 1 + 2 = 3: no number of workers makes it less.

    python -m tools.experiments.shared_search [--workers 1 2 4 8] [--seconds 5]

Its figures stand in docs/distributed.md.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.consoles import console
from pipeline.tensorflow_setup import configure_tensorflow, load_tensorflow
from tools.campaigns.crews import LEADER, LONGEST, WORKER, CrewMember
from tools.console import run_as_program
from tools.postgresql import server
from tools.tables import Table

TRIALS = {1: 60, 2: 30, 4: 20, 8: 15}
"""Workers → how long all batches take at least, in times of a trial to the first rung."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", choices=TRIALS, default=[*TRIALS])
    parser.add_argument("--seconds", type=float, default=5.0, help="of a trial")
    options = parser.parse_args()
    configure_tensorflow()
    load_tensorflow()  # once, here: nothing is run, so that this process can fork
    with server() as address:
        walls = {count: _wall(count, options.seconds, address) for count in options.workers}
    first = walls[options.workers[0]]
    rows = [
        [f"{count}", f"{wall:.0f}", f"{options.seconds * TRIALS[count]:.0f}", f"{wall / first:.2f}"]
        for count, wall in walls.items()
    ]
    headings = ["workers", "seconds", "at least", "to the first row"]
    console().print(Table(headings, rows, []).for_terminal())
    return 0


def _wall(count: int, seconds: float, address: str) -> float:
    """Seconds from the leader's start to its end; workers are started with it."""
    from tools.campaigns import light_search
    from tools.campaigns.workers import empty_storage

    light_search.SECONDS = seconds
    empty_storage(address)
    with tempfile.TemporaryDirectory() as name:
        folder, started = Path(name), time.monotonic()
        log = folder / "log.txt"
        leader = CrewMember(LEADER, partial(light_search.lead, folder, address), log)
        workers = [
            CrewMember(WORKER, partial(light_search.wait_and_work, folder, address), log)
            for _ in range(count)
        ]
        leader.wait(LONGEST)
        wall = time.monotonic() - started
        if leader.code or not all(one.wait(60) and one.code == 0 for one in workers):
            raise PocketganError("a process failed.", log.read_text())
        return wall


if __name__ == "__main__":
    run_as_program(main)
