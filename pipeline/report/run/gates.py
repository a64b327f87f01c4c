"""Gates: what a recipe demands of its result, one line each, such as ``zeros >= 0.75``."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.errors import PocketganError
from pipeline.report.run.columns import BY_NAME, Figure, VariantColumn, is_infinite
from pipeline.report.run.schema import GateResult, Report, ReportedQuality, VariantReport
from pipeline.variants import BASELINE, SHIPPED

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "≤": operator.le,
    "≥": operator.ge,
}

_GATE = re.compile(
    r"\s*(?P<quantity>\w+)\s*(?P<sign><=|>=|==|<|>|≤|≥)\s*"
    r"(?P<limit>[+-]?\d+(\.\d+)?([eE][+-]?\d+)?)\s*",
    re.ASCII,
)


def _saving(variant: float, baseline: float) -> float:
    return baseline / variant


COMPARISONS: dict[str, tuple[VariantColumn, Callable[[float, float], float]]] = {
    "frechet_ratio": (BY_NAME["frechet"], operator.truediv),
    "recall_drop": (BY_NAME["recall"], lambda variant, baseline: baseline - variant),
    "psnr_truth_drop": (BY_NAME["psnr_truth"], lambda variant, baseline: baseline - variant),
    "psnr_hole_drop": (BY_NAME["psnr_hole"], lambda variant, baseline: baseline - variant),
    "colourfulness_drop": (
        BY_NAME["colourfulness"],
        lambda variant, baseline: (baseline - variant) / baseline,
    ),
    "bytes_ratio": (BY_NAME["bytes"], _saving),
    "bytes_gzip_ratio": (BY_NAME["bytes_gzip"], _saving),
    "speedup": (BY_NAME["p50_ms"], _saving),
}
"""A column, and how a variant's figure there compares with the baseline's in the same report."""

DROPS = tuple(name for name in COMPARISONS if name.endswith("_drop"))
UPPER_LIMITS = ("<=", "<", "≤")
QAT_WITHIN_BOUND = "qat_within_bound"
"""Share of the pixels in which the file is where its fake-quantized model is, but for rounding."""
PSNR_OVER_TRIVIAL = "psnr_over_trivial"
"""Decibels to the truth, or where that is not known to float32, above the trivial baseline's."""
FRECHET_BELOW_TRIVIAL = "frechet_below_trivial"
"""How much nearer to real pictures it draws than the trivial baseline is, by Fréchet distance."""
CLASS_KL = "class_kl"
"""KL(classes drawn || classes of the real images), in nats."""
EQUAL_DECIBELS = 99.0
KNOWN = (
    *(*COMPARISONS, *BY_NAME, CLASS_KL),
    *(QAT_WITHIN_BOUND, PSNR_OVER_TRIVIAL, FRECHET_BELOW_TRIVIAL),
)
TRANSLATIONS = (f"{PSNR_OVER_TRIVIAL} > 0", f"{QAT_WITHIN_BOUND} >= 0.999")
"""Gates that every run of a translator has."""
OF_PICTURES = (PSNR_OVER_TRIVIAL, FRECHET_BELOW_TRIVIAL, "psnr_truth_drop", "psnr_hole_drop")
"""Quantities that only a generator has that reads pictures."""
LATENTS = ("recall_drop <= 0.1",)
"""Gates that every run of a generator of latents has: compression costs variety first."""
UNPAIRED = (f"{FRECHET_BELOW_TRIVIAL} > 0",)
"""Of one that learned without pairs it cannot be told otherwise whether it does what it should."""


@dataclass(frozen=True)
class Gate:
    text: str
    quantity: str
    sign: str
    limit: float


def parse_gate(text: str) -> Gate:
    """Read one line of a recipe's gates.

    Raises PocketganError that lists the quantities and signs there are.
    """
    match = _GATE.fullmatch(text)
    if match is None or match["quantity"] not in KNOWN or math.isinf(float(match["limit"])):
        raise PocketganError(
            f"gate '{text}' is not of the form QUANTITY SIGN NUMBER with a quantity known here",
            f"Quantities: {', '.join(KNOWN)}. Signs: {' '.join(_OPERATORS)}. "
            "Example: zeros >= 0.75",
        )
    return Gate(text.strip(), match["quantity"], match["sign"], float(match["limit"]))


def completed(gates: Sequence[str], defaults: Sequence[str]) -> list[str]:
    """The gates, and those of the ``defaults`` whose quantity none of the gates names."""
    named = {match["quantity"] for text in gates if (match := _GATE.fullmatch(text))}
    return [*gates, *(text for text in defaults if parse_gate(text).quantity not in named)]


