"""The figures a variant is judged by: one list for the tables, the gates and the comparison.

Each says how it is read off a variant, how it is written, which way is better and how it was
measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deploy.jobs import Measurement
from pipeline.report.run.schema import VariantReport

LOCAL = "local"
NONE = "–"


class Figure(NamedTuple):
    """A value, or the reason why there is none."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Quantity:
    name: str
    title: str
    unit: str
    group: str
    better: Callable[..., float]
    """``min`` or ``max``: which of several values is the best."""
    write: Callable[[float], str]
    read: Callable[[VariantReport], Figure]
    how: str

    def text(self, variant: VariantReport) -> str:
        value = self.read(variant).value
        return NONE if value is None else self.write(value)

    @property
    def label(self) -> str:
        """The title with what it needs outside the table of variants: threads and unit."""
        threads = self.group if "thread" in self.group else ""
        return ", ".join(part for part in (self.title, threads, self.unit) if part)


def significant(value: float, digits: int = 3) -> str:
    """``digits`` significant ones in plain notation: 0.0412, 1.46, 138."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    decimals = max(0, digits - 1 - int(f"{rounded:e}".split("e")[1]))
    return f"{rounded:.{decimals}f}"


def number(value: float) -> str:
    """A figure of any kind: whole ones exactly, others to four significant digits."""
    rounded = value if float(value).is_integer() else float(f"{value:.4g}")
    return f"{rounded:,.0f}" if float(rounded).is_integer() else f"{rounded:,}"


def times(ratio: float) -> str:
    """A ratio for a sentence: 14×, 3.6×."""
    return f"{ratio:.0f}×" if ratio >= 9.95 else f"{ratio:.1f}".removesuffix(".0") + "×"


def listed(parts: Sequence[str]) -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def local_measurement(variant: VariantReport, threads: int) -> Measurement | None:
    """The measurement on this machine with so many threads, XNNPACK's where there are several."""
    here = [m for m in variant.measurements if m.target == LOCAL and m.threads == threads]
    return min(here, key=lambda m: m.delegate != "xnnpack", default=None)


def _file(name: str) -> Callable[[VariantReport], Figure]:
    return lambda variant: Figure(getattr(variant, name), variant.absent.get(name, ""))


def _quality(name: str) -> Callable[[VariantReport], Figure]:
    return lambda variant: Figure(
        getattr(variant.quality, name), variant.quality.absent.get(name, "")
    )


def _local(name: str, threads: int) -> Callable[[VariantReport], Figure]:
    def read(variant: VariantReport) -> Figure:
        measurement = local_measurement(variant, threads)
        if measurement is None:
            return Figure(None, f"not run with {threads} thread{'s'[: threads - 1]} here")
        reason = measurement.absent.get(name) or measurement.error or ""
        return Figure(getattr(measurement, name), reason)

    return read


def _kilobytes(value: float) -> str:
    return f"{value / 1000:,.1f}"


def _percent(value: float) -> str:
    return f"{value:.1%}".removesuffix("%")


def _integer(value: float) -> str:
    return f"{value:,.0f}"


def _decimals(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}"


