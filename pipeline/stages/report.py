"""Put everything that the stages found on one page, and check the recipe's gates."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from deploy.jobs import Measurement
from pipeline.atomic import write_text
from pipeline.data.sources import TEACHER
from pipeline.metrics.quality import Quality
from pipeline.recipe import as_dict
from pipeline.report.run import schema
from pipeline.report.run.gates import check_all, parse_gate
from pipeline.report.run.page import Exhibits, render
from pipeline.run import Outcome, StageContext
from pipeline.search.budget import budget_of
from pipeline.search.candidates import Candidate
from pipeline.search.cost import Cost
from pipeline.search.trials import WORST
from pipeline.stages.benchmark import MACHINE, MEASUREMENTS
from pipeline.stages.evaluate import QUALITY, SAMPLES
from pipeline.stages.search import read_choice
from pipeline.stages.student import taught_student
from pipeline.tflite import arena, count
from pipeline.tflite.read import read_model
from pipeline.variants import SHIPPED, find_variants

REPORT = schema.FILE
PAGE = "report.html"


def report(ctx: StageContext) -> Outcome:
    """Write report.json and report.html; the gates' results are among the metrics."""
    built = _build(ctx)
    write_text(ctx.folder / REPORT, schema.dumps(built))
    write_text(ctx.folder / PAGE, render(built, _exhibits(ctx)))
    return Outcome({"failed_gates": [gate.text for gate in built.failed_gates]})