_NO_TRIVIAL = Figure(None, "this report has no trivial baseline: its generator reads latents")


def _below_trivial(subject: VariantReport, report: Report) -> Figure:
    if report.trivial is None:
        return _NO_TRIVIAL
    ours, theirs = subject.quality, report.trivial.quality
    if ours.frechet is None or theirs.frechet is None:
        return Figure(None, ours.absent.get("frechet") or theirs.absent.get("frechet", ""))
    return Figure(theirs.frechet - ours.frechet)


def _over_trivial(subject: VariantReport, report: Report) -> Figure:
    if report.trivial is None:
        return _NO_TRIVIAL
    ours, theirs = subject.quality, report.trivial.quality
    name = "psnr_truth" if decibels(theirs, "psnr_truth") is not None else "psnr"
    shipped, trivial = (decibels(quality, name) for quality in (ours, theirs))
    if shipped is None or trivial is None:
        return Figure(None, ours.absent.get(name) or theirs.absent.get(name, ""))
    return Figure(shipped - trivial)


def decibels(quality: ReportedQuality, name: str) -> float | None:
    """The figure; of equal pictures, whose ratio is infinite, more than any other has."""
    value: float | None = getattr(quality, name)
    return EQUAL_DECIBELS if is_infinite(value, quality.absent.get(name, "")) else value


def _finite(figure: Figure) -> Figure:
    """The figure; that of equal pictures as a number that a gate can be held against."""
    return Figure(EQUAL_DECIBELS) if is_infinite(*figure) else figure


def measure(quantity: str, report: Report, variant: str = SHIPPED) -> Figure:
    """A known quantity of one variant; ratios and drops are against float32 in this report."""
    subject = report.variant(variant)
    if subject is None:
        return Figure(None, f"this report has no variant {variant}")
    if quantity == QAT_WITHIN_BOUND:
        steps = subject.qat_steps
        if steps is None or steps.within_bound is None:
            return Figure(None, "file and fake-quantized model were not compared")
        return Figure(steps.within_bound)
    if quantity == PSNR_OVER_TRIVIAL:
        return _over_trivial(subject, report)
    if quantity == FRECHET_BELOW_TRIVIAL:
        return _below_trivial(subject, report)
    if quantity == CLASS_KL:
        return Figure(subject.quality.class_kl, subject.quality.absent.get(CLASS_KL, ""))
    if quantity in BY_NAME:
        return _finite(BY_NAME[quantity].read(subject))
    column, compare = COMPARISONS[quantity]
    figures = [_finite(column.read(subject)), _finite(baseline_figure(column, report))]
    for name, figure in zip((variant, BASELINE), figures, strict=True):
        if figure.value is None:
            return Figure(None, f"{name}: {figure.reason}")
    ours, theirs = (figure.value or 0.0 for figure in figures)
    try:
        return Figure(compare(ours, theirs))
    except ZeroDivisionError:
        return Figure(None, f"{column.name} is 0, so there is no ratio")


def baseline_figure(column: VariantColumn, report: Report) -> Figure:
    """Of float32, or of a teacher that has no file."""
    baseline = report.variant(BASELINE)
    if baseline is not None:
        return column.read(baseline)
    value = getattr(report.teacher, column.name, None)
    return Figure(value, "" if value is not None else "it has no file")


def cannot_fail(text: str, report: Report) -> str:
    """Why a gate passes whatever the shipped file draws, as the baseline has less to lose than the
    gate allows; empty where it can fail."""
    match = _GATE.fullmatch(text)
    if match is None or match["quantity"] not in DROPS or match["sign"] not in UPPER_LIMITS:
        return ""
    column, compare = COMPARISONS[match["quantity"]]
    theirs = baseline_figure(column, report).value
    if theirs is None:
        return ""
    try:
        most = compare(0.0, theirs)  # nothing that is drawn has less of any of them
    except ZeroDivisionError:
        return ""  # then there is no figure, and the gate fails
    if not _OPERATORS[match["sign"]](most, float(match["limit"])):
        return ""
    return f"cannot fail: {BASELINE} itself has {column.title} {column.write(theirs)}"


def check(gate: Gate, report: Report, variant: str = SHIPPED) -> GateResult:
    """Hold one gate against a report; what could not be measured has failed, with the reason."""
    value, reason = measure(gate.quantity, report, variant)
    passed = value is not None and _OPERATORS[gate.sign](value, gate.limit)
    return GateResult(text=gate.text, value=value, passed=passed, reason=reason)


def check_all(gates: tuple[Gate, ...], report: Report) -> Report:
    """The same report with the result of every gate in it."""
    return report.model_copy(update={"gates": tuple(check(gate, report) for gate in gates)})