_JUDGED = "in the judge's features, on the test images"
_LATENTS = "against float32's images of the same latents"
_TIMED = "of many runs after a warm-up, in a process of its own, the variants taking turns"

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "bytes",
        "File",
        "kB",
        "Size",
        min,
        _kilobytes,
        _file("bytes"),
        "Length of the .tflite; 1 kB is 1,000 bytes.",
    ),
    Quantity(
        "bytes_gzip",
        "Gzip",
        "kB",
        "Size",
        min,
        _kilobytes,
        _file("bytes_gzip"),
        "The same file gzipped, which is what a download costs.",
    ),
    Quantity(
        "bytes_zstd",
        "Zstd",
        "kB",
        "Size",
        min,
        _kilobytes,
        _file("bytes_zstd"),
        "The same file after Zstandard at level 19.",
    ),
    Quantity(
        "zeros",
        "Zeros",
        "%",
        "Size",
        max,
        _percent,
        _file("zeros"),
        "Share of zeros in all kernel weights, counted in the file.",
    ),
    Quantity(
        "float_ops",
        "Float ops",
        "",
        "Size",
        min,
        _integer,
        _file("float_ops"),
        "Operations in the file that touch a float tensor.",
    ),
    Quantity(
        "frechet",
        "Fréchet",
        "",
        "Quality",
        min,
        _decimals(2),
        _quality("frechet"),
        f"Fréchet distance {_JUDGED}.",
    ),
    Quantity(
        "kid",
        "KID",
        "",
        "Quality",
        min,
        significant,
        _quality("kid"),
        f"Kernel inception distance (unbiased, cubic kernel) {_JUDGED}.",
    ),
    Quantity(
        "precision",
        "Precision",
        "",
        "Quality",
        max,
        _decimals(3),
        _quality("precision"),
        f"Share of samples that lie among the real images, {_JUDGED}.",
    ),
    Quantity(
        "recall",
        "Recall",
        "",
        "Quality",
        max,
        _decimals(3),
        _quality("recall"),
        f"Share of real images that lie among the samples, {_JUDGED}.",
    ),
    Quantity(
        "density",
        "Density",
        "",
        "Quality",
        max,
        _decimals(3),
        _quality("density"),
        f"Precision that outliers cannot inflate, {_JUDGED}.",
    ),
    Quantity(
        "coverage",
        "Coverage",
        "",
        "Quality",
        max,
        _decimals(3),
        _quality("coverage"),
        f"Share of real images with a sample in their neighbourhood, {_JUDGED}.",
    ),
    Quantity(
        "modes",
        "Modes",
        "",
        "Quality",
        max,
        _integer,
        _quality("modes"),
        "Classes that the judge sees among the samples.",
    ),
    Quantity(
        "psnr",
        "PSNR",
        "dB",
        "Fidelity",
        max,
        _decimals(1),
        _quality("psnr"),
        f"Peak signal-to-noise ratio {_LATENTS}.",
    ),
    Quantity(
        "ssim",
        "SSIM",
        "",
        "Fidelity",
        max,
        _decimals(3),
        _quality("ssim"),
        f"Structural similarity {_LATENTS}.",
    ),
    Quantity(
        "macs",
        "MACs",
        "M",
        "Work",
        min,
        lambda macs: significant(macs / 1e6),
        _file("macs"),
        "Millions of multiply-accumulates for one image, zeros counted as work.",
    ),
    Quantity(
        "p50_ms",
        "p50",
        "ms",
        "1 thread",
        min,
        significant,
        _local("p50_ms", 1),
        f"Median {_TIMED}.",
    ),
    Quantity(
        "p90_ms",
        "p90",
        "ms",
        "1 thread",
        min,
        significant,
        _local("p90_ms", 1),
        f"90th percentile {_TIMED}.",
    ),
    Quantity(
        "peak_rss_kb",
        "Memory",
        "MB",
        "1 thread",
        min,
        lambda kilobytes: significant(kilobytes / 1000),
        _local("peak_rss_kb", 1),
        "Peak resident memory of that process above an idle interpreter with numpy.",
    ),
    Quantity(
        "p50_ms_2_threads",
        "p50",
        "ms",
        "2 threads",
        min,
        significant,
        _local("p50_ms", 2),
        f"Median {_TIMED}.",
    ),
)

BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}


def best(quantity: Quantity, variants: tuple[VariantReport, ...]) -> str | None:
    """The best value as written, or None where nothing stands out.

    Values that read the same count as the same: the table does not claim finer differences than
    it shows.
    """
    values = [value for v in variants if (value := quantity.read(v).value) is not None]
    written = {quantity.write(value) for value in values}
    return quantity.write(quantity.better(values)) if len(written) > 1 else None
