"""The tables of docs/results.md, from the reports of finished runs.

    python -m tools.experiments.results_tables runs/digits runs/digits-2 runs/digits-3

Prints Markdown: a row a run with what compression kept and what it saved, then all variants of the
first run. Times are medians on `local` with one thread.
"""

import argparse
from pathlib import Path

from pipeline.finished_run import read_report
from pipeline.report.quantities import significant
from pipeline.report.run import schema
from pipeline.report.run.columns import local_measurement
from pipeline.variants import BASELINE, SHIPPED
from tools.console import run_as_program
from tools.tables import Table, cell, percent

RUNS = (
    *("run", "Fréchet float32", "Fréchet int8", "floor", "ratio", "recall", "classes", "zeros"),
    *("float ops", "bytes ÷", "gzip ÷", "p50 ms, one thread", "within 2 steps"),
    *("judge's accuracy", "stages"),
)
VARIANTS = ("variant", "kB", "gzip kB", "zeros", "float ops", "Fréchet", "recall", "PSNR", "p50")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    options = parser.parse_args()
    reports = [read_report(str(folder), folder.parent) for folder in options.runs]
    if len({report.judge.name for report in reports}) > 1:
        parser.error("the runs have two kinds of judge, whose figures do not compare")
    print(Table(RUNS, [row(report) for report in reports], []).markdown())
    print(Table(VARIANTS, [list(line(v)) for v in reports[0].variants], []).markdown())
    return 0


def row(report: schema.Report) -> list[str]:
    """What became of a run's generator from float32 to the file that ships."""
    dense, int8 = report.variant(BASELINE), report.variant(SHIPPED)
    assert dense is not None
    assert int8 is not None
    slow, fast = p50(dense), p50(int8)
    frechet = dense.quality.frechet, int8.quality.frechet
    return [
        f"{report.recipe_name}, seed {report.seed}",
        *(cell(value, "{:.2f}".format) for value in (*frechet, report.floor.frechet)),
        f"{frechet[1] / frechet[0]:.3f}" if frechet[0] and frechet[1] else "–",
        f"{cell(dense.quality.recall, '{:.3f}'.format)} → "
        f"{cell(int8.quality.recall, '{:.3f}'.format)}",
        cell(int8.quality.modes, str),
        f"{int8.zeros:.3f}",
        str(int8.float_ops),
        f"{dense.bytes / int8.bytes:.2f}",
        f"{dense.bytes_gzip / int8.bytes_gzip:.2f}",
        f"{slow:.4g} / {fast:.4g} = {slow / fast:.1f}" if slow and fast else "–",
        "–" if int8.qat_steps is None else f"{int8.qat_steps.within_2:.5f}",
        cell(report.judge.accuracy, "{:.3f}".format),
        f"{sum(stage.seconds for stage in report.stages):,.0f} s",
    ]


def line(variant: schema.VariantReport) -> tuple[str, ...]:
    """One file of a run."""
    return (
        variant.name,
        f"{variant.bytes / 1000:,.1f}",
        f"{variant.bytes_gzip / 1000:,.1f}",
        percent(variant.zeros),
        str(variant.float_ops),
        cell(variant.quality.frechet, "{:.2f}".format),
        cell(variant.quality.recall, "{:.3f}".format),
        cell(variant.quality.psnr, "{:.1f}".format),
        cell(p50(variant), significant),
    )


def p50(variant: schema.VariantReport) -> float | None:
    """Median on this machine with one thread, ms."""
    here = local_measurement(variant, 1)
    return here.p50_ms if here else None


if __name__ == "__main__":
    run_as_program(main)
