"""``report.html``: one file that holds everything and works from disk, light or dark."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup, escape
from pydantic import JsonValue

from pipeline.arrays import Images
from pipeline.artifacts import INPUT, REAL
from pipeline.recipe.plain import leaves
from pipeline.report.benchmark.page import TargetsView, view
from pipeline.report.benchmark.schema import MeasuredFile
from pipeline.report.drawing import plots
from pipeline.report.page import AMPLIFICATION, data_uri, difference_grid, render_page, sample_grid
from pipeline.report.quantities import NONE
from pipeline.report.run import charts, latents, search
from pipeline.report.run.charts import History
from pipeline.report.run.columns import BY_NAME, LOCAL, Figure, VariantColumn, best, columns_of
from pipeline.report.run.gates import cannot_fail
from pipeline.report.run.schema import Report, ReportedQuality, VariantReport
from pipeline.report.run.wording import Wording, gates_in_words, headline, is_paired, wording_of
from pipeline.variants import BASELINE, SHIPPED

LARGEST_EMBEDDED = 4_000_000
"""Bytes of a picture that the page holds: a film of large pictures may have more."""
_SMALL_IMAGE = 32


@dataclass(frozen=True, kw_only=True)
class Exhibits:
    """What the page shows beside the figures of the report.

    ``samples``: uint8 [N, H, W, C] by variant, made from the same latents, and real images under
    "real". ``walks``: uint8 [latents, variants, steps, H, W, C] by direction. ``histories``:
    columns by name, by the title they get. ``film`` (PNG, rows are time) and ``animation`` (GIF)
    are files or their content.
    """

    samples: Mapping[str, Images] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    film: Path | bytes | None = None
    animation: Path | bytes | None = None
    walks: Mapping[str, Images] = field(default_factory=dict)


class VariantCell(NamedTuple):
    text: str
    best: bool = False
    footnote: int | None = None


class VariantRow(NamedTuple):
    name: str
    role: str
    remark: str
    cells: list[VariantCell]


class Sheet(NamedTuple):
    """One variant's samples, and their difference to the baseline where it is another."""

    name: str
    samples: str
    difference: str | None
    caption: str


def render(report: Report, exhibits: Exhibits) -> str:
    """The page as text."""
    columns = columns_of(report)
    rows, footnotes = table(report)
    return render_page(
        Path(__file__).with_name("page.html.j2"),
        report=report,
        headline=_emphasized(headline(report)),
        wording=wording_of(report),
        search=report.search and search.view(report.search),
        gates_in_words=gates_in_words(report),
        cannot_fail=partial(cannot_fail, report=report),
        paired=is_paired(report),
        baseline=report.variant(BASELINE),
        shipped=report.variant(SHIPPED),
        strip=_strip(exhibits.samples),
        columns=columns,
        groups=[(name, len(list(under))) for name, under in groupby(columns, lambda c: c.group)],
        rows=rows,
        footnotes=footnotes,
        sheets=sheets(report, exhibits.samples),
        latents=report.latents and latents.view(report.latents, exhibits.walks),
        amplification=AMPLIFICATION,
        film=_embedded(exhibits.film, "png"),
        animation=_embedded(exhibits.animation, "gif"),
        charts=_charts(report),
        elsewhere=_elsewhere(report),
        curves=plots(
            (title, charts.training_curves(title, history))
            for title, history in exhibits.histories.items()
        ),
        recipe=_lines(report.recipe),
        environment=_lines(report.environment),
        stages=[(stage, _lines(stage.metrics)) for stage in report.stages],
        longest=max((stage.seconds for stage in report.stages), default=0) or 1,
    )


def _emphasized(sentence: str) -> Markup:
    """The sentence with its ratios set off."""
    return Markup(re.sub(r"([\d.]+×)", r"<em>\1</em>", str(escape(sentence))))


def table(report: Report) -> tuple[list[VariantRow], list[str]]:
    """The table of variants, a cell a quantity, and the reasons of those that are absent."""
    footnotes: list[str] = []
    columns = columns_of(report)
    top = {column.name: best(column, report.variants) for column in columns}
    rows = []
    for variant in report.variants:
        cells = []
        for column in columns:
            cell = _cell(column, column.read(variant), footnotes)
            cells.append(cell._replace(best=cell.text == top[column.name]))
        role = Wording().remarks.get(variant.name, "")
        remark = wording_of(report).remarks.get(variant.name, "")
        rows.append(VariantRow(variant.name, role, remark, cells))
    if report.trivial is not None:
        trivial = report.trivial
        rows.append(
            _measured_row(trivial.name, "trivial", quality=trivial.quality, columns=columns)
        )
    count = report.floor.samples
    # Fewer pictures are farther away, whatever they show.
    remark = "" if count == report.variants[0].quality.samples else f"of {count:,} pictures"
    floor = wording_of(report).floor
    rows.append(_measured_row(floor, "floor", quality=report.floor, columns=columns, remark=remark))
    return rows, footnotes


