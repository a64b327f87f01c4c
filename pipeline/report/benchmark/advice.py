"""What the figures say: which file to ship where, how they were measured, what the limits are."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from deploy.agreement import SECOND_OPINION
from deploy.jobs import Agreement, Measurement
from deploy.rounds import ENOUGH_RUNS, SPREAD_LIMIT, TAIL_LIMIT
from pipeline.report.benchmark.energy import absences, meters
from pipeline.report.benchmark.grid import ALIKE, WHY_DOUBTED, TargetColumn, comparable
from pipeline.report.benchmark.npu import off_the_npu, reckonings
from pipeline.report.benchmark.schema import MeasuredFile
from pipeline.report.cores import (
    FMLA,
    int8_instruction,
    lacks_dot_product,
    needed_instructions,
)
from pipeline.report.quantities import listed, times, times_of
from pipeline.variants import SHIPPED

NOT_COMPARED = (
    "These files are no variants of one generator (their shapes or MACs differ): nothing is "
    "compared."
)
WEIGHED = "This weighs cost and bytes, not what is drawn: a run's report shows quality."
EXACT = ("instructions", "arena_bytes")


def sentences(columns: Sequence[TargetColumn], files: Sequence[MeasuredFile]) -> list[str]:
    """What to doubt, what to ship target by target, what is drawn alike, what failed, and where no
    energy is told."""
    said: list[str | None] = [untrusted(columns)]
    if not comparable(files):
        said.append(NOT_COMPARED)
    for column in columns:
        said += [verdict(column, files), int8_costs_more(column, files), *off_the_npu(column)]
    if any(column.chooses and column.deciding.figures for column in columns):
        said.append(WEIGHED)
    said += alike_by_target(columns)
    return [*filter(None, said), *failures(columns), *absences(columns)]


def untrusted(columns: Sequence[TargetColumn]) -> str | None:
    """The figures that the page and the terminal mark with a ~."""
    sentences = []
    for why in WHY_DOUBTED:
        figures = [
            f"{listed(names)} on {column.title}"
            for column in columns
            if (names := [name for name, cell in column.cells.items() if cell.why_doubted == why])
        ]
        if figures:
            sentences.append(f"Not to be trusted (marked ~), as {why}: {'; '.join(figures)}.")
    return " ".join(sentences) or None


def verdict(column: TargetColumn, files: Sequence[MeasuredFile]) -> str | None:
    """Which file to ship on this target, or what was measured where there is nothing to choose."""
    if not column.deciding.figures:
        reasons = dict.fromkeys(cell.reason for cell in column.cells.values())
        return f"{column.title}: nothing could be measured ({'; '.join(reasons)})."
    if column.chooses:
        return f"{column.title}{column.by}: {_choice(column, files)}."
    if column.target == SECOND_OPINION:
        return None  # it judges another target's figures
    return f"{column.title}: {_stated(column)}."


def _stated(column: TargetColumn) -> str:
    """For instance "gen 0.0400 ms (p50)"."""
    headline, cells = column.deciding.headline, column.deciding.cells
    figures = [
        f"{name} {'~' if cell.doubt else ''}{headline.write(cell.value)} {headline.unit}"
        for name, cell in cells.items()
        if cell.value is not None and headline
    ]
    return f"{', '.join(figures)} ({headline.title if headline else ''})"


def _choice(column: TargetColumn, files: Sequence[MeasuredFile]) -> str:
    """The smallest of the files that are as good as the best."""
    figures, baseline = column.deciding.figures, column.baseline or ""
    best = min(figures, key=lambda name: figures[name])
    alike = column.best()
    if baseline in figures and baseline not in alike:
        alike = [name for name in alike if name == best or not column.alike(name, baseline)]
    small = min((f for f in files if f.name in alike), key=lambda f: f.bytes_gzip).name
    if baseline in alike and _unsure(column, small, baseline):
        return f"{_cannot_be_told_apart(column, small, baseline)}; {small} is the smaller file"
    advice = f"ship {small}{_gain(column, small)}"
    if small == best or baseline not in figures:
        return advice
    if _unsure(column, small, best):
        return f"{advice}; {_cannot_be_told_apart(column, best, small)}, but {best} is bigger"
    return f"{advice}; {best} is as good within {ALIKE - 1:.0%}, but bigger"


def _unsure(column: TargetColumn, one: str, other: str) -> bool:
    """Whether chance alone may explain a difference, and more of one than anybody minds."""
    noise = column.noise(one, other)
    return one != other and noise > ALIKE - 1 and column.apart(one, other) < noise


def _cannot_be_told_apart(column: TargetColumn, one: str, other: str) -> str:
    return (
        f"{one} and {other} cannot be told apart (they differ by {column.apart(one, other):.0%}, "
        f"their rounds by {column.noise(one, other):.0%})"
    )


def _ratio(column: TargetColumn, name: str | None) -> float | None:
    cell = column.deciding.cells.get(name or "")
    return cell.ratio if cell else None


def _gain(column: TargetColumn, name: str) -> str:
    ratio, headline, baseline = _ratio(column, name), column.headline, column.baseline
    if name == baseline or ratio is None or headline is None or baseline is None:
        return ""
    if column.alike(name, baseline):
        return f", {headline.same} {baseline}"
    words = headline.less if ratio < 1 else headline.more
    return f", {times(max(ratio, 1 / ratio))} {words} than {baseline}"


def int8_costs_more(column: TargetColumn, files: Sequence[MeasuredFile]) -> str | None:
    """A warning where the int8 file gains nothing: a surprise to most people."""
    name, baseline = _int8(files), column.baseline
    ratio = _ratio(column, name)
    headline = column.headline
    if not column.chooses or name is None or baseline is None or ratio is None or headline is None:
        return None
    if column.estimated:
        return None  # a few bytes of commands weigh in tiny files, and nothing was slow
    if ratio <= 1 or (headline.name not in EXACT and column.alike(name, baseline)):
        return None
    what = headline.title if headline.name in EXACT else "time"
    instead = "bytes, not memory" if what == "arena" else "bytes and memory, not speed"
    return (
        f"{column.title}{column.by}: {name} costs {times_of(ratio)} the {what} of {baseline}"
        f"{_why(column, name)}: there int8 buys {instead}."
    )


def _why(column: TargetColumn, name: str) -> str:
    """What is known to make int8 slow here: of a runtime, or of a core; else nothing."""
    measurement = column.cells[name].measurement
    runtime = measurement.runtime if measurement else None
    if runtime == "tflite-runtime":
        return " (tflite-runtime runs int8 through its own kernels, without XNNPACK)"
    if runtime == "ai-edge-litert" and lacks_dot_product(column.target):
        return " (this core has no dot-product instruction)"
    return ""


def _int8(files: Sequence[MeasuredFile]) -> str | None:
    """The int8 file: the one called so, or the only one without float operations."""
    if any(file.name == SHIPPED for file in files):
        return SHIPPED
    whole = [file.name for file in files if file.float_ops == 0]
    return whole[0] if len(whole) == 1 else None


def alike_by_target(columns: Sequence[TargetColumn]) -> list[str | None]:
    """Target by target, whether it draws what the desktop draws."""
    measurements = [
        c.measurement for column in columns for c in column.cells.values() if c.measurement
    ]
    targets = dict.fromkeys(column.target for column in columns)
    return [drawn_alike([m for m in measurements if m.target == target]) for target in targets]


def drawn_alike(measurements: Sequence[Measurement]) -> str | None:
    """Whether one target draws what the desktop draws, or what it draws without XNNPACK.

    Of several numbers of threads the one that lies farthest from it counts.
    """
    agreements: dict[str, Agreement] = {}
    for m in measurements:
        farthest = agreements.get(m.variant, m.agreement)
        if m.agreement and farthest and m.agreement.largest >= farthest.largest:
            agreements[m.variant] = m.agreement
    if not agreements:
        return None
    equal = [name for name, agreement in agreements.items() if agreement.equal]
    parts = [f"{', '.join(equal)} drew bit for bit what this machine draws"] if equal else []
    apart = {name: agreement for name, agreement in agreements.items() if not agreement.equal}
    floats = {name: each.largest for name, each in apart.items() if each.within_one is None}
    if floats:
        verb = "lie" if len(floats) > 1 else "lies"
        parts.append(f"{', '.join(floats)} {verb} within {max(floats.values()):.2g} of it")
    for name, each in apart.items():
        if each.within_one is not None:
            parts.append(f"{name} lies at most {_steps(each)} from it")
    if not equal:  # nothing has said yet what "it" is
        parts[0] = f"{parts[0].removesuffix('it')}what this machine draws"
    plain = dict.fromkeys(
        m.variant for m in measurements if m.plain_agreement and m.plain_agreement.equal
    )
    if plain:
        parts.append(f"{', '.join(plain)} drew bit for bit what this machine draws without XNNPACK")
    return f"{measurements[0].title}: {'; '.join(parts)}."


def _steps(agreement: Agreement) -> str:
    """For instance "4 steps (99.97% of the values within one)"."""
    if agreement.largest <= 1:
        return f"one step (in {agreement.share:.2%} of the values)"
    return f"{agreement.largest:g} steps ({agreement.within_one:.2%} of the values within one)"


def failures(columns: Sequence[TargetColumn]) -> list[str]:
    """What went wrong where, each error once; not where ``verdict`` says that all did."""
    by_error: dict[str, list[str]] = {}
    for column in columns:
        for name, cell in column.cells.items():
            if column.deciding.figures and cell.measurement and cell.measurement.error:
                error = f"{column.label}: {cell.measurement.error}"
                by_error.setdefault(error, []).append(name)
    return [f"{error} ({', '.join(dict.fromkeys(names))})" for error, names in by_error.items()]


def method(measurements: Sequence[Measurement], plan: Mapping[str, Any]) -> list[str]:
    """Sentences, of what ``measurements`` hold only."""
    done = [m for m in measurements if m.error is None]
    parts = [_repetitions(done)]
    if plan.get("latents"):
        parts.append("Inputs are those of --latents, where the target takes them.")
    elif "seed" in plan and not all(m.npu for m in done):
        parts.append(f"Inputs are random, by seed {plan['seed']}.")
    if any(m.peak_rss_kb for m in done):
        parts.append("Peak memory is above an idle interpreter, in a fresh process.")
    parts += [*meters(done), *reckonings(done)]
    if any(m.instructions for m in done):
        parts.append("Instructions are counted between two marks around the inference, not timed.")
    return [*filter(None, parts)]


def _repetitions(done: Sequence[Measurement]) -> str:
    """How often each file ran; empty where nothing was timed."""
    timed = [m for m in done if m.p50_ms or m.mean_ms]
    runs = [m.runs for m in timed if m.runs]
    if not runs:
        return ""
    sentence = f"One inference after the other, {_span(runs)} of each file"
    rounds = [m.rounds for m in timed]
    if max(rounds) > 1:
        sentence += (
            f", in {_span(rounds)} fresh processes that take turns; the spread is how far their "
            f"medians lie apart, and more than {SPREAD_LIMIT:.0%} deserves no trust (~), nor does "
            f"a 90th percentile above {TAIL_LIMIT:g} medians"
        )
    more = f"asks for {ENOUGH_RUNS:,} or more"
    if min(runs) >= ENOUGH_RUNS:
        return f"{sentence}. That is MLPerf's single stream, which {more}."
    return f"{sentence}. MLPerf's single stream {more}: this is a quick look."


def _span(numbers: Sequence[int]) -> str:
    """64, or 8 to 64."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


