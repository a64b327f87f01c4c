"""Does the search's early score tell which student will be the better one? Their ranks compared.

    python -m tools.experiments.early_scores runs/compressed-digits-1 runs/ablation/all-of-it …

The first run's distillation set and judge give the score that a search of it would give to the
student of each other run, which was trained to its end: its int8 file's Fréchet distance is the
final figure.

Its figures stand in docs/compress.md.
"""

import argparse
from pathlib import Path

from scipy.stats import spearmanr

from pipeline.artifacts import REPORT, STUDENT_FACTS
from pipeline.compression.spec import CompressionSpec
from pipeline.determinism import prepare
from pipeline.plans import FROM_TEACHER
from pipeline.report.run import schema
from pipeline.report.run.gates import measure
from pipeline.search import trials
from pipeline.search.candidates import Candidate
from pipeline.stages.search_context import search_context
from tools.console import run_as_program
from tools.experiments.finished_run import open_run
from tools.tables import Table

HEAD = ("student", "early score", "rank", "Fréchet ÷ teacher's", "rank")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a run of compress")
    parser.add_argument("students", nargs="+", type=Path, help="runs of the same teacher")
    options = parser.parse_args()
    ctx = open_run(options.run)
    prepare(ctx.recipe.seed)
    context = search_context(ctx)
    students = [
        STUDENT_FACTS.read(FROM_TEACHER.folder(run, "student")).tried for run in options.students
    ]
    early = [early_score(context, candidate) for candidate in students]
    final = [final_ratio(run) for run in options.students]
    rows = [
        [
            candidate.description,
            f"{first:.2f}",
            f"{rank(first, early)}",
            f"{last:.3f}",
            str(rank(last, final)),
        ]
        for candidate, first, last in zip(students, early, final, strict=True)
    ]
    print(Table(HEAD, rows, []).markdown())
    print(f"Spearman's rank correlation: {spearmanr(early, final).statistic:.2f}")
    return 0


def early_score(context: trials.SearchContext, candidate: Candidate) -> float:
    """As ``search.trials`` gives it to a student that reaches the last rung."""
    spec = CompressionSpec(candidate.bits, candidate.zeros)
    steps = context.steps_of(candidate.cost)
    distiller, current_score = trials.start_distillation(
        context, candidate.student, spec, steps=steps
    )
    for until in trials.rungs(steps):  # each score settles batch norm a little more
        distiller.train(until)
        score = current_score()
    return score


def final_ratio(run: Path) -> float:
    report = schema.read(FROM_TEACHER.folder(run, "report") / REPORT)
    return measure("frechet_ratio", report).value or float("nan")


def rank(value: float, among: list[float]) -> int:
    return 1 + sum(other < value for other in among)


if __name__ == "__main__":
    run_as_program(main)
