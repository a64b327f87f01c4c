import re
from collections.abc import Callable

from deploy.jobs import Histogram, Measurement, OperationCost
from pipeline.report.benchmark import charts
from pipeline.report.benchmark.grid import columns
from pipeline.report.benchmark.schema import MeasuredFile

Make = Callable[..., Measurement]


def bars(chart: str) -> list[float]:
    """Widths of the bars of a chart, in its points."""
    bar = r'<path d="M ([\d.]+) [\d.]+ +L ([\d.]+)[^"]*"[^>]*fill: var\(--(?:accent|ghost)\)'
    return [float(right) - float(left) for left, right in re.findall(bar, chart)]


def chart(measured: Make, files: tuple[MeasuredFile, ...], p99_ms: float) -> str:
    both = [measured("local", f.name, p50_ms=0.9, p90_ms=1.0, p99_ms=p99_ms) for f in files]
    chart = charts.target(columns(both, files, "float32")[0])
    assert chart is not None
    return chart


def test_tail_far_beyond_the_bars_is_written_and_leaves_them_their_length(
    measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    near, far = chart(measured, files, 1.2), chart(measured, files, 50.0)
    assert "p99 50.0" in far
    assert "p99" not in re.sub("<desc.*?</desc>", "", near)
    assert max(bars(far)) > 0.6 * max(bars(near)) > 0


def test_operations_of_one_kind_and_a_long_layer_are_told_apart() -> None:
    layer = "generator/separable_conv2d_14"
    costs = [
        OperationCost(operation=operation, layer=f"{layer}_{part}", cost=1.0, unit="ms")
        for operation, part in (("DEPTHWISE_CONV_2D", "depthwise"), ("CONV_2D", "pointwise"))
    ]
    chart = charts.profile("int8 on local", costs)
    assert chart is not None
    rows = re.findall(r">(\d [^<]*conv2d_14_\w+)<", chart)
    assert [row.split()[1] for row in rows] == ["DEPTHWISE_CONV_2D", "CONV_2D"]


def test_one_thread_is_not_counted(measured: Make) -> None:
    times = Histogram(edges_ms=(1.0, 2.0), counts=(3,))
    chart = charts.histogram(measured("local", "int8", p50_ms=1.5, histogram=times))
    assert chart is not None
    assert "int8 on local<" in chart
