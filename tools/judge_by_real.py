"""What a student is worth that never saw real pictures: its file before those of its teacher's run.

    python tools/judge_by_real.py runs/digits-large runs/data-free-1 …

The first run is the teacher's, whose judge and test pictures are asked; the others are runs of
`pocketgan compress … --data-free`, which could only ask the teacher's own pictures. Same latents.
"""

import argparse
from pathlib import Path

from console import run_as_program
from finished_run import Examiner, open_run, variant
from tables import Table

from pipeline.variants import BASELINE, SHIPPED

HEAD = ("file", "gzip ÷", "gzip B", "Fréchet", "ratio", "recall drop")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("teacher", type=Path, help="folder of the run that trained the teacher")
    parser.add_argument("students", nargs="+", type=Path, help="folders of runs of compress")
    options = parser.parse_args()
    bench = open_run(options.teacher)
    examiner = Examiner(bench)
    dense = examiner.examine(variant(bench, BASELINE))
    rows = []
    for folder in options.students:
        found = examiner.examine(variant(open_run(folder), SHIPPED))
        rows.append(
            [
                folder.name,
                f"{dense.bytes_gzip / found.bytes_gzip:,.0f}",
                f"{found.bytes_gzip:,}",
                f"{dense.frechet:.2f} → {found.frechet:.2f}",
                f"{found.frechet / dense.frechet:.3f}",
                f"{dense.recall - found.recall:.3f}",
            ]
        )
    print(Table(HEAD, rows, []).markdown())
    return 0


if __name__ == "__main__":
    run_as_program(main)
