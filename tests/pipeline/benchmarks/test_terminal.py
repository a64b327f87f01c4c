import io
from pathlib import Path

from rich.console import Console

from pipeline.benchmarks.schema import Benchmark
from pipeline.benchmarks.terminal import render


def test_terminal_shows_sizes_grid_and_sentences(benchmark: Benchmark) -> None:
    text = io.StringIO()
    Console(width=120, file=text).print(render(benchmark, Path("out/benchmark.html")))
    for part in ("4,000", "1.68 M (0.77×)", "• local: ship int8", "out/benchmark.html"):
        assert part in text.getvalue()
