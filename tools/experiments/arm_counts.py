"""Do counts repeat, do emulated cores draw what the desktop draws, and how long does it take?

Each file on each emulated core, in as many fresh processes as asked for:

    python -m tools.experiments.arm_counts FILE.tflite … [--target arm:cortex-a53 …] [--processes 5]

Counts are per inference, millions (a load or store is one access of at most 8 bytes); the spread is
(largest - smallest) / smallest of the instructions over the processes; steps are how far the
outputs lie from the desktop's LiteRT (of the quantized type; a float file's are left out); seconds
are those of one process on the wall. Exit code 1 if a spread is above 0.01 %.

Its figures stand in docs/decisions.md and docs/targets.md.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Measurement
from deploy.targets import find_target
from deploy.targets.arm import cores
from deploy.targets.target import Target
from pipeline.consoles import console
from tools.console import run_as_program
from tools.tables import Table

SPREAD_LIMIT = 1e-4
HEADINGS = (
    *("file", "target", "instructions", "dot products", "loads", "stores"),
    *("spread %", "steps", "seconds"),
)


def main() -> int:
    options = parse()
    targets = [find_target(name) for name in options.target]
    rows, worst = [], 0.0
    for target in targets or cores():
        for path in options.files:
            answers, seconds = repeat(path, target, options.processes)
            rows.append([path.stem, target.name, *row(answers), f"{seconds:.1f}"])
            worst = max(worst, spread(answers))
    table = Table(HEADINGS, rows, [f"largest spread {worst:.5%}, limit {SPREAD_LIMIT:.2%}"])
    console().print(table.for_terminal())
    return 1 if worst > SPREAD_LIMIT else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--target", nargs="*", default=[], help="all emulated cores otherwise")
    parser.add_argument("--processes", type=int, default=5)
    return parser.parse_args()


def repeat(path: Path, target: Target, processes: int) -> tuple[list[Measurement], float]:
    """The answers of fresh processes, and the median seconds that one took."""
    answers, seconds = [], []
    for _ in range(processes):
        start = time.monotonic()
        answers += measure({path.stem: path}, [target], plan=MeasuringPlan())
        seconds.append(time.monotonic() - start)
    return answers, sorted(seconds)[len(seconds) // 2]


def row(answers: Sequence[Measurement]) -> list[str]:
    first = answers[0]
    if first.error is not None:
        return [first.error, *[""] * 5]
    counts = (first.instructions, first.dot_products, first.loads, first.stores)
    assert first.agreement is not None
    steps = f"{first.agreement.largest:g}" if first.agreement.largest in range(256) else ""
    return [*(f"{(n or 0) / 1e6:.4f}" for n in counts), f"{spread(answers):.5%}"[:-1], steps]


def spread(answers: Sequence[Measurement]) -> float:
    counts = [answer.instructions for answer in answers if answer.instructions]
    return (max(counts) - min(counts)) / min(counts) if counts else 0.0


if __name__ == "__main__":
    run_as_program(main)
