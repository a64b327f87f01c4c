"""Put everything that the stages measured on one page, and check the recipe's gates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from deploy.errors import PocketganError
from deploy.jobs import Measurement
from pipeline.artifacts import (
    CHOICE,
    EVALUATION,
    MACHINE,
    MEASUREMENTS,
    PAGE,
    REPORT,
    STUDENT_FACTS,
    Evaluation,
    film,
    find_variants,
    read_directions,
    read_histories,
    read_samples,
)
from pipeline.atomic import write_text
from pipeline.data.dataset import Dataset
from pipeline.data.sources import TEACHER
from pipeline.metrics.quality import Quality
from pipeline.report.run import schema
from pipeline.report.run.gates import (
    LATENTS,
    OF_PICTURES,
    TRANSLATIONS,
    UNPAIRED,
    Gate,
    check_all,
    completed,
    parse_gate,
)
from pipeline.report.run.page import Exhibits, render
from pipeline.search.budget import FileCost, budget_of
from pipeline.search.candidates import Candidate
from pipeline.search.trials import WORST
from pipeline.stage import SECTIONS, Outcome, StageContext, stage
from pipeline.stages.inputs import reads_pictures
from pipeline.tflite import arena, count
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.variants import SHIPPED

_MEASURED = ("convert", "evaluate", "benchmark")


def _check_gates(ctx: StageContext) -> None:
    """PocketganError for a gate of the recipe that cannot be read, or can never be measured."""
    for text in ctx.recipe.report.gates:
        try:
            gate = parse_gate(text)
        except PocketganError as error:
            raise PocketganError(f"report.gates: {error.problem}", error.remedy) from error
        if gate.quantity in OF_PICTURES and not reads_pictures(ctx):
            raise PocketganError(
                f"report.gates: '{text}' is for generators that read pictures, and this one reads "
                "latents.",
                "Leave it out; frechet_ratio says how far it is from the pictures that it learned.",
            )


@stage(
    "report",
    needs=("train", "prune", "quantize", *_MEASURED),
    settings=SECTIONS,
    reads_pictures=True,
    check=_check_gates,
)
def report(ctx: StageContext) -> Outcome:
    """Write report.json and report.html; the gates' results are among the metrics."""
    contents, strip = _gather(ctx), film(ctx.inputs["student" if _searched(ctx) else "train"])
    samples, histories = read_samples(ctx.inputs["evaluate"]), _histories(ctx)
    _, walks = read_directions(ctx.inputs["evaluate"]) or (None, {})
    exhibits = Exhibits(
        samples=samples,
        histories=histories,
        film=strip,
        animation=strip.with_suffix(".gif"),
        walks=walks,
    )
    write_text(ctx.folder / REPORT, schema.dumps(contents))
    write_text(ctx.folder / PAGE, render(contents, exhibits))
    return Outcome({"failed_gates": [gate.text for gate in contents.failed_gates]})


report_student = replace(report, needs=("teacher", "search", "student", "quantize", *_MEASURED))
"""The same, with what the search tried and what came true of its predictions."""


def _searched(ctx: StageContext) -> bool:
    return "search" in ctx.inputs


