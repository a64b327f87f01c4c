"""A report for a terminal, and two reports side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from pipeline import consoles
from pipeline.recipe.plain import leaves
from pipeline.report.quantities import NONE, number
from pipeline.report.run.columns import BY_NAME, COLUMNS, JUDGED, LOCAL, VariantColumn, best
from pipeline.report.run.gates import cannot_fail
from pipeline.report.run.schema import Report, VariantReport
from pipeline.report.run.wording import (
    gates_in_words,
    headline,
    is_paired,
    speed_doubts,
    wording_of,
)
from pipeline.variants import SHIPPED

_FILE, _SPEED = ("bytes", "bytes_gzip", "zeros", "float_ops"), ("p50_ms", "peak_rss_kb")


def _columns(report: Report) -> list[VariantColumn]:
    """What tells most of a generator, or of a translator of pairs, whose truth may be known."""
    names: tuple[str, ...] = ("frechet", "recall", "psnr")
    if report.trivial is not None and is_paired(report):
        truth = (
            name
            for name in ("psnr_truth", "psnr_hole")
            if getattr(report.trivial.quality, name) is not None
        )
        names = ("psnr", "ssim", *truth)
    return [BY_NAME[name] for name in (*_FILE, *names, *_SPEED)]


def render(report: Report, page: Path | None = None) -> RenderableType:
    """What a run prints at its end; ``page`` is the report.html, where there is one."""
    parts: list[RenderableType] = [
        Text(headline(report), style="bold"),
        Text(),
        FoldedVariants(report),
        _reasons(report),
        Text(),
        gates(report),
    ]
    if page is not None:
        parts += [Text(), Text.assemble("Page: ", (str(page), "bold"))]
    return Group(*parts)


@dataclass(frozen=True)
class FoldedVariants:
    """The table of variants; columns that are too many for the terminal go below, none is cut."""

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unlimited = options.update_width(consoles.UNWRAPPED)
        rest = _columns(self.report)
        while rest:
            fitting = (
                count
                for count in range(len(rest), 1, -1)
                if console.measure(variants(self.report, rest[:count]), options=unlimited).maximum
                <= options.max_width
            )
            count = next(fitting, 1)
            yield variants(self.report, rest[:count])
            rest = rest[count:]


def variants(report: Report, columns: Sequence[VariantColumn]) -> Table:
    """The table of variants with these columns, best in each with a star."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("Variant", no_wrap=True)
    for column in columns:
        table.add_column(f"{column.title}\n{column.unit}", justify="right", no_wrap=True)
    for variant in report.variants:
        cells = [Text(variant.name, style="bold" if variant.name == SHIPPED else "")]
        for column in columns:
            text = column.text(variant)
            top = text == best(column, report.variants)
            cells.append(consoles.best(text) if top else Text(text))
        table.add_row(*cells)
    if report.trivial is not None:
        texts = [column.text_of_pictures(report.trivial.quality) for column in columns]
        table.add_row(report.trivial.name, *texts, style="dim")
    return table


def _reasons(report: Report) -> Text:
    """What a star is, why a dash is a dash and a speed is marked with ~, each reason once."""
    starred = any(best(column, report.variants) for column in _columns(report))
    reasons: dict[str, None] = {f"{consoles.BEST} the best of its column": None} if starred else {}
    reasons |= {f"~ {name}: {doubt}": None for name, doubt in speed_doubts(report).items()}
    for variant in report.variants:
        for column in _columns(report):
            value, reason = column.read(variant)
            if value is None:
                reasons[f"{NONE} {variant.name}, {column.label}: {reason}"] = None
    return Text("\n".join(reasons), style="dim")


def gates(report: Report) -> Text:
    """A line a gate: passed or failed, what was asked, what was measured."""
    lines = Text(gates_in_words(report).capitalize())
    for gate in report.gates:
        mark, style = ("✓", "green") if gate.passed else ("✗", "bold red")
        figure = gate.reason if gate.value is None else number(gate.value)
        lines.append(f"\n{mark} {gate.text}", style=style)
        remark = cannot_fail(gate.text, report)
        lines.append(f"  {figure}" + (f" ({remark})" if remark else ""))
    return lines


def compare(a: Report, b: Report) -> dict[str, Any]:
    """What differs between two reports, safe for JSON.

    Keys: ``a`` and ``b`` (which report), ``warnings``, ``variants`` (shared name -> quantity ->
    ``a``, ``b``, ``ratio`` = b / a; None where there is none, or where two judges gave the
    figures), ``without_file`` (the same of the trivial baseline and of other real pictures),
    ``only_in_a``, ``only_in_b`` and ``recipe`` (dotted key -> ``a``, ``b``, for those that
    differ). ``two_judges``: whether two gave the figures of quality.
    """
    two_judges = _judge(a) != _judge(b)
    names_a, names_b = ([variant.name for variant in report.variants] for report in (a, b))
    without_a, without_b = map(_without_file, (a, b))
    return {
        "a": _which(a),
        "b": _which(b),
        "warnings": _warnings(a, b),
        "two_judges": two_judges,
        "variants": {
            ours.name: _set_against(*map(_values, (ours, theirs)), two_judges=two_judges)
            for ours in a.variants
            if (theirs := b.variant(ours.name)) is not None
        },
        "without_file": {
            name: _set_against(ours, without_b[name], two_judges=two_judges)
            for name, ours in without_a.items()
            if name in without_b
        },
        "only_in_a": [name for name in names_a if name not in names_b],
        "only_in_b": [name for name in names_b if name not in names_a],
        "recipe": _differences(a.recipe, b.recipe),
    }


