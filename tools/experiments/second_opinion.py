"""How far do our median and that of LiteRT's own benchmark lie apart, on the given files?

The two take turns, a process each, in a fresh order a round, so that a machine that drifts hits
both alike (``pocketgan benchmark`` measures target after target). Beside them: the share of our own
clock reading, which is in every one of our samples and is not subtracted.

    python -m tools.experiments.second_opinion FILES.tflite… [--threads 1] [--rounds 6] [--json]

Exit code 1 if a file that takes 0.2 ms or longer differs by more than 10 %, or if the clock reading
is more than 10 % of a file that takes 0.03 ms or longer.

Its figures stand in docs/targets.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from deploy.agreement import FIRST_OPINION, OPINION_LIMIT, SECOND_OPINION, Opinion, opinions
from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, describe_file
from deploy.rounds import ENOUGH_RUNS, run_rounds
from deploy.targets import find_target
from pipeline.consoles import console
from tools.console import run_as_program

OVERHEAD_LIMIT = 0.10
SHORTEST_MS = 0.03
TIME_LIMIT = 300.0


def measure(files: Sequence[Path], threads: int, rounds: int) -> list[Measurement]:
    """Each file on both targets, interleaved."""
    targets = [find_target(name) for name in (FIRST_OPINION, SECOND_OPINION)]
    jobs = [
        Job.model_validate(
            {
                "target": target.name,
                "variant": str(file),
                **describe_file(file),
                "threads": threads,
                "delegate": target.delegate,
                "warmup": 256,
                "runs": ENOUGH_RUNS,
                "keep_samples": True,
            }
        )
        for file in files
        for target in targets
    ]
    with targets[0].open() as ours, targets[1].open() as theirs:
        sessions = {FIRST_OPINION: ours, SECOND_OPINION: theirs}
        *_, measurements = run_rounds(
            jobs, lambda job: sessions[job.target](job, TIME_LIMIT), rounds=rounds, seed=0
        )
    return measurements


def overheads(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Share of our clock reading in our median, by file."""
    return {
        m.variant: m.overhead_ns / 1e6 / m.p50_ms
        for m in measurements
        if m.overhead_ns is not None and m.p50_ms is not None
    }


def describe(it: Opinion, overhead: float) -> dict[str, Any]:
    return {
        "file": it.variant,
        "threads": it.threads,
        "ours_ms": it.ours_ms,
        "theirs_ms": it.theirs_ms,
        "ratio": it.ratio,
        "overhead": overhead,
        "agrees": it.agrees if it.judged else None,
    }


def render(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("File")
    for heading in ("ours\nms", "theirs\nms", "ratio", "clock\nshare"):
        table.add_column(heading, justify="right")
    table.add_column(f"within\n{OPINION_LIMIT:.0%}")
    words: dict[bool | None, RenderableType] = {
        True: "yes",
        False: Text("no", style="red"),
        None: Text("too short to say", style="dim"),
    }
    for row in rows:
        cells = (
            Path(row["file"]).name,
            f"{row['ours_ms']:.4f}",
            f"{row['theirs_ms']:.3f}",
            f"{row['ratio']:.3f}",
            f"{row['overhead']:.2%}",
            words[row["agrees"]],
        )
        table.add_row(*cells)
    return table


def main() -> int:
    """Measure and show; 1 if the two disagree or the clock weighs too much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, help="the .tflite files")
    parser.add_argument("--threads", type=int, default=1, help="number of threads (1)")
    parser.add_argument("--rounds", type=int, default=6, help="processes of each (6)")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    options = parser.parse_args()
    if options.threads < 1 or options.rounds < 1:
        raise PocketganError("--threads and --rounds must be positive.", "Leave them out, perhaps.")
    measurements = measure(options.files, options.threads, options.rounds)
    for each in measurements:
        if each.error is not None:
            raise PocketganError(f"{each.target} on {each.variant}: {each.error}")
    shares = overheads(measurements)
    rows = [describe(it, shares[it.variant]) for it in opinions(measurements)]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        console().print(render(rows))
    heavy = any(row["overhead"] > OVERHEAD_LIMIT for row in rows if row["ours_ms"] >= SHORTEST_MS)
    return int(heavy or any(row["agrees"] is False for row in rows))


if __name__ == "__main__":
    run_as_program(main)
