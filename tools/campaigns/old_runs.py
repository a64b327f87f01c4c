"""Are runs that older versions made read, or refused in one message?

    python -m tools.campaigns.old_runs FOLDER COMMIT [COMMIT ...]

Each version, out of this repository's history, makes a tiny run with the packages that are
installed here; then the commands of today that read runs are given it. Exit code 1 if one of them
ended otherwise than done or refusing in one message.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.commands.arguments import BAD_INPUT, FAILED, OK
from pipeline.consoles import console
from pipeline.plans import RECIPE
from tools.campaigns.workloads import SCRATCH_RUN, TINY
from tools.console import run_as_program
from tools.tables import Table

ROOT = Path(__file__).parents[2]
READS = "read"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("commits", nargs="+")
    options = parser.parse_args()
    folder, rows, bad = options.folder.absolute(), list[list[str]](), False
    for commit in options.commits:
        runs = _runs_of(commit, folder / commit)
        for command, code, output in _answers(runs):
            messages = [line for line in output.splitlines() if line.startswith("pocketgan: ")]
            refused = code == BAD_INPUT and len(messages) == 1 and "Traceback" not in output
            bad |= not refused and code not in (OK, FAILED)
            rows.append([commit, command, READS if code in (OK, FAILED) else output])
    console().print(Table(["version", "command", "answer"], rows, []).for_terminal())
    return int(bad)


def _runs_of(commit: str, folder: Path) -> Path:
    """A folder of runs with the tiny run that a version made."""
    runs, source = folder / "runs", folder / "source"
    if not runs.exists():
        shutil.rmtree(folder, ignore_errors=True)
        source.mkdir(parents=True)
        archive = [
            "git",
            "-C",
            str(ROOT),
            "archive",
            "--output",
            str(folder / "source.tar"),
            commit,
        ]
        subprocess.run(archive, check=True)
        shutil.unpack_archive(folder / "source.tar", source)
        recipe = folder / f"{SCRATCH_RUN}.yaml"
        recipe.write_text(TINY)
        _pocketgan(source, ["run", str(recipe), "--runs", str(runs), "--quiet"])
    return runs


def _answers(runs: Path) -> Iterator[tuple[str, int, str]]:
    """(command, exit code, output) of each command that reads runs."""
    run = str(runs / SCRATCH_RUN)
    for command in (
        ("compare", run, run),
        ("bundle", run, "--force", "--out", f"{runs}/bundle"),
        ("gallery", run, "--out", f"{runs}/gallery"),
        ("report", f"{run}/{RECIPE}", "--runs", str(runs), "--quiet"),
    ):
        done = _pocketgan(ROOT, command)
        yield command[0], done.returncode, done.stderr.strip()


def _pocketgan(source: Path, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=source,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    run_as_program(main)