def _gather(ctx: StageContext) -> schema.Report:
    recipe, records = ctx.recipe, ctx.records
    evaluation = EVALUATION.read(ctx.inputs["evaluate"])
    measurements = MEASUREMENTS.read(ctx.inputs["benchmark"])
    steps = records["convert"].metrics["steps"]
    variants = tuple(
        _variant(
            name,
            path,
            quality=evaluation.variants[name],
            steps=steps.get(name),
            measurements=tuple(m for m in measurements if m.variant == name),
        )
        for name, path in find_variants(ctx.inputs["convert"]).items()
    )
    contents = schema.Report(
        pocketgan=version("pocketgan"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe_name=recipe.name,
        recipe=ctx.declared_settings(),
        seed=recipe.seed,
        dataset=_dataset(ctx.dataset),
        judge=schema.JudgeReport(**evaluation.judge),
        floor=_quality(evaluation.floor),
        variants=variants,
        stages=tuple(
            schema.StageReport(
                name=record.stage,
                seconds=record.seconds,
                events=tuple(record.events),
                metrics=record.metrics,
            )
            for record in records.values()
        ),
        environment={
            **MACHINE.read(ctx.inputs["benchmark"]),
            **next(iter(records.values())).versions,
        },
        search=_report_search(ctx, variants) if _searched(ctx) else None,
        trivial=_trivial(evaluation),
        teacher=None if evaluation.teacher is None else _quality(evaluation.teacher),
        latents=_latents(ctx.inputs["evaluate"]),
    )
    return check_all(_gates(recipe.report.gates, contents), contents)


def _latents(evaluated: Path) -> schema.LatentsReport | None:
    directions, _ = read_directions(evaluated) or (None, {})
    if directions is None:
        return None
    return schema.LatentsReport(
        found_in=directions.found_in,
        reach=directions.reach,
        directions=tuple(
            schema.DirectionReport(**each.model_dump(exclude={"vector"}))
            for each in directions.directions
        ),
        random_effect=directions.random_effect,
        random_agreement=directions.random_agreement,
    )


def _dataset(data: Dataset) -> schema.DatasetReport:
    return schema.DatasetReport(
        name=data.name,
        sha256=data.sha256,
        train=len(data.train),
        test=len(data.test),
        shape=data.train.shape[1:],
        classes=data.classes,
        notes=data.notes,
        unpaired=data.train_inputs is not None and not data.aligned,
    )


def _trivial(evaluation: Evaluation) -> schema.TrivialReport | None:
    if evaluation.trivial is None:
        return None
    quality = _quality(evaluation.trivial)
    return schema.TrivialReport(name=evaluation.trivial_name, quality=quality)


def _gates(texts: Sequence[str], contents: schema.Report) -> tuple[Gate, ...]:
    """Those of the recipe, and those that every run of its kind has unless the recipe names
    their quantity."""
    others = [*(TRANSLATIONS if contents.trivial else LATENTS)]
    others += UNPAIRED if contents.dataset.unpaired else ()
    return tuple(map(parse_gate, completed(texts, others)))


def _histories(ctx: StageContext) -> dict[str, dict[str, list[float]]]:
    """The training curves of every stage, by stage and variant."""
    return {
        f"{name} {variant}".strip(): history
        for name, folder in ctx.inputs.items()
        for variant, history in read_histories(folder).items()
    }


def _variant(
    name: str,
    path: Path,
    *,
    quality: Quality,
    steps: Mapping[str, float] | None,
    measurements: tuple[Measurement, ...],
) -> schema.VariantReport:
    """Everything that is known of one file; what it holds is read off the file itself."""
    model = read_model(path)
    kernels = count.kernels(model)
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
        float_ops=len(float_ops(model)),
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
        quality=_quality(quality),
        qat_steps=schema.QatSteps(
            within_1=steps["within_1"],
            within_2=steps["within_2"],
            within_bound=steps.get("within_bound"),
        )
        if steps
        else None,
        arena_bytes=arena.estimate(model).peak,
        measurements=measurements,
        absent={} if steps else {"qat_steps": "not made from a fake-quantized model"},
    )


def _quality(quality: Quality) -> schema.ReportedQuality:
    histogram = quality.class_histogram
    shares = [number / sum(histogram) for number in histogram] if histogram else None
    fields = {name: getattr(quality, name, None) for name in schema.ReportedQuality.model_fields}
    return schema.ReportedQuality.model_validate({**fields, "class_histogram": shares})


def _report_search(
    ctx: StageContext, variants: Sequence[schema.VariantReport]
) -> schema.SearchReport:
    """What the search tried, and what came true of it in the file that ships."""
    budget = ctx.recipe.budget
    teacher, student = ctx.records["teacher"], ctx.records["student"]
    choice = CHOICE.read(ctx.inputs["search"])
    trained = STUDENT_FACTS.read(ctx.inputs["student"]).tried
    shipped = next(variant for variant in variants if variant.name == SHIPPED)
    return schema.SearchReport(
        teacher=teacher.metrics["origin"],
        teacher_parameters=teacher.metrics["generator_parameters"],
        reads="pictures" if reads_pictures(ctx) else "latents",
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
    speed = speed if cost.flash_bytes is None else "flash_bytes"
    there = [m for m in shipped.measurements if (m.target, m.threads) == (target, 1)]
    timed = min(there, key=lambda m: m.delegate != "xnnpack", default=None)
    return (
        *(_prediction(name, cost, getattr(shipped, name), "") for name in _OF_FILE),
        _prediction(
            speed,
            cost,
            timed.figure(speed) if timed else None,
            f"not measured on {target}, one thread",
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