def _which(report: Report) -> dict[str, JsonValue]:
    return {
        "recipe": report.recipe_name,
        "seed": report.seed,
        "date": report.date,
        "pocketgan": report.pocketgan,
    }


Values = dict[str, float | None]
"""Value by the name of its column."""


def _values(variant: VariantReport) -> Values:
    return {column.name: column.read(variant).value for column in COLUMNS}


def _without_file(report: Report) -> dict[str, Values]:
    """What stands beside the variants, by name: the floor, a translator's trivial baseline."""
    measured = {wording_of(report).floor: report.floor}
    if report.trivial:
        measured[report.trivial.name] = report.trivial.quality
    return {
        name: {column.name: column.of_pictures(quality) for column in COLUMNS}
        for name, quality in measured.items()
    }


def _set_against(a: Values, b: Values, *, two_judges: bool) -> dict[str, Values]:
    """Each figure of both, and their ratio where it means something."""
    against = {}
    for column in COLUMNS:
        ours, theirs = a[column.name], b[column.name]
        comparable = not (two_judges and column.group == JUDGED)
        ratio = theirs / ours if comparable and ours and theirs is not None else None
        against[column.name] = {"a": ours, "b": theirs, "ratio": ratio}
    return against


def _differences(a: dict[str, JsonValue], b: dict[str, JsonValue]) -> dict[str, JsonValue]:
    ours, theirs = dict(leaves(a)), dict(leaves(b))
    return {
        key: {"a": ours.get(key), "b": theirs.get(key)}
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    }


def _warnings(a: Report, b: Report) -> list[str]:
    """Each difference of conditions, with the figures that it spoils."""
    machines = [_of_measurements(report, "device", "cpu") for report in (a, b)]
    runtimes = [_of_measurements(report, "runtime", "runtime_version") for report in (a, b)]
    conditions = (
        ("judges", _judge(a), _judge(b), "quality figures"),
        ("data", a.dataset.sha256, b.dataset.sha256, "quality figures"),
        ("numbers of samples", _samples(a), _samples(b), "quality figures"),
        ("numbers of samples of the floor", a.floor.samples, b.floor.samples, "floors"),
        ("machines", *machines, "speeds and memory"),
        ("runtimes", *runtimes, "speeds and memory"),
    )
    return [
        f"the {what} differ ({_brief(ours)} and {_brief(theirs)}): {spoiled} are not comparable"
        for what, ours, theirs, spoiled in conditions
        if ours != theirs
    ]


def _samples(report: Report) -> int:
    """Pictures of each file; where there are not so many to train on, the floor has fewer."""
    return report.variants[0].quality.samples


def _judge(report: Report) -> str:
    return f"{report.judge.name}, sha256 {report.judge.sha256[:10]}…"


def _of_measurements(report: Report, *fields: str) -> str:
    """What the measurements of this machine say of ``fields``, once each."""
    here = (m for v in report.variants for m in v.measurements if m.target == LOCAL)
    said = {" ".join(getattr(m, field) or "" for field in fields).strip() for m in here}
    return ", ".join(sorted(said - {""})) or "not told"


def _brief(value: str | int) -> str:
    """Of a hash its start."""
    text = str(value)
    return text if " " in text or len(text) < 64 else f"{text[:10]}…"


def render_comparison(comparison: dict[str, Any]) -> RenderableType:
    """The result of ``compare`` for the terminal; its last column says if b is better or worse."""
    a, b = comparison["a"], comparison["b"]
    parts: list[RenderableType] = [
        Text(f"{name}: {it['recipe']}, seed {it['seed']}, {it['date']}")
        for name, it in (("a", a), ("b", b))
    ]
    parts += [Text(f"Warning: {warning}", style="yellow") for warning in comparison["warnings"]]
    figures = comparison["variants"] | comparison["without_file"]
    parts += [
        _variant_table(name, them, two_judges=comparison["two_judges"])
        for name, them in figures.items()
    ]
    for key in ("only_in_a", "only_in_b"):
        if comparison[key]:
            parts.append(Text(f"\n{key.replace('_', ' ')}: {', '.join(comparison[key])}"))
    if comparison["recipe"]:
        table = _plain_table(Text("Recipe", style="bold"), "a", "b")
        for key, values in comparison["recipe"].items():
            table.add_row(Text(key), Text(str(values["a"])), Text(str(values["b"])))
        parts.append(table)
    return Group(*parts)


def _variant_table(
    name: str, figures: dict[str, dict[str, float | None]], *, two_judges: bool
) -> Table:
    table = _plain_table(Text(name, style="bold"), "a", "b", "b / a", "b is")
    for column in COLUMNS:
        figure = figures[column.name]
        if figure["a"] is None and figure["b"] is None:
            continue
        a, b = (NONE if it is None else column.write(it) for it in (figure["a"], figure["b"]))
        ratio = NONE if figure["ratio"] is None else number(figure["ratio"])
        equal_or_not_comparable = a == b or (two_judges and column.group == JUDGED)
        verdict = Text() if equal_or_not_comparable else _verdict(column.name, figure)
        table.add_row(column.label, a, b, ratio, verdict)
    return table


def _verdict(name: str, figure: dict[str, float | None]) -> Text:
    a, b = figure["a"], figure["b"]
    if a is None or b is None or a == b:
        return Text()
    is_better = BY_NAME[name].better(a, b) == b
    return Text("better", "green") if is_better else Text("worse", "red")


def _plain_table(first: Text, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(Text.assemble("\n", first), min_width=20)
    for heading in others:
        table.add_column(f"\n{heading}", justify="right")
    return table
