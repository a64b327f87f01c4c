"""How quality falls as a generator shrinks: one picture, one table, from runs of compress.

    python -m tools.experiments.curve runs/digits-large-* --picture docs/images/curve.png

Above, the distance of each shipped int8 file over the teacher's, against how many times smaller it
is gzipped; below, the same latents drawn by the teacher and by each file. "As asked": the share of
pictures in which the run's judge sees the class that was asked for.

Its figures stand in docs/compress.md.
"""

import argparse
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from pipeline.finished_run import read_report
from pipeline.report.run import schema
from pipeline.report.run.gates import measure
from pipeline.variants import BASELINE, SHIPPED
from tools.console import run_as_program
from tools.experiments.finished_run import Examiner, open_run, variant
from tools.tables import Table

HEAD = (
    *("run", "gzip ÷", "gzip B", "weights", "weights ÷", "Fréchet", "ratio", "recall drop"),
    *("as asked", "p50 ÷", "student"),
)
PICTURES_A_ROW = 20
TICKS = (1, 2, 4, 8, 16, 32)
LINE = 1.10
"""The Fréchet ratio that is asked of a good student."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs of compress")
    parser.add_argument("--picture", type=Path, help="where the picture goes")
    options = parser.parse_args()
    reports = [(folder, read_report(str(folder), folder.parent)) for folder in options.runs]
    reports.sort(key=lambda pair: value("bytes_gzip_ratio", pair[1]))
    print(Table(HEAD, [row(folder, report) for folder, report in reports], []).markdown())
    if options.picture:
        picture(reports, options.picture)
    return 0


def value(quantity: str, report: schema.Report) -> float:
    figure = measure(quantity, report).value
    return float("nan") if figure is None else figure


def row(folder: Path, report: schema.Report) -> list[str]:
    """One file against its teacher."""
    dense, int8 = report.variant(BASELINE), report.variant(SHIPPED)
    assert dense is not None
    assert int8 is not None
    return [
        folder.name,
        f"{value('bytes_gzip_ratio', report):,.0f}",
        f"{int8.bytes_gzip:,}",
        f"{int8.parameters:,}",
        f"{dense.parameters / int8.parameters:,.0f}",
        f"{dense.quality.frechet:.2f} → {int8.quality.frechet:.2f}",
        f"{value('frechet_ratio', report):.3f}",
        f"{value('recall_drop', report):.3f}",
        as_asked(folder),
        f"{value('speedup', report):.1f}",
        student_of(report),
    ]


def as_asked(folder: Path) -> str:
    ctx = open_run(folder)
    share = Examiner(ctx).examine(variant(ctx, SHIPPED)).as_asked
    return "–" if share is None else f"{share:.1%}"


def student_of(report: schema.Report) -> str:
    search = report.search
    return next(s.words for s in search.tried if s.number == search.shipped) if search else ""


def picture(reports: list[tuple[Path, schema.Report]], path: Path) -> None:
    """The curve, and what the files draw."""
    matplotlib.use("Agg")
    ratios = [value("bytes_gzip_ratio", report) for _, report in reports]
    frechet = [value("frechet_ratio", report) for _, report in reports]
    figure, (curve, strip) = plt.subplots(
        2,
        1,
        figsize=(9, 4 + 0.42 * (len(reports) + 1)),
        height_ratios=[3.2, 0.42 * (len(reports) + 1)],
    )
    curve.plot(ratios, frechet, "o-", color="#3b6fb6")
    for ratio, at in zip(ratios, frechet, strict=True):
        curve.annotate(
            f"{ratio:,.0f}×", (ratio, at), (0, 7), textcoords="offset points", ha="center"
        )
    curve.axhline(LINE, color="#999999", lw=0.8, ls="--")
    curve.set(xscale="log", xlabel="times smaller, gzipped")
    curve.set(yscale="log", ylabel="Fréchet distance ÷ teacher's")
    curve.set_xticks(ratios, [f"{ratio:,.0f}" for ratio in ratios])
    curve.set_xticks([], minor=True)
    ticks = [tick for tick in TICKS if tick <= 2 * max(frechet)]
    curve.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    curve.set_yticks([], minor=True)
    curve.margins(0.08, 0.15)
    rows = [samples(reports[0][0], BASELINE), *(samples(folder, SHIPPED) for folder, _ in reports)]
    strip.imshow(np.concatenate(rows), cmap="gray")
    height = rows[0].shape[0]
    strip.set_yticks(
        [height * (number + 0.5) for number in range(len(rows))],
        ["teacher, float32", *(f"{ratio:,.0f}×" for ratio in ratios)],
    )
    strip.set_xticks([])
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def samples(folder: Path, variant: str) -> np.ndarray:
    """The first pictures in a row: uint8 [H, PICTURES_A_ROW·W] or [H, PICTURES_A_ROW·W, 3]."""
    with np.load(next(folder.glob("*-evaluate/samples.npz"))) as arrays:
        row_of_pictures = np.concatenate([*arrays[variant][:PICTURES_A_ROW]], axis=1)
    return row_of_pictures[..., 0] if row_of_pictures.shape[-1] == 1 else row_of_pictures


if __name__ == "__main__":
    run_as_program(main)
