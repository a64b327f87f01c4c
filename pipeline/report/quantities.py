"""How figures and settings are written, and everything that figures are given of: one table.

Each quantity says how it is called and written, which way is better, and how it was measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from pipeline.recipe.plain import leaves

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
    form: Callable[..., str] = significant
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


def _quantity(name: str, title: str, how: str, **others: Any) -> Quantity:
    return Quantity(name=name, title=title, how=how, **others)


_SIZE = {"unit": "kB", "per_unit": 1000, "form": "{:,.1f}".format}
_SHARE = {"form": "{:.3f}".format, "better": max}
_TIME = {"unit": "ms", "less": "faster", "same": "as fast as", "more": "slower"}
_MILLIONS = {"unit": "M", "per_unit": 1e6}
_FEATURES = "in the judge's features, on the test images"
_LATENTS = "against float32's images of the same latents"
_TRUTH = "against what the pictures should have become"
_OF_FILES = (
    _quantity(
        "bytes", "File", "Length of the .tflite; 1 kB is 1,000 bytes.", phrase="size", **_SIZE
    ),
    _quantity(
        "bytes_gzip",
        "Gzip",
        "The same file gzipped, which is what a download costs.",
        phrase="gzipped size",
        **_SIZE,
    ),
    _quantity(
        "bytes_zstd",
        "Zstd",
        "The same file after Zstandard at level 19.",
        phrase="size with zstd",
        **_SIZE,
    ),
    _quantity(
        "zeros",
        "Zeros",
        "Share of zeros in all kernel weights, counted in the file.",
        unit="%",
        form=lambda share: f"{share:.1%}".removesuffix("%"),
        better=max,
    ),
    _quantity(
        "float_ops",
        "Float ops",
        "Operations in the file that touch a float tensor.",
        form="{:,.0f}".format,
    ),
    _quantity(
        "macs",
        "MACs",
        "Millions of multiply-accumulates for one image, zeros counted as work.",
        phrase="multiply-accumulates",
        **_MILLIONS,
    ),
)
_OF_PICTURES = (
    _quantity("frechet", "Fréchet", f"Fréchet distance {_FEATURES}.", form="{:.2f}".format),
    _quantity("kid", "KID", f"Kernel inception distance (unbiased, cubic kernel) {_FEATURES}."),
    _quantity(
        "sliced_wasserstein",
        "SWD",
        f"Squared Wasserstein distance along random directions {_FEATURES}; it fits no Gaussians, "
        "and settles with fewer samples than Fréchet's.",
    ),
    _quantity(
        "precision",
        "Precision",
        f"Share of samples that lie among the real images, {_FEATURES}.",
        **_SHARE,
    ),
    _quantity(
        "recall",
        "Recall",
        f"Share of real images that lie among the samples, {_FEATURES}.",
        **_SHARE,
    ),
    _quantity(
        "density", "Density", f"Precision that outliers cannot inflate, {_FEATURES}.", **_SHARE
    ),
    _quantity(
        "coverage",
        "Coverage",
        f"Share of real images with a sample in their neighbourhood, {_FEATURES}.",
        **_SHARE,
    ),
    _quantity(
        "modes",
        "Modes",
        "Classes that the judge sees among the samples.",
        form="{:,.0f}".format,
        better=max,
    ),
    _quantity(
        "psnr",
        "PSNR",
        f"Peak signal-to-noise ratio {_LATENTS}.",
        unit="dB",
        form="{:.1f}".format,
        better=max,
    ),
    _quantity("ssim", "SSIM", f"Structural similarity {_LATENTS}.", **_SHARE),
    _quantity(
        "psnr_truth",
        "PSNR, truth",
        f"Peak signal-to-noise ratio {_TRUTH}.",
        unit="dB",
        form="{:.1f}".format,
        better=max,
    ),
    _quantity(
        "psnr_hole",
        "PSNR, hole",
        f"Peak signal-to-noise ratio {_TRUTH}, where a mask hid it.",
        unit="dB",
        form="{:.1f}".format,
        better=max,
    ),
    _quantity("ssim_truth", "SSIM, truth", f"Structural similarity {_TRUTH}.", **_SHARE),
    _quantity(
        "colourfulness",
        "Colour",
        "Colourfulness of the pictures (Hasler & Süsstrunk 2003); grey is 0.",
        form="{:.1f}".format,
        better=max,
    ),
)
_OF_SPEED = (
    _quantity("p50_ms", "p50", "median time of one inference", phrase="median latency", **_TIME),
    _quantity("p90_ms", "p90", "90th percentile of the time of one inference", **_TIME),
    _quantity(
        "mean_ms", "mean", "mean time of one inference (this tool tells no percentiles)", **_TIME
    ),
    _quantity(
        "peak_rss_kb",
        "Memory",
        "Peak resident memory of that process above an idle interpreter with numpy.",
        unit="MB",
        per_unit=1e6 / 1024,  # of what the system calls kB and counts in 1,024 bytes
    ),
    _quantity(
        "instructions",
        "instructions",
        "instructions executed by one inference on the emulated core, counted, not timed",
        phrase="instructions",
        less="fewer instructions",
        same="as many instructions as",
        more="more instructions",
        **_MILLIONS,
    ),
    _quantity(
        "arena_bytes",
        "arena",
        "bytes of tensor arena that the microcontroller's runtime took",
        unit="kB",
        per_unit=1000,
        less="less memory",
        same="as much memory as",
        more="more memory",
    ),
    _quantity(
        "flash_bytes",
        "flash",
        "bytes of the file that the NPU's compiler made, which is what a device stores",
        phrase="flash on the NPU",
        unit="kB",
        per_unit=1000,
        less="less flash",
        same="as much flash as",
        more="more flash",
    ),
    _quantity(
        "sram_bytes",
        "SRAM",
        "bytes of SRAM that the NPU's compiler laid out for maps and buffers",
        unit="kB",
        per_unit=1000,
    ),
    _quantity(
        "estimated_ms",
        "compiler's estimate",
        "time of one inference as the NPU's compiler estimates it: nothing was run",
        **_TIME,
    ),
)
QUANTITIES = {quantity.name: quantity for quantity in (*_OF_FILES, *_OF_PICTURES, *_OF_SPEED)}
