"""``benchmark.html``: one file that holds everything and works from disk, light or dark."""

from pathlib import Path

from deploy.jobs import OperationCost
from pipeline.report.benchmark import charts
from pipeline.report.benchmark.grid import place
from pipeline.report.benchmark.method import method
from pipeline.report.benchmark.schema import Benchmark
from pipeline.report.benchmark.view import view
from pipeline.report.drawing import plots
from pipeline.report.page import render_page
from pipeline.report.tree import lines


def render(benchmark: Benchmark) -> str:
    """The page as text."""
    measurements = benchmark.measurements
    return render_page(
        Path(__file__).with_name("benchmark.html.j2"),
        benchmark=benchmark,
        view=view(measurements, benchmark.files, benchmark.baseline, benchmark.bandwidth),
        histograms=plots(
            (f"{m.variant} on {place(m.target, m.threads)}", charts.histogram(m))
            for m in measurements
        ),
        profiles=plots(
            (name, charts.profile(name, costs)) for name, costs in _profiles(benchmark).items()
        ),
        machine=lines(benchmark.machine, none="not told"),
        plan=lines(benchmark.plan, none="none"),
        method=method(measurements, benchmark.plan),
    )


def _profiles(benchmark: Benchmark) -> dict[str, tuple[OperationCost, ...]]:
    """What each operation costs: as the target itself says, else by prefixes."""
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