def _build(ctx: StageContext) -> schema.Report:
    recipe, data = ctx.recipe, ctx.dataset
    judged = json.loads((ctx.inputs["evaluate"] / QUALITY).read_text())
    measured = json.loads((ctx.inputs["benchmark"] / MEASUREMENTS).read_text())
    records = [record for need in ctx.inputs if (record := ctx.run.record(need))]
    steps = next(record for record in records if record.stage == "convert").metrics["steps"]
    variants = tuple(
        _variant(name, path, judged, steps, measured)
        for name, path in find_variants(ctx.inputs["convert"]).items()
    )
    built = schema.Report(
        pocketgan=version("pocketgan"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe_name=recipe.name,
        recipe=as_dict(recipe),
        seed=recipe.seed,
        dataset=schema.DatasetReport(
            name=data.name,
            sha256=data.sha256,
            train=len(data.train),
            test=len(data.test),
            shape=data.train.shape[1:],
            classes=data.classes,
            notes=data.notes,
        ),
        judge=schema.JudgeReport(**judged["judge"]),
        floor=_quality(judged["floor"]),
        variants=variants,
        stages=tuple(
            schema.StageReport(
                name=record.stage,
                seconds=record.seconds,
                events=tuple(record.events),
                metrics=record.metrics,
            )
            for record in records
        ),
        environment={
            **json.loads((ctx.inputs["benchmark"] / MACHINE).read_text()),
            **(records[0].versions if records else {}),
        },
        search=_search(ctx, variants) if "search" in ctx.inputs else None,
    )
    return check_all(tuple(parse_gate(text) for text in recipe.report.gates), built)


def _variant(
    name: str,
    path: Path,
    judged: Mapping[str, Any],
    steps: Mapping[str, Any],
    measured: list[dict[str, Any]],
) -> schema.VariantReport:
    """Everything that is known of one file; what it holds is read off the file itself."""
    model = read_model(path)
    kernels = count.kernels(model)
    apart = steps.get(name)
    return schema.VariantReport(
        name=name,
        path=f"{path.parent.name}/{path.name}",
        sha256=model.sha256,
        bytes=model.size,
        bytes_gzip=model.size_gzip,
        bytes_zstd=model.size_zstd,
        parameters=count.parameters(model),
        zeros=count.zero_share(kernels) or 0.0,  # every variant has kernels
        macs=count.total_macs(model),
        ops=count.op_counts(model),
        float_ops=len(count.float_ops(model)),
        kernels=tuple(
            schema.KernelReport(
                layer=kernel.layer,
                op=kernel.op,
                shape=kernel.shape,
                zeros=kernel.zeros / kernel.size,
                size=kernel.size,
                bytes=kernel.bytes,
            )
            for kernel in kernels
        ),
        bytes_by_layer=count.bytes_by_layer(model),
        quality=_quality(judged["variants"][name]),
        qat_steps=apart and schema.QatSteps(within_1=apart["within_1"], within_2=apart["within_2"]),
        arena_bytes=arena.estimate(model).peak,
        measurements=tuple(
            Measurement.model_validate(figure) for figure in measured if figure["variant"] == name
        ),
        absent={} if apart else {"qat_steps": "not made from a fake-quantized model"},
    )


def _quality(figures: Mapping[str, Any]) -> schema.ReportedQuality:
    quality = Quality.model_validate(figures)
    histogram = quality.class_histogram
    shares = [number / sum(histogram) for number in histogram] if histogram else None
    fields = {name: getattr(quality, name, None) for name in schema.ReportedQuality.model_fields}
    return schema.ReportedQuality.model_validate({**fields, "class_histogram": shares})


def _search(ctx: StageContext, variants: Sequence[schema.VariantReport]) -> schema.SearchReport:
    """What the search found, and what came true of it in the file that ships."""
    budget = ctx.recipe.budget
    teacher, student = (ctx.run.record(name) for name in ("teacher", "student"))
    assert teacher is not None
    assert student is not None
    found, taught = read_choice(ctx.inputs["search"]), taught_student(ctx.inputs["student"])
    shipped = next(variant for variant in variants if variant.name == SHIPPED)
    return schema.SearchReport(
        teacher=teacher.metrics["origin"],
        teacher_parameters=teacher.metrics["generator_parameters"],
        reads="latents" if ctx.recipe.teacher.inputs is None else "pictures",
        real_pictures=ctx.recipe.data.source != TEACHER,
        limits={limit.field: limit.most for limit in budget_of(budget).limits},
        chosen=found.chosen.number,
        reason=found.reason,
        attempts=tuple(
            schema.AttemptReport(
                number=tried.number, words=tried.words, frechet_ratio=attempt["frechet_ratio"]
            )
            for tried, attempt in zip(
                (found.chosen, *found.ladder), student.metrics.get("attempts", ()), strict=False
            )
        ),
        taught=taught.number,
        tried=tuple(_student(tried) for tried in found.tried),
        predictions=_predictions(taught.cost, shipped, budget.target),
    )


def _student(tried: Candidate) -> schema.StudentReport:
    """A student that was given was not taught; one that broke has no distance either."""
    silent = "it was given, not tried" if not tried.steps else "its pictures were no numbers"
    known = tried.steps > 0 and tried.score < WORST
    return schema.StudentReport(
        number=tried.number,
        words=tried.words,
        **asdict(tried.cost),
        distance=tried.score if known else None,
        steps=tried.steps,
        finished=tried.finished,
        absent={**_unpredicted(tried.cost), **({} if known else {"distance": silent})},
    )


def _unpredicted(cost: Cost) -> dict[str, str]:
    """Why a cost tells no time, or no instructions."""
    if cost.p50_ms is None and cost.instructions is None:
        return dict.fromkeys(("p50_ms", "instructions"), "no --max-ms was given")
    missing = "instructions" if cost.instructions is None else "p50_ms"
    return {missing: "the target of --max-ms counts the other"}


def _predictions(
    cost: Cost, shipped: schema.VariantReport, target: str
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


def _prediction(name: str, cost: Cost, measured: float | None, why: str) -> schema.Prediction:
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


def _exhibits(ctx: StageContext) -> Exhibits:
    with np.load(ctx.inputs["evaluate"] / SAMPLES) as arrays:
        samples = {name: arrays[name] for name in arrays.files}
    histories = {
        f"{stage} {path.stem.removeprefix('history').lstrip('-')}".strip(): _history(path)
        for stage in ctx.run.stages
        if stage in ctx.inputs
        for path in sorted(ctx.inputs[stage].glob("history*.csv"))
    }
    taught = ctx.inputs.get("student") or ctx.inputs["train"]
    return Exhibits(samples, histories, taught / "film.png", taught / "film.gif")


def _history(path: Path) -> dict[str, list[float]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else {})}
