"""The docs' tables of what was measured on targets, from the files that the commands leave.

    python -m tools.experiments.target_tables benchmark/benchmark.json [--files float32 int8]
    python -m tools.experiments.target_tables bench-suite/suite.json

Prints Markdown: of a benchmark, a row a target and a column a file; of the suite, a table a target
with int8 and float32 of each family at each size.

Its figures stand in docs/suite.md.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.report.benchmark import schema
from pipeline.report.benchmark.grid import columns
from tools.console import run_as_program
from tools.experiments.suite import measure as suite
from tools.experiments.suite.findings import doubts, sentences, spoken, views
from tools.experiments.suite.page import rows
from tools.tables import Table


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="benchmark.json or suite.json")
    parser.add_argument("--files", nargs="+", help="those of a benchmark to show; all otherwise")
    options = parser.parse_args()
    if options.file.name == suite.FILE:
        print("\n".join(of_suite(suite.read(options.file.parent))))
        return 0
    benchmark = schema.read_if_sound(options.file)
    if benchmark is None:
        raise PocketganError(f"{options.file}: no benchmark.json of this version", "Measure anew.")
    print(of_benchmark(benchmark, options.files).markdown())
    return 0


def of_benchmark(benchmark: schema.Benchmark, files: Sequence[str] | None) -> Table:
    """A row a target and figure, the ratio to the baseline behind it; a median below its p90."""
    names = files or [file.name for file in benchmark.files]
    grid = columns(benchmark.measurements, benchmark.files, benchmark.baseline)
    lines = [
        [f"`{column.title}`", reading.headline.title, *(reading.text(name) for name in names)]
        for column in grid
        for reading in column.readings
        if reading.headline is not None
    ]
    return Table(["target", "figure", *names], lines, [])


def of_suite(results: suite.Suite) -> Iterator[str]:
    """A heading, a table and the findings for each target."""
    for view in views(results):
        yield f"## `{view.target}`: {view.headline.title}, {view.headline.unit}\n"
        headings = ["pixels", "width", *map(spoken, view.families())]
        lines = [
            [str(row.pixels), str(row.width), *(f"{c.int8} / {c.float32}" for c in row.cells)]
            for row in rows(view)
        ]
        yield Table(headings, lines, sentences(view)).markdown()
    yield "\n".join(f"- {doubt}" for doubt in doubts(results))


if __name__ == "__main__":
    run_as_program(main)
