"""Students trained without real pictures, measured by a judge that was trained on some.

    python -m tools.experiments.judge_by_real runs/compressed-digits-1 runs/data-free-1 …

The first run has real pictures (any that is evaluated, of the same teacher: `pocketgan run`, or
`pocketgan compress` without ``--data-free``); its judge, its test pictures and its float32 file are
asked. The others are runs of `pocketgan compress … --data-free`, which could only ask the teacher's
own pictures. Same latents.

Its figures stand in docs/compress.md and docs/decisions.md.
"""

import argparse
from pathlib import Path

from pipeline.variants import BASELINE, SHIPPED
from tools.console import run_as_program
from tools.experiments.finished_run import Examiner, open_run, variant
from tools.tables import Table

HEAD = ("file", "gzip ÷", "gzip B", "Fréchet", "ratio", "recall drop")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the run with real pictures")
    parser.add_argument("students", nargs="+", type=Path, help="folders of runs of compress")
    options = parser.parse_args()
    ctx = open_run(options.run)
    examiner = Examiner(ctx)
    dense = examiner.examine(variant(ctx, BASELINE))
    rows = []
    for folder in options.students:
        quality = examiner.examine(variant(open_run(folder), SHIPPED))
        rows.append(
            [
                folder.name,
                f"{dense.bytes_gzip / quality.bytes_gzip:,.0f}",
                f"{quality.bytes_gzip:,}",
                f"{dense.frechet:.2f} → {quality.frechet:.2f}",
                f"{quality.frechet / dense.frechet:.3f}",
                f"{dense.recall - quality.recall:.3f}",
            ]
        )
    print(Table(HEAD, rows, []).markdown())
    return 0


if __name__ == "__main__":
    run_as_program(main)
