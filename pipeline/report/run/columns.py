"""The table of variants: its columns, and how each is read off a variant."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from deploy.jobs import Measurement
from pipeline.report.quantities import NONE, QUANTITIES, Quantity
from pipeline.report.run.schema import Figures, Report, ReportedQuality, VariantReport

LOCAL = "local"
JUDGED = "Quality"
"""The group of the figures that a judge's features give."""


class Figure(NamedTuple):
    """A value, or the reason why there is none."""

    value: float | None
    reason: str = ""


def is_infinite(value: float | None, reason: str) -> bool:
    """Whether a figure is absent for being more than any number, as of equal pictures."""
    return value is None and reason.startswith("infinite")


@dataclass(frozen=True, kw_only=True)
class VariantColumn(Quantity):
    """A quantity of each variant, and the heading that it stands under with its neighbours."""

    group: str
    read: Callable[[VariantReport], Figure]

    def text(self, variant: VariantReport) -> str:
        value = self.read(variant).value
        return NONE if value is None else self.write(value)

    def of_pictures(self, quality: ReportedQuality) -> float | None:
        """The value of pictures that no file drew; None where they have no such figure."""
        value: float | None = getattr(quality, self.name, None)
        return value

    def text_of_pictures(self, quality: ReportedQuality) -> str:
        """The same in words; empty where there is none."""
        value = self.of_pictures(quality)
        return "" if value is None else self.write(value)

    @property
    def label(self) -> str:
        """The title with what it needs outside the table of variants: threads and unit."""
        threads = self.group if "thread" in self.group else ""
        return ", ".join(part for part in (self.title, threads, self.unit) if part)


def local_measurement(variant: VariantReport, threads: int) -> Measurement | None:
    """The measurement on this machine with so many threads, XNNPACK's where there are several."""
    here = [m for m in variant.measurements if m.target == LOCAL and m.threads == threads]
    return min(here, key=lambda m: m.delegate != "xnnpack", default=None)


def _column(quantity: Quantity, group: str, **changes: Any) -> VariantColumn:
    return VariantColumn(**{**vars(quantity), "group": group, **changes})


def _of_file(
    name: str, group: str, part: Callable[[VariantReport], Figures] = lambda variant: variant
) -> VariantColumn:
    return _column(
        QUANTITIES[name],
        group,
        read=lambda variant: Figure(
            getattr(part(variant), name), part(variant).absent.get(name, "")
        ),
    )


def _of_pictures(name: str, group: str) -> VariantColumn:
    return _of_file(name, group, lambda variant: variant.quality)


def _of_speed(field: str, threads: int, **changes: str) -> VariantColumn:
    plural = "s"[: threads - 1]

    def read(variant: VariantReport) -> Figure:
        measurement = local_measurement(variant, threads)
        if measurement is None:
            return Figure(None, f"not run with {threads} thread{plural} here")
        reason = measurement.absent.get(field) or measurement.error or ""
        return Figure(getattr(measurement, field), reason)

    return _column(QUANTITIES[field], f"{threads} thread{plural}", read=read, **changes)


def npu_figure(variant: VariantReport, name: str) -> Figure:
    """A figure of an NPU's compiler: of several NPUs the largest, which a limit must hold."""
    reports = [m for m in variant.measurements if m.target.startswith("npu:")]
    if not reports:
        return Figure(None, "no npu: target is among benchmark.targets")
    missing = [m for m in reports if m.figure(name) is None]
    if missing:
        return Figure(None, f"{missing[0].target}: {missing[0].reason(name)}")
    return Figure(max(m.figure(name) or 0.0 for m in reports))


def _of_npu(name: str) -> VariantColumn:
    return _column(
        QUANTITIES[name], "NPU, by its compiler", read=lambda variant: npu_figure(variant, name)
    )


_TIMED = "of many runs after a warm-up, in a process of its own, the variants taking turns."

OF_TRANSLATIONS = ("psnr_truth", "ssim_truth", "psnr_hole", "colourfulness")
"""Columns that only reports of translators show."""

OF_NPUS = ("flash_bytes", "sram_bytes", "estimated_ms")
"""Columns that only reports with an NPU among their targets show."""

COLUMNS: tuple[VariantColumn, ...] = (
    *(_of_file(name, "Size") for name in ("bytes", "bytes_gzip", "bytes_zstd", "zeros")),
    _of_file("float_ops", "Size"),
    *(_of_pictures(name, JUDGED) for name in ("frechet", "kid", "sliced_wasserstein")),
    *(_of_pictures(name, JUDGED) for name in ("precision", "recall", "density", "coverage")),
    _of_pictures("modes", JUDGED),
    *(_of_pictures(name, "Fidelity") for name in ("psnr", "ssim")),
    *(_of_pictures(name, "Truth") for name in OF_TRANSLATIONS),
    _of_file("macs", "Work"),
    _of_speed("p50_ms", 1, phrase="median latency, one thread", how=f"Median {_TIMED}"),
    _of_speed("p90_ms", 1, how=f"90th percentile {_TIMED}"),
    _of_speed("peak_rss_kb", 1),
    _of_speed("p50_ms", 2, name="p50_ms_2_threads", how=f"Median {_TIMED}"),
    *(_of_npu(name) for name in OF_NPUS),
)

BY_NAME = {column.name: column for column in COLUMNS}


def columns_of(report: Report) -> tuple[VariantColumn, ...]:
    """The columns that a report has figures for."""
    without: tuple[str, ...] = () if report.trivial else OF_TRANSLATIONS
    if report.trivial and report.trivial.quality.psnr_hole is None:
        without = ("psnr_hole",)
    measurements = [m for variant in report.variants for m in variant.measurements]
    if not any(m.npu for m in measurements):
        without += OF_NPUS
    if report.floor.sliced_wasserstein is None:  # of an older version
        without += ("sliced_wasserstein",)
    return tuple(column for column in COLUMNS if column.name not in without)


def best(column: VariantColumn, variants: tuple[VariantReport, ...]) -> str | None:
    """The best value as written, or None where nothing stands out.

    Values that read the same count as the same: the table does not claim finer differences than
    it shows. Beside an infinite one, which has no number, no other is the best.
    """
    figures = [column.read(variant) for variant in variants]
    if any(is_infinite(figure.value, figure.reason) for figure in figures):
        return None
    values = [figure.value for figure in figures if figure.value is not None]
    written = {column.write(value) for value in values}
    return column.write(column.better(values)) if len(written) > 1 else None
