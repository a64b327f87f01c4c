"""What worker processes save: searches with several numbers of them, compress against older code.

    python -m tools.experiments.side_by_side runs/digits [--workers 1 2] [--max-gzip-kb 12]
        [--storage] [--against CHECKOUT] [--json] [--search.trials 6 …]

The search of ``compress RUN --max-gzip-kb …`` is made once for each number of workers, of one and
the same teacher; ``sha256`` must be the same in all rows. With ``--storage`` each worker is a
command `pocketgan worker --workers 1` of its own, all on one PostgreSQL server, and its start
counts. With ``--against`` the whole command runs here and in another checkout, in turn, and its
stages are compared. Beside each time stands the load of the last minute before it: times count on a
quiet machine only. Seconds of the CPU, of all processes together, suffer less from neighbours.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.errors import PocketganError
from pipeline.commands.compress import parse_compress, run_of
from pipeline.plans import FROM_TEACHER
from pipeline.run import Run, read_record
from pipeline.search.storage import open_storage
from pipeline.stage import SharedStorage
from tools.console import run_as_program
from tools.postgresql import server
from tools.tables import Table, cell, whole

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long a work took."""

    what: str
    seconds: float
    cpu_seconds: float
    """Of the processes that ended meanwhile: the workers."""
    load_before: float
    sha256: str
    """Of what came out: the choice of a search, the int8 file of a whole command."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/digits")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--max-gzip-kb", default="12")
    parser.add_argument("--storage", action="store_true", help="workers as commands on a server")
    parser.add_argument("--against", type=Path, help="a checkout of the code to compare with")
    parser.add_argument("--json", action="store_true")
    options, overrides = parser.parse_known_args()
    command = [
        *("compress", str(options.run.resolve()), "--max-gzip-kb", options.max_gzip_kb),
        *("--name", "small", *overrides),
    ]
    with TemporaryDirectory() as folder:
        with server() if options.storage else nullcontext() as address:
            timings = search_timings(command, options.workers, Path(folder), address)
        if options.against:
            for name, checkout in (("older", options.against), ("here", ROOT)):
                timings += whole_timings(name, checkout, command, Path(folder) / name)
    if options.json:
        print(json.dumps([asdict(timing) for timing in timings], indent=1))
    else:
        print(table_of(timings).markdown())
    return 0


def search_timings(
    command: Sequence[str], counts: Sequence[int], folder: Path, address: str | None
) -> list[Timing]:
    """Of the search of a command, with so many workers each: commands, where there is a storage."""
    timings = []
    for count in counts:
        run = run_in(command, folder / f"workers-{count}", count)
        first = folder / f"workers-{counts[0]}" / run.recipe.name
        if count == counts[0]:
            run.make("teacher")
        else:
            shutil.copytree(
                FROM_TEACHER.folder(first, "teacher"), run.path("teacher"), dirs_exist_ok=True
            )
            shutil.copytree(first.parent / ".cache", run.root / ".cache", dirs_exist_ok=True)
        load, start, cpu = os.getloadavg()[0], time.monotonic(), _ended_cpu()
        with _commands(run, address, count) if address else nullcontext():
            run.make("search")
        timings.append(
            Timing(
                what=f"search, {count} worker{'s' * (count > 1)} of one thread",
                seconds=time.monotonic() - start,
                cpu_seconds=_ended_cpu() - cpu,
                load_before=load,
                sha256=sha256(run.path("search") / "choice.json"),
            )
        )
    return timings


@contextmanager
def _commands(run: Run, address: str, count: int) -> Iterator[None]:
    """So many commands try the students; they are there when the search has put the first ones."""
    run.storage = SharedStorage(address)
    storage = open_storage(address)
    for study in storage.get_all_studies():
        storage.delete_study(study._study_id)
    workers = list[subprocess.Popen[bytes]]()

    def start() -> None:
        while not any(storage.get_all_trials(one._study_id) for one in storage.get_all_studies()):
            time.sleep(0.1)
        command = [sys.executable, "-m", "pipeline", "worker", address, "--workers", "1"]
        workers.extend(subprocess.Popen([*command, "--quiet"]) for _ in range(count))

    starting = threading.Thread(target=start)
    starting.start()
    yield
    starting.join()
    for one in workers:
        one.wait()


def _ended_cpu() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def run_in(command: Sequence[str], root: Path, count: int) -> Run:
    options, overrides = parse_compress([*command[1:], "--runs", str(root), "--quiet"])
    run = run_of(options, overrides)
    run.workers = count
    return run


def whole_timings(name: str, checkout: Path, command: Sequence[str], root: Path) -> list[Timing]:
    """Of a whole command with the code of a checkout, and of its stages as their records say."""
    load, start, cpu = os.getloadavg()[0], time.monotonic(), _ended_cpu()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *command, "--runs", str(root), "--quiet"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in (0, 3):
        raise PocketganError(f"{checkout}: compress ended with {done.returncode}.", "Run it alone.")
    seconds = time.monotonic() - start
    file = FROM_TEACHER.folder(root / "small", "convert") / "int8.tflite"
    command_timing = Timing(
        what=f"compress, {name}",
        seconds=seconds,
        cpu_seconds=_ended_cpu() - cpu,
        load_before=load,
        sha256=sha256(file),
    )
    records = {
        stage: read_record(FROM_TEACHER.folder(root / "small", stage))
        for stage in FROM_TEACHER.names
    }
    return [
        command_timing,
        *(
            Timing(
                what=f"{stage}, {name}",
                seconds=record.seconds,
                cpu_seconds=0.0,
                load_before=load,
                sha256="",
            )
            for stage, record in records.items()
            if record is not None
        ),
    ]


def table_of(timings: Sequence[Timing]) -> Table:
    rows = [
        [
            it.what,
            f"{it.seconds:.0f}",
            cell(it.cpu_seconds or None, whole),
            f"{it.load_before:.1f}",
            it.sha256[:12],
        ]
        for it in timings
    ]
    return Table(("", "seconds", "CPU seconds", "load before", "sha256"), rows, [])


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    run_as_program(main)
