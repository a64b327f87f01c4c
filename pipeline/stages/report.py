"""Put everything that the stages measured on one page, and check the recipe's gates."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from deploy.errors import PocketganError
from deploy.jobs import Measurement
from pipeline.artifacts import (
    PAGE,
    REPORT,
    film,
    find_variants,
    read_evaluation,
    read_histories,
    read_machine,
    read_measurements,
    read_samples,
)
from pipeline.atomic import write_text
from pipeline.metrics.quality import Quality
from pipeline.report.run import schema
from pipeline.report.run.gates import check_all, parse_gate
from pipeline.report.run.page import Exhibits, render
from pipeline.stage import SECTIONS, Outcome, Record, StageContext, stage
from pipeline.stages.report_search import report_search
from pipeline.tflite import arena, count
from pipeline.tflite.float_ops import float_ops
from pipeline.tflite.read import read_model

_SearchOf = Callable[[Sequence[schema.VariantReport]], schema.SearchReport | None]
_MEASURED = ("convert", "evaluate", "benchmark")


def _check_gates(ctx: StageContext) -> None:
    """PocketganError for a gate of the recipe that cannot be read."""
    for gate in ctx.recipe.report.gates:
        try:
            parse_gate(gate)
        except PocketganError as error:
            raise PocketganError(f"report.gates: {error.problem}", error.remedy) from error


@stage(
    "report",
    needs=("train", "prune", "quantize", *_MEASURED),
    settings=SECTIONS,
    reads_pictures=True,
    check=_check_gates,
)
def report(ctx: StageContext) -> Outcome:
    """Write report.json and report.html; the gates' results are among the metrics."""
    return _write(ctx, trained_in="train", search_of=lambda _: None)


@stage(
    "report",
    needs=("teacher", "search", "student", "quantize", *_MEASURED),
    settings=SECTIONS,
    reads_pictures=True,
    check=_check_gates,
)
def report_student(ctx: StageContext) -> Outcome:
    """The same, with what the search tried and what came true of its predictions."""
    return _write(
        ctx, trained_in="student", search_of=lambda variants: report_search(ctx, variants)
    )


def _write(
    ctx: StageContext,
    *,
    trained_in: str,
    search_of: _SearchOf,
) -> Outcome:
    """``trained_in``: the stage whose film is shown."""
    contents, strip = _gather(ctx, search_of), film(ctx.inputs[trained_in])
    exhibits = Exhibits(
        read_samples(ctx.inputs["evaluate"]),
        _histories(ctx),
        strip,
        strip.with_suffix(".gif"),
    )
    write_text(ctx.folder / REPORT, schema.dumps(contents))
    write_text(ctx.folder / PAGE, render(contents, exhibits))
    return Outcome({"failed_gates": [gate.text for gate in contents.failed_gates]})


def _gather(
    ctx: StageContext,
    search_of: _SearchOf,
) -> schema.Report:
    recipe, data, records = ctx.recipe, ctx.dataset, ctx.records
    evaluation = read_evaluation(ctx.inputs["evaluate"])
    measurements = read_measurements(ctx.inputs["benchmark"])
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
        dataset=schema.DatasetReport(
            name=data.name,
            sha256=data.sha256,
            train=len(data.train),
            test=len(data.test),
            shape=data.train.shape[1:],
            classes=data.classes,
            notes=data.notes,
        ),
        judge=schema.JudgeReport(**evaluation.judge),
        floor=_quality(evaluation.floor),
        variants=variants,
        stages=tuple(map(_stage, records.values())),
        environment={
            **read_machine(ctx.inputs["benchmark"]),
            **next(iter(records.values())).versions,
        },
        search=search_of(variants),
    )
    return check_all(tuple(parse_gate(text) for text in recipe.report.gates), contents)


def _stage(record: Record) -> schema.StageReport:
    return schema.StageReport(
        name=record.stage,
        seconds=record.seconds,
        events=tuple(record.events),
        metrics=record.metrics,
    )


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
        qat_steps=schema.QatSteps(within_1=steps["within_1"], within_2=steps["within_2"])
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
