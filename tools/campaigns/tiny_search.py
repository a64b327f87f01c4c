"""The search of a tiny run, as commands make it: `compress --storage` and `pocketgan worker`."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.cli import main
from pipeline.commands.arguments import FAILED, OK
from pipeline.commands.run import make_stage
from pipeline.plans import FROM_TEACHER, RECIPE
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.search import distributed
from pipeline.stage import SharedStorage
from tools.campaigns.crews import LEADER, CrewMember
from tools.campaigns.invariants import differences, half_made, left_over
from tools.campaigns.workloads import COMPRESS, SCRATCH_RUN, STUDENT_RUN, TINY

SECONDS_UNTIL_LOST = 15.0
"""In place of a minute, so that a kill costs less; a worker says every five that it is there."""


def prepare(folder: Path) -> None:
    """A copy of the undisturbed runs, which are made once, without the search."""
    base, runs = folder / "base", folder / "runs"
    if not (base / "whole").exists():
        _make_base(base)
    shutil.rmtree(runs, ignore_errors=True)
    shutil.copytree(base / "runs", runs)
    for name in FROM_TEACHER.names[FROM_TEACHER.names.index("search") :]:
        shutil.rmtree(FROM_TEACHER.folder(runs / STUDENT_RUN, name))


def lead(folder: Path, address: str) -> int:
    """As `compress --storage`, up to the search."""
    distributed.SECONDS_UNTIL_LOST = SECONDS_UNTIL_LOST
    progress.silence()
    runs = folder / "runs"
    run = Run(load_recipe(str(runs / STUDENT_RUN / RECIPE)), runs)
    run.storage = SharedStorage(address)
    with run.lock():
        make_stage(run, "search")
    return OK


def work(folder: Path, address: str) -> int:
    """The command."""
    os.environ["POCKETGAN_CACHE"] = str(folder / "cache")
    return main(["worker", address, "--workers", "1", "--quiet"])


def violations(folder: Path) -> Iterator[str]:
    """What is not as in the undisturbed run."""
    base, runs = folder / "base" / "runs", folder / "runs"
    yield from half_made(runs, STUDENT_RUN)
    yield from left_over(runs)
    search = FROM_TEACHER.folder(Path(STUDENT_RUN), "search")
    yield from differences(base / search, runs / search)


def _make_base(base: Path) -> None:
    """In a child, as nothing may run in this process."""
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    log = base.with_suffix(".txt")
    child = CrewMember(LEADER, partial(_run_all, base), log)
    if not child.wait(float("inf")) or child.code:
        raise OSError(f"the undisturbed runs could not be made: see {log}")
    (base / "whole").touch()


def _run_all(base: Path) -> int:
    recipe, runs = base / f"{SCRATCH_RUN}.yaml", ["--runs", str(base / "runs")]
    recipe.write_text(TINY)
    codes = {
        main(["run", str(recipe), "--quiet", *runs]),
        main(["compress", str(base / "runs" / SCRATCH_RUN), *COMPRESS, *runs]),
    }
    return int(not codes <= {OK, FAILED})
