import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from deploy.jobs import Measurement
from pipeline.benchmarks.grid import columns
from pipeline.benchmarks.schema import Benchmark
from pipeline.benchmarks.terminal import render, table


def test_terminal_shows_sizes_grid_and_sentences(benchmark: Benchmark) -> None:
    text = io.StringIO()
    Console(width=120, file=text).print(render(benchmark, Path("out/benchmark.html")))
    for part in (
        "4,000",
        "1.68",
        "0.77×",
        "instructions, M",
        "• local: ship int8",
        "benchmark.html",
    ):
        assert part in text.getvalue()


def test_seven_files_fit_into_a_narrow_terminal(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    names = (
        "float32",
        "float16",
        "dynamic-range",
        "int8-ptq",
        "pruned-float32",
        "int8-qat",
        "int8",
    )
    files = tuple(benchmark.files[0].model_copy(update={"name": name}) for name in names)
    figures = tuple(measured("arm:cortex-a53", name, instructions=4_915_300) for name in names)
    wide = benchmark.model_copy(update={"files": files, "measurements": figures})
    text = io.StringIO()
    Console(width=80, file=text).print(table(columns(figures, names, "float32"), wide))
    assert text.getvalue().count("4.92") == len(names)
