"""The page of `pocketgan check`: layers, trial files and the verdict, for a rich console."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.errors import printable
from pipeline.consoles import cell
from pipeline.importers.layer_report import Check, LayerOutcome, LayerReport, TrialFile
from pipeline.networks.pixels import PixelRange
from pipeline.report.gpu import reasons_in_words

MOST_ROWS = 40
"""From here on layers with one fate are shown by their types; --json has each."""
_STYLES = {
    LayerOutcome.REWRITTEN: "yellow",
    LayerOutcome.REPLACED: "red",
}


def render(check: Check) -> RenderableType:
    """The whole page; its last line is the verdict."""
    style = "bold green" if check.slimming else "bold yellow"
    return Group(
        _facts(check),
        _layers(_gathered(check.layers)),
        _footnotes(check.layers),
        _files(check.files),
        *_operations(check.files),
        *_remedies(check.layers),
        Text(f"{check.path} {check.verdict}.", style=style),
    )


def _facts(check: Check) -> Table:
    draws = _pictures(check.output_shape, check.pixels)
    lines = [("file", check.origin), ("reads", _reads(check)), ("draws", draws)]
    grid = Table.grid(padding=(0, 2))
    for name, line in [*lines, *(("note", note) for note in check.notes)]:
        grid.add_row(Text(name, style="bold"), cell(line))
    return grid


def _reads(check: Check) -> str:
    if not check.latent:
        whole = _pictures(check.input_shape, check.input_pixels or (0, 0))
        if len(check.inputs) < 2:
            return whole
        names = ", ".join(
            f"{part.kind} '{printable(part.name)}' {part.size}" for part in check.inputs
        )
        return f"{whole}: {names}"
    latents = f"{check.latent} latents"
    return f"{latents} and a class of {check.classes}, one-hot" if check.classes else latents


def _pictures(shape: Sequence[int | None], pixels: PixelRange) -> str:
    """The width first, as options have it; ``shape``: (height, width, channels)."""
    (height, width, channels), (low, high) = shape, pixels
    size = f"{_shape((width, height))}, {channels} channel{'s' if channels != 1 else ''}"
    return f"pictures {size}, black {low:g}, white {high:g}"


def _layers(layers: Sequence[LayerReport]) -> Table:
    """Reasons are long, and many layers share one: they stand below, by number."""
    numbers = {reason: n for n, reason in enumerate(_reasons(layers), start=1)}
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("type", overflow="fold")
    table.add_column("output", no_wrap=True)
    table.add_column("weights", justify="right", no_wrap=True)
    table.add_column("what happens", no_wrap=True)
    for layer in layers:
        number = f" [{numbers[layer.reason]}]" if layer.reason else ""
        style = _STYLES.get(layer.outcome, "green")
        table.add_row(
            cell(layer.name),
            cell(layer.type),
            _shape(layer.shape[1:]),
            f"{layer.weights:,}" if layer.weights else "",
            Text(f"{layer.outcome.value.split()[0]}{number}", style=style),
        )
    return table


def _gathered(layers: Sequence[LayerReport]) -> Sequence[LayerReport]:
    """The layers; of many that all meet with the same, one a type."""
    if len(layers) <= MOST_ROWS or len({(layer.outcome, layer.reason) for layer in layers}) > 1:
        return layers
    by_type: dict[str, list[LayerReport]] = {}
    for layer in layers:
        by_type.setdefault(layer.type, []).append(layer)
    return [
        replace(
            first,
            name=f"{first.name} and {len(further)} more" if further else first.name,
            shape=first.shape if not further else (),
            weights=sum(layer.weights for layer in (first, *further)),
        )
        for first, *further in by_type.values()
    ]


def _reasons(layers: Sequence[LayerReport]) -> list[str]:
    return list(dict.fromkeys(layer.reason for layer in layers if layer.reason))


def _footnotes(layers: Sequence[LayerReport]) -> Table:
    grid = Table.grid(padding=(0, 1))
    for number, reason in enumerate(_reasons(layers), start=1):
        grid.add_row(Text(f"[{number}]"), cell(reason))
    return grid


def _files(files: Sequence[TrialFile]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("as it is")
    for column in ("bytes", "gzip", "MACs", "operations", "float", "not XNNPACK"):
        table.add_column(column, justify="right", no_wrap=not column.startswith("not"))
    for file in files:
        if file.error:
            table.add_row(file.variant, Text("–"))
            continue
        is_int8 = file.variant.startswith("int8")
        figures = (
            f"{file.bytes:,}",
            f"{file.bytes_gzip:,}",
            f"{file.macs:,}",
            str(file.operations),
            str(len(file.float_ops)) if is_int8 else "all",
            str(len(file.outside_xnnpack)),
        )
        table.add_row(file.variant, *figures)
    return table


def _operations(files: Sequence[TrialFile]) -> list[Text]:
    lines = []
    for file in files:
        if file.error:
            lines.append(f"{file.variant} cannot be made of it: {file.error}")
        if file.float_ops:
            lines.append(f"{file.variant}, in float: {_listed(file.float_ops)}")
        if file.outside_xnnpack:
            lines.append(f"{file.variant}, not run by XNNPACK: {_listed(file.outside_xnnpack)}")
        if file.left_by_gpu:
            reasons = reasons_in_words(file.left_by_gpu)
            lines.append(f"{file.variant}, left to the CPU by LiteRT's GPU delegate: {reasons}")
    return [Text(line) for line in [*lines, *([""] if lines else [])]]


def _remedies(layers: Sequence[LayerReport]) -> list[Text]:
    remedies = dict.fromkeys(layer.remedy for layer in layers if layer.remedy)
    lines = [f"  {remedy}" for remedy in remedies]
    return [Text(line) for line in ["To have it slimmed too:", *lines, ""]] if lines else []


def _listed(names: Sequence[str]) -> str:
    """Each operation once: how often it occurs, and where first."""
    operations = Counter(name.split(" in ")[0] for name in names)
    first = {name.split(" in ")[0]: name for name in reversed(names)}
    return ", ".join(
        first[operation] + (f" and {times - 1} more" if times > 1 else "")
        for operation, times in operations.items()
    )


def _shape(shape: Sequence[int | None]) -> str:
    return "×".join("?" if size is None else str(size) for size in shape)