def _cell(column: VariantColumn, figure: Figure, footnotes: list[str]) -> VariantCell:
    if figure.value is not None:
        return VariantCell(column.write(figure.value))
    if figure.reason not in footnotes:
        footnotes.append(figure.reason)
    return VariantCell(NONE, footnote=footnotes.index(figure.reason) + 1)


def _measured_row(
    name: str,
    role: str,
    *,
    quality: ReportedQuality,
    columns: tuple[VariantColumn, ...],
    remark: str = "",
) -> VariantRow:
    """A row of what is no file: only its pictures were measured."""
    cells = [VariantCell(column.text_of_pictures(quality)) for column in columns]
    return VariantRow(name, role, remark, cells)


def _columns(images: Images) -> int:
    """Eight small pictures fit into a row at their own size or more, and four bigger ones."""
    return 8 if images.shape[2] <= _SMALL_IMAGE else 4


def _strip(samples: Mapping[str, Images]) -> list[tuple[str, str]]:
    """The first latents, drawn by the baseline and by the file to ship: a row each."""
    strip = []
    for name in (BASELINE, SHIPPED):
        if name in samples:
            across = 2 * _columns(samples[name])
            strip.append((name, sample_grid(samples[name][:across], across)))
    return strip


def sheets(report: Report, samples: Mapping[str, Images]) -> list[Sheet]:
    """The first samples of real images and of each variant, in the order of the table."""
    captions = {INPUT: "what is read", REAL: f"from the test split of {report.dataset.name}"}
    captions |= {BASELINE: "drawn by the teacher: TFLite has no form of it"}
    captions |= {variant.name: _caption(variant) for variant in report.variants}
    return [_sheet(name, text, samples) for name, text in captions.items() if name in samples]


def _sheet(name: str, caption: str, samples: Mapping[str, Images]) -> Sheet:
    columns = _columns(samples[name])
    first = slice(columns**2)
    difference = None
    if name not in (INPUT, REAL, BASELINE) and BASELINE in samples:
        difference = difference_grid(samples[name][first], samples[BASELINE][first], columns)
    return Sheet(name, sample_grid(samples[name][first], columns), difference, caption)


def _caption(variant: VariantReport) -> str:
    frechet, psnr = (BY_NAME[name].text(variant) for name in ("frechet", "psnr"))
    captions = {f"Fréchet {frechet}": frechet, f"{psnr} dB": psnr}
    return ", ".join(text for text, figure in captions.items() if figure != NONE)


def _embedded(source: Path | bytes | None, kind: str) -> str | None:
    """A picture as part of the page; one that would be most of it stays in the run's folder."""
    content = source.read_bytes() if isinstance(source, Path) else source
    if content is None or len(content) > LARGEST_EMBEDDED:
        return None
    return data_uri(content, kind)


def _charts(report: Report) -> dict[str, Markup | None]:
    """Each chart as markup, or None where there was nothing to draw."""
    detailed = report.variant(SHIPPED) or report.variants[-1]
    by_name = {
        "sizes": charts.sizes_to_scale(report),
        "size": charts.quality_against("bytes_gzip", report),
        "latency": charts.quality_against("p50_ms", report),
        "latencies": charts.latencies(report),
        "zeros": charts.zeros_by_layer(detailed),
        "layers": charts.bytes_by_layer(report),
        "classes": charts.class_histogram(report),
    }
    return {name: None if chart is None else Markup(chart) for name, chart in by_name.items()}


def _elsewhere(report: Report) -> TargetsView | None:
    """The files on all targets, where more than this machine was asked."""
    measurements = [m for variant in report.variants for m in variant.measurements]
    if all(m.target == LOCAL for m in measurements):
        return None
    order = list(dict.fromkeys((m.target, m.threads) for m in measurements))
    files = tuple(_file(variant) for variant in report.variants)
    measurements.sort(key=lambda m: order.index((m.target, m.threads)))
    return view(measurements, files, BASELINE, bandwidth=None)


def _file(variant: VariantReport) -> MeasuredFile:
    shared = MeasuredFile.model_fields.keys() & VariantReport.model_fields.keys()
    return MeasuredFile.model_validate({name: getattr(variant, name) for name in shared})


def _lines(tree: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    return [(key, _written(value)) for key, value in leaves(tree)]


def _written(value: JsonValue) -> str:
    if isinstance(value, list):
        return ", ".join(map(_written, value)) or NONE
    return NONE if value in (None, {}, "") else str(value)
