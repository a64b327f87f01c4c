"""What a report says in words: of its files and pictures, and the result in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.data.dataset import ENOUGH
from pipeline.recipe.plain import leaves
from pipeline.report.benchmark.grid import FileFigure
from pipeline.report.quantities import times
from pipeline.report.run.columns import BY_NAME, local_measurement
from pipeline.report.run.gates import (
    FRECHET_BELOW_TRIVIAL,
    PSNR_OVER_TRIVIAL,
    baseline_figure,
    cannot_fail,
    decibels,
    measure,
)
from pipeline.report.run.schema import Report
from pipeline.variants import BASELINE, SHIPPED


@dataclass(frozen=True)
class Wording:
    """The words of one kind of run."""

    remarks: Mapping[str, str] = field(
        default_factory=lambda: {SHIPPED: "ships", BASELINE: "baseline"}
    )
    """Of a variant, beside its name."""
    baseline: str = BASELINE
    """In a sentence."""
    inputs: str = "latents"
    real: str = "real"
    """The pictures that the metrics compare with."""

    @property
    def floor(self) -> str:
        return f"{self.real} against {self.real}"


TEACHERS: Mapping[str, str] = {
    BASELINE: "teacher",
    "int8-ptq": "teacher, rounded",
    "student-float32": "student before rounding",
    SHIPPED: "student, ships",
}


def wording_of(report: Report) -> Wording:
    """The words for the run that a report is of."""
    search = report.search
    if search is None:
        return Wording(inputs="latents" if report.trivial is None else "pictures")
    return Wording(
        TEACHERS,
        f"{BASELINE}, the teacher",
        search.reads,
        "real" if search.real_pictures else "reference",
    )


BETTER, NEARLY = 0.95, 1.10
_WORDS = (
    (BETTER, "draws better"),
    (1.02, "draws as well"),
    (NEARLY, "draws nearly as well"),
    (1.50, "draws a little worse"),
    (float("inf"), "draws worse"),
)
"""Up to this ratio of Fréchet distances, these words."""
FAR = 4.0
"""From so many times the floor on it is far from the data, however near to the baseline."""
FEW_PICTURES = 1000

FAR_DECIBELS = 20.0
"""Of a student's pictures to its teacher's: below, they are seen to be others at a glance."""
_TO_COME_NEARER = "more pictures to learn from, more --minutes, or a larger budget"


def headline(report: Report) -> str:
    """What became of the baseline, for example: int8 is 14× smaller gzipped, 5× faster, and…"""
    has_baseline = report.variant(BASELINE) is not None or report.teacher is not None
    if report.variant(SHIPPED) is None or not has_baseline:
        names = ", ".join(variant.name for variant in report.variants)
        return f"{report.recipe_name}: {names}. There is no {SHIPPED} beside {BASELINE} to compare."
    gains = [
        _gain("bytes_gzip_ratio", ("smaller gzipped", "bigger gzipped", "as big gzipped"), report),
        _gain("speedup", ("faster", "slower", "as fast"), report),
    ]
    subject = SHIPPED if report.search is None else f"Beside its teacher {SHIPPED}"
    is_so = f" is {', '.join(filter(None, gains))}, and" if any(gains) else ""
    return f"{subject}{is_so} {_drawing(report)}."


def _gain(quantity: str, words: tuple[str, str, str], report: Report) -> str:
    better, worse, same = words
    ratio = measure(quantity, report).value
    if ratio is None:
        return ""
    mark = "~" if quantity == "speedup" and speed_doubts(report) else ""
    if ratio >= 1.05:
        return f"{mark}{times(ratio)} {better}"
    if ratio <= 1 / 1.05:
        return f"{mark}{times(1 / ratio)} {worse}"
    return f"{mark}{same}"


def speed_doubts(report: Report) -> dict[str, str]:
    """Of the baseline and the file that ships: whose time here deserves no trust, and why."""
    measured = {
        variant.name: local_measurement(variant, threads=1)
        for name in (BASELINE, SHIPPED)
        if (variant := report.variant(name)) is not None
    }
    doubts = {
        name: FileFigure(it, it.p50_ms, None, "").doubt for name, it in measured.items() if it
    }
    return {name: doubt for name, doubt in doubts.items() if doubt}


def _drawing(report: Report) -> str:
    return _translating(report) if is_paired(report) else _generating(report)


def is_paired(report: Report) -> bool:
    """Whether files are judged picture by picture, by decibels, and not by distributions."""
    return report.trivial is not None and not report.dataset.unpaired


def _translating(report: Report) -> str:
    """By decibels: to the truth where that is known, else to the baseline's pictures."""
    trivial, shipped = report.trivial, report.variant(SHIPPED)
    assert trivial is not None
    assert shipped is not None
    gain, reason = measure(PSNR_OVER_TRIVIAL, report)
    if gain is None:
        return f"how well it draws was not measured ({reason})"
    to_truth = decibels(trivial.quality, "psnr_truth") is not None
    name = "psnr_truth" if to_truth else "psnr"
    column = BY_NAME[name]
    theirs = column.write(decibels(trivial.quality, name) or 0.0)
    ours = measure(name, report).value or 0.0
    is_far = report.search is not None and not to_truth and ours < FAR_DECIBELS
    verdict = "loses to doing nothing: it draws"
    if gain > 0:
        verdict = "draws far from it," if is_far else "draws"
    figures = f"{verdict} at {column.text(shipped)} dB to {_reference(report, to_truth=to_truth)}"
    teacher = report.variant(BASELINE)
    if to_truth and teacher is not None:
        figures += f", {BASELINE} at {column.text(teacher)}"
    step = f". Next: {_TO_COME_NEARER}" if is_far else ""
    return f"{figures} ({trivial.name}: {theirs}){step}"


