"""How figures and settings are written, and everything that figures are given of: one table.

Each quantity says how it is called and written, which way is better, and how it was measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from pipeline.recipe import leaves

NONE = "–"


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


def times_of(ratio: float) -> str:
    """A ratio that may be far below one: 0.21×, 1.31×."""
    return times(ratio) if ratio >= 9.95 else f"{ratio:.2f}×"


def listed(parts: Sequence[str]) -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def whole(value: float) -> str:
    """12345 → 12,345."""
    return f"{value:,.0f}"


def decimals(digits: int) -> Callable[[float], str]:
    """A writer of so many digits behind the point."""
    return lambda value: f"{value:.{digits}f}"


def lines(tree: Mapping[str, JsonValue], none: str) -> list[tuple[str, str]]:
    """The leaves in words, for people; ``none`` is what stands for a missing one."""
    return [(key.replace("_", " "), _written(key, value, none)) for key, value in leaves(tree)]


def _written(key: str, value: object, none: str) -> str:
    if value is None:
        return none
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and "memory" in key:
        return f"{value / 2**30:.1f} GiB"
    return str(value)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A figure of a file, by the name that it has in report.json and benchmark.json."""

    name: str
    title: str
    """Of a column."""
    phrase: str = ""
    """In a sentence or along an axis, where the title is too short."""
    unit: str = ""
    per_unit: float = 1
    """How many of what is stored make one of the unit that is shown."""
    form: Callable[[float], str] = significant
    """How a value in that unit is written."""
    better: Callable[..., float] = min
    """``min`` or ``max``: which of several values is the best."""
    less: str = "less"
    same: str = "as much as"
    more: str = "more"
    """The words for fewer, for as much and for more of it."""
    how: str
    """How it was measured."""

    def write(self, value: float) -> str:
        """A stored value in the unit that is shown, without that unit."""
        return self.form(value / self.per_unit)


def _time(name: str, title: str, how: str, phrase: str = "") -> Quantity:
    return Quantity(
        name=name,
        title=title,
        phrase=phrase,
        unit="ms",
        less="faster",
        same="as fast as",
        more="slower",
        how=how,
    )


def _size(name: str, title: str, phrase: str, how: str) -> Quantity:
    return Quantity(
        name=name,
        title=title,
        phrase=phrase,
        unit="kB",
        per_unit=1000,
        form=lambda kilobytes: f"{kilobytes:,.1f}",
        how=how,
    )


def _share(name: str, title: str, how: str) -> Quantity:
    """Of pictures; more is better."""
    return Quantity(name=name, title=title, form=decimals(3), better=max, how=how)


_FEATURES = "in the judge's features, on the test images"
_LATENTS = "against float32's images of the same latents"

QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        _size("bytes", "File", "size", "Length of the .tflite; 1 kB is 1,000 bytes."),
        _size(
            "bytes_gzip",
            "Gzip",
            "gzipped size",
            "The same file gzipped, which is what a download costs.",
        ),
        _size("bytes_zstd", "Zstd", "size with zstd", "The same file after Zstandard at level 19."),
        Quantity(
            name="zeros",
            title="Zeros",
            unit="%",
            form=lambda share: f"{share:.1%}".removesuffix("%"),
            better=max,
            how="Share of zeros in all kernel weights, counted in the file.",
        ),
        Quantity(
            name="float_ops",
            title="Float ops",
            form=whole,
            how="Operations in the file that touch a float tensor.",
        ),
        Quantity(
            name="frechet",
            title="Fréchet",
            form=decimals(2),
            how=f"Fréchet distance {_FEATURES}.",
        ),
        Quantity(
            name="kid",
            title="KID",
            how=f"Kernel inception distance (unbiased, cubic kernel) {_FEATURES}.",
        ),
        _share(
            "precision",
            "Precision",
            f"Share of samples that lie among the real images, {_FEATURES}.",
        ),
        _share(
            "recall", "Recall", f"Share of real images that lie among the samples, {_FEATURES}."
        ),
        _share("density", "Density", f"Precision that outliers cannot inflate, {_FEATURES}."),
        _share(
            "coverage",
            "Coverage",
            f"Share of real images with a sample in their neighbourhood, {_FEATURES}.",
        ),
        Quantity(
            name="modes",
            title="Modes",
            form=whole,
            better=max,
            how="Classes that the judge sees among the samples.",
        ),
        Quantity(
            name="psnr",
            title="PSNR",
            unit="dB",
            form=decimals(1),
            better=max,
            how=f"Peak signal-to-noise ratio {_LATENTS}.",
        ),
        _share("ssim", "SSIM", f"Structural similarity {_LATENTS}."),
        Quantity(
            name="macs",
            title="MACs",
            phrase="multiply-accumulates",
            unit="M",
            per_unit=1e6,
            how="Millions of multiply-accumulates for one image, zeros counted as work.",
        ),
        _time("p50_ms", "p50", "median time of one inference", phrase="median latency"),
        _time("p90_ms", "p90", "90th percentile of the time of one inference"),
        _time("mean_ms", "mean", "mean time of one inference (this tool tells no percentiles)"),
        Quantity(
            name="peak_rss_kb",
            title="Memory",
            unit="MB",
            per_unit=1000,
            how="Peak resident memory of that process above an idle interpreter with numpy.",
        ),
        Quantity(
            name="instructions",
            title="instructions",
            phrase="instructions",
            unit="M",
            per_unit=1e6,
            less="fewer instructions",
            same="as many instructions as",
            more="more instructions",
            how="instructions executed by one inference on the emulated core, counted, not timed",
        ),
        Quantity(
            name="arena_bytes",
            title="arena",
            unit="kB",
            per_unit=1000,
            less="less memory",
            same="as much memory as",
            more="more memory",
            how="bytes of tensor arena that the microcontroller's runtime took",
        ),
    )
}
