"""``benchmark.html``: one file that holds everything and works from disk, light or dark."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import pipeline.report
from deploy.jobs import OperationCost
from pipeline.report.benchmark import charts
from pipeline.report.benchmark.grid import place
from pipeline.report.benchmark.method import method
from pipeline.report.benchmark.schema import Benchmark
from pipeline.report.benchmark.view import Plot, view
from pipeline.report.quantities import number
from pipeline.report.tree import lines

_HERE = Path(__file__).parent
_REPORT = Path(pipeline.report.__file__).parent


def render(benchmark: Benchmark) -> str:
    """The page as text; refers to nothing outside itself."""
    environment = Environment(
        loader=FileSystemLoader([_HERE, _REPORT]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    seen = view(benchmark.measurements, benchmark.files, benchmark.baseline, benchmark.bandwidth)
    histograms = [
        Plot(f"{m.variant} on {place(m.target, m.threads)}", Markup(chart))
        for m in benchmark.measurements
        if (chart := charts.histogram(m))
    ]
    profiles = [
        Plot(name, Markup(chart))
        for name, costs in _profiles(benchmark).items()
        if (chart := charts.profile(name, costs))
    ]
    return environment.get_template("benchmark.html.j2").render(
        benchmark=benchmark,
        style=Markup((_REPORT / "page.css").read_text(encoding="utf-8")),
        seen=seen,
        histograms=histograms,
        profiles=profiles,
        machine=lines(benchmark.machine, none="not told"),
        plan=lines(benchmark.plan, none="none"),
        method=method(benchmark.measurements, benchmark.plan),
    )


def _profiles(benchmark: Benchmark) -> dict[str, tuple[OperationCost, ...]]:
    """What each operation costs: as the target itself tells, else as prefixes told."""
    cut = {
        f"{name} on {target}": costs
        for target, by_file in benchmark.profiles.items()
        for name, costs in by_file.items()
    }
    own = {
        f"{m.variant} on {place(m.target, m.threads)}": m.profile
        for m in benchmark.measurements
        if m.profile
    }
    return cut | own