def _reference(report: Report, *, to_truth: bool) -> str:
    if to_truth:
        return "the truth"
    return BASELINE if report.search is None else "its teacher's pictures"


def _generating(report: Report) -> str:
    ratio, reason = measure("frechet_ratio", report)
    if ratio is None:
        return f"how well it draws was not measured ({reason})"
    ours = measure("frechet", report).value or 0.0
    theirs = baseline_figure(BY_NAME["frechet"], report).value or 0.0
    write = BY_NAME["frechet"].write
    others = {"floor": report.floor.frechet}
    if report.trivial:
        others[report.trivial.name] = report.trivial.quality.frechet
    aside = ", ".join(f"{name} {write(one)}" for name, one in others.items() if one is not None)
    figures = f"Fréchet {write(ours)} against {write(theirs)}" + (f" ({aside})" if aside else "")
    if report.judge.learned_nothing:
        step = _longer("evaluate.judge_steps", report)
        return f"draws nobody knows how well, for {_blind(report)}: {figures}. Next: {step}"
    if report.search is None and report.dataset.train < ENOUGH:
        return f"draws nobody knows how well, for {_few(report)}: {figures}. Next: more pictures"
    if _floors(ours, report) >= FAR:
        step = _next_step(report, of_baseline=_floors(theirs, report) >= FAR)
        floors = times(_floors(ours, report))
        return f"{_far(ratio, report)}, {floors} the floor: {figures}. Next: {step}"
    gain = measure(FRECHET_BELOW_TRIVIAL, report).value
    words = next(words for limit, words in _WORDS if ratio <= limit)
    return f"{'loses to doing nothing' if gain is not None and gain <= 0 else words}: {figures}"


def _floors(frechet: float, report: Report) -> float:
    """That distance over what real pictures have among themselves; 0 where that says nothing.

    As of a generator that reads pictures: what it reads decides what it can reach.
    """
    floor = report.floor.frechet
    return frechet / floor if floor and report.trivial is None else 0.0


def _far(ratio: float, report: Report) -> str:
    """Instead of the words of that ratio to the baseline."""
    data = "the data" if wording_of(report).real == "real" else "its teacher's pictures"
    if ratio > NEARLY:
        return f"draws worse, and far from {data}"
    if ratio <= BETTER:
        return f"draws far from {data}, if nearer than {BASELINE}"
    return f"draws as far from {data} as {BASELINE} does"


def _blind(report: Report) -> str:
    accuracy, chance = report.judge.accuracy or 0.0, report.judge.chance or 0.0
    return f"its judge learned nothing (right of {accuracy:.0%}, where chance is of {chance:.0%})"


def _few(report: Report) -> str:
    data = report.dataset
    return f"{data.train} pictures are learnt by heart, and {data.test} more say little"


def _next_step(report: Report, *, of_baseline: bool) -> str:
    """What brings a file nearer to the data, whose baseline is far from it, or is not."""
    if report.search is not None:
        return "a teacher that draws better" if of_baseline else "a larger budget"
    if not of_baseline:
        return _longer("quantize.steps", report)
    count = report.dataset.train
    more = f"more pictures than {count:,}, and " if count < FEW_PICTURES else ""
    return more + _longer("train.steps", report)


def _longer(key: str, report: Report) -> str:
    """An option that doubles those steps of the recipe."""
    steps = dict(leaves(report.recipe)).get(key)
    return f"--{key} {2 * steps}" if isinstance(steps, int) else f"a larger {key}"


def gates_in_words(report: Report) -> str:
    failed, total = len(report.failed_gates), len(report.gates)
    if not total:
        return "no gates were asked"
    if failed:
        return f"{failed} of {total} gates failed"
    passed = f"all {total} gates passed" if total > 1 else "the one gate passed"
    empty = sum(bool(cannot_fail(gate.text, report)) for gate in report.gates)
    which = f", {empty} of which" if total > 1 else ", which"
    return f"{passed}{which} could not fail" if empty else passed