class ShareOfLimit(NamedTuple):
    """The share of the best possible, 0 to 1; None where it is unknown."""

    share: float | None
    words: str
    """What the best possible is, or why it is unknown."""


def limit_of(
    measurement: Measurement, file: MeasuredFile | None, bandwidth: float | None
) -> ShareOfLimit:
    """The distance of ``measurement`` from its limit.

    On a counted core: the instructions that the multiply-accumulates alone need, over those
    executed. On this machine: the time that the file's tensors need to pass memory once at
    ``bandwidth`` (bytes a second, of one thread), over the median time; above 1 means that caches
    helped.
    """
    if file is None:
        return ShareOfLimit(None, "nothing is known of the file")
    if measurement.instructions is not None:
        return _of_instructions(measurement.target, measurement.instructions, file)
    if measurement.target.split(":")[0] == "local" and measurement.p50_ms is not None:
        return _of_memory(measurement.p50_ms, measurement.threads, file, bandwidth)
    return ShareOfLimit(None, "known for counted cores, and for one thread of this machine")


def _of_instructions(target: str, executed: int, file: MeasuredFile) -> ShareOfLimit:
    int8 = file.macs if file.macs_int8 is None and file.float_ops == 0 else file.macs_int8
    if not file.macs or int8 is None:
        return ShareOfLimit(None, "the file's multiply-accumulates are not known by their types")
    width, name = int8_instruction(target)
    parts = [(int8, "int8", width, name), (file.macs - int8, "other", FMLA, "FMLA")]
    needed = needed_instructions(target, int8=int8, other=file.macs - int8)
    work = " and ".join(
        f"{macs:,} {kind} MACs, {each} each {by}" for macs, kind, each, by in parts if macs
    )
    return ShareOfLimit(needed / executed, f"{work}: at least {needed:,.0f} instructions")


def _of_memory(
    p50_ms: float, threads: int, file: MeasuredFile, bandwidth: float | None
) -> ShareOfLimit:
    if threads > 1:
        return ShareOfLimit(None, "the bandwidth of one thread is known, not that of several")
    if not file.traffic or not bandwidth:
        return ShareOfLimit(None, "the file's traffic or the memory's bandwidth is not known")
    needed_ms = 1000 * file.traffic / bandwidth
    words = f"{file.traffic:,} bytes at {bandwidth / 1e9:.1f} GB/s: {needed_ms:.4f} ms"
    return ShareOfLimit(needed_ms / p50_ms, words)
