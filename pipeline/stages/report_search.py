"""What the report says of a search: its candidates, and what came true of its predictions."""

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.artifacts import read_choice, read_student_facts
from pipeline.data.sources import TEACHER
from pipeline.report.run import schema
from pipeline.search.budget import FileCost, budget_of
from pipeline.search.candidates import Candidate
from pipeline.search.trials import WORST
from pipeline.stage import StageContext
from pipeline.variants import SHIPPED


def report_search(
    ctx: StageContext, variants: Sequence[schema.VariantReport]
) -> schema.SearchReport:
    """What the search tried, and what came true of it in the file that ships."""
    budget = ctx.recipe.budget
    teacher, student = ctx.records["teacher"], ctx.records["student"]
    choice = read_choice(ctx.inputs["search"])
    trained = read_student_facts(ctx.inputs["student"]).tried
    shipped = next(variant for variant in variants if variant.name == SHIPPED)
    return schema.SearchReport(
        teacher=teacher.metrics["origin"],
        teacher_parameters=teacher.metrics["generator_parameters"],
        reads="latents" if ctx.recipe.teacher.inputs is None else "pictures",
        real_pictures=ctx.recipe.data.source != TEACHER,
        limits={limit.field: limit.most for limit in budget_of(budget).limits},
        chosen=choice.chosen.number,
        reason=choice.reason,
        attempts=tuple(
            schema.AttemptReport(
                number=tried.number, words=tried.description, frechet_ratio=attempt["frechet_ratio"]
            )
            for tried, attempt in zip(
                (choice.chosen, *choice.ladder), student.metrics.get("attempts", ()), strict=False
            )
        ),
        taught=trained.number,
        tried=tuple(_student(tried) for tried in choice.candidates),
        predictions=_predictions(trained.cost, shipped, budget.target),
    )


def _student(tried: Candidate) -> schema.StudentReport:
    """A student that was given was not taught; one that broke has no distance either."""
    reason = "it was given, not tried" if not tried.steps else "its pictures were no numbers"
    scored = tried.steps > 0 and tried.score < WORST
    return schema.StudentReport(
        number=tried.number,
        words=tried.description,
        **asdict(tried.cost),
        distance=tried.score if scored else None,
        steps=tried.steps,
        finished=tried.finished,
        absent={**_unpredicted(tried.cost), **({} if scored else {"distance": reason})},
    )


def _unpredicted(cost: FileCost) -> dict[str, str]:
    """Why a cost tells no time, or no instructions."""
    if cost.p50_ms is None and cost.instructions is None:
        return dict.fromkeys(("p50_ms", "instructions"), "no --max-ms was given")
    missing = "instructions" if cost.instructions is None else "p50_ms"
    return {missing: "the target of --max-ms counts the other"}


def _predictions(
    cost: FileCost, shipped: schema.VariantReport, target: str
) -> tuple[schema.Prediction, ...]:
    """What is known of a file before it is written, and then its speed on the budget's target."""
    speed = "p50_ms" if cost.instructions is None else "instructions"
    there = [m for m in shipped.measurements if (m.target, m.threads) == (target, 1)]
    timed = min(there, key=lambda m: m.delegate != "xnnpack", default=None)
    return (
        *(_prediction(name, cost, getattr(shipped, name), "") for name in _OF_FILE),
        _prediction(
            speed, cost, getattr(timed, speed, None), f"not measured on {target}, one thread"
        ),
    )


_OF_FILE = ("bytes", "bytes_gzip", "macs")


def _prediction(name: str, cost: FileCost, measured: float | None, why: str) -> schema.Prediction:
    predicted = getattr(cost, name)
    return schema.Prediction(
        quantity=name,
        predicted=predicted,
        measured=measured,
        absent={
            **({} if predicted is not None else {"predicted": _unpredicted(cost)[name]}),
            **({} if measured is not None else {"measured": why or "an operation is not counted"}),
        },
    )
