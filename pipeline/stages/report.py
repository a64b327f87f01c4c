"""Put everything that the stages found on one page, and check the recipe's gates."""

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from deploy.jobs import Measurement
from pipeline.atomic import write_text
from pipeline.lite import arena, count
from pipeline.lite.read import read_model
from pipeline.metrics.quality import Quality
from pipeline.recipe_file import as_dict
from pipeline.report import schema
from pipeline.report.gates import check_all, parse_gate
from pipeline.report.page import Exhibits, render
from pipeline.run import Outcome, Workbench
from pipeline.stages.benchmark import MACHINE, MEASUREMENTS
from pipeline.stages.evaluate import QUALITY, SAMPLES
from pipeline.variants import find_variants

REPORT = schema.FILE
PAGE = "report.html"


def report(bench: Workbench) -> Outcome:
    """Write report.json and report.html; the gates' results are among the metrics."""
    built = _build(bench)
    write_text(bench.folder / REPORT, schema.dumps(built))
    write_text(bench.folder / PAGE, render(built, _exhibits(bench)))
    return Outcome({"failed_gates": [gate.text for gate in built.failed_gates]})


def _build(bench: Workbench) -> schema.Report:
    recipe, data = bench.recipe, bench.dataset
    judged = json.loads((bench.inputs["evaluate"] / QUALITY).read_text())
    measured = json.loads((bench.inputs["benchmark"] / MEASUREMENTS).read_text())
    records = [record for need in bench.inputs if (record := bench.run.record(need))]
    steps = next(record for record in records if record.stage == "convert").metrics["steps"]
    built = schema.Report(
        pocketgan=version("pocketgan"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe_name=recipe.name,
        recipe=as_dict(recipe),
        seed=recipe.seed,
        dataset=schema.Dataset(
            name=data.name,
            sha256=data.sha256,
            train=len(data.train),
            test=len(data.test),
            shape=data.train.shape[1:],
            classes=data.classes,
            notes=data.notes,
        ),
        judge=schema.Judge(**judged["judge"]),
        floor=_quality(judged["floor"]),
        variants=tuple(
            _variant(name, path, judged, steps, measured)
            for name, path in find_variants(bench.inputs["convert"]).items()
        ),
        stages=tuple(
            schema.Stage(
                name=record.stage,
                seconds=record.seconds,
                events=tuple(record.events),
                metrics=record.metrics,
            )
            for record in records
        ),
        environment={
            **json.loads((bench.inputs["benchmark"] / MACHINE).read_text()),
            **(records[0].versions if records else {}),
        },
    )
    return check_all(tuple(parse_gate(text) for text in recipe.report.gates), built)


def _variant(
    name: str,
    path: Path,
    judged: Mapping[str, Any],
    steps: Mapping[str, Any],
    measured: list[dict[str, Any]],
) -> schema.Variant:
    """Everything that is known of one file; what it holds is read off the file itself."""
    model = read_model(path)
    kernels = count.kernels(model)
    apart = steps.get(name)
    return schema.Variant(
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
            schema.Kernel(
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


def _quality(figures: Mapping[str, Any]) -> schema.Quality:
    quality = Quality.model_validate(figures)
    histogram = quality.class_histogram
    shares = [number / sum(histogram) for number in histogram] if histogram else None
    fields = {name: getattr(quality, name, None) for name in schema.Quality.model_fields}
    return schema.Quality.model_validate({**fields, "class_histogram": shares})


def _exhibits(bench: Workbench) -> Exhibits:
    with np.load(bench.inputs["evaluate"] / SAMPLES) as arrays:
        samples = {name: arrays[name] for name in arrays.files}
    histories = {
        f"{stage} {path.stem.removeprefix('history').lstrip('-')}".strip(): _history(path)
        for stage in bench.run.stages
        if stage in bench.inputs
        for path in sorted(bench.inputs[stage].glob("history*.csv"))
    }
    taught = bench.inputs.get("student") or bench.inputs["train"]
    return Exhibits(samples, histories, taught / "film.png", taught / "film.gif")


def _history(path: Path) -> dict[str, list[float]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else {})}
