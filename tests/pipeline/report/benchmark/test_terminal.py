import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from deploy.jobs import Measurement, Sustained
from pipeline.report.benchmark.grid import columns
from pipeline.report.benchmark.schema import Benchmark
from pipeline.report.benchmark.terminal import render, sizes, table
from pipeline.report.quantities import NONE
from pipeline.variants import VARIANTS


def test_terminal_shows_sizes_grid_and_sentences(benchmark: Benchmark) -> None:
    text = io.StringIO()
    Console(width=120, file=text).print(render(benchmark, Path("out/benchmark.html")))
    for part in (
        "4,000",
        "1.68",
        "0.77×",
        "instructions, M",
        "• local, by the median: ship int8",
        "benchmark.html",
    ):
        assert part in text.getvalue()


def test_seven_files_fit_into_a_narrow_terminal(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    names = VARIANTS[:7]
    files = tuple(benchmark.files[0].model_copy(update={"name": name}) for name in names)
    figures = tuple(measured("arm:cortex-a53", name, instructions=4_915_300) for name in names)
    wide = benchmark.model_copy(update={"files": files, "measurements": figures})
    text = io.StringIO()
    Console(width=80, file=text).print(table(columns(figures, files, "float32"), wide))
    assert text.getvalue().count("4.92") == len(names)
    assert "instructions, M" in text.getvalue()


def printed(renderable: RenderableType, width: int = 80) -> str:
    text = io.StringIO()
    Console(width=width, file=text).print(renderable)
    return text.getvalue()


def test_sizes_of_big_files_keep_every_digit_in_a_narrow_terminal(benchmark: Benchmark) -> None:
    sizes_of = {
        "bytes": 167_772_161,
        "bytes_gzip": 123_456_789,
        "bytes_zstd": 119_999_999,
        "parameters": 41_943_041,
        "macs": 16_777_216_001,
        "float_ops": 128,
    }
    big = benchmark.files[0].model_copy(update={"name": "generator-of-faces", **sizes_of})
    text = printed(sizes(benchmark.model_copy(update={"files": (big,)})))
    for figure in sizes_of.values():
        assert f"{figure:,}" in text


@pytest.mark.parametrize(
    ("name", "read"),
    [("gen[a]", "gen[a]"), ("x[/y]", "x[/y]"), ("a\nb", r"a\nb"), ("\x1b[31mr", r"\x1b[31mr")],
)
def test_hostile_names_are_only_text(name: str, read: str, benchmark: Benchmark) -> None:
    file = benchmark.files[0].model_copy(update={"name": name})
    named = benchmark.model_copy(update={"files": (file, benchmark.files[1]), "baseline": name})
    text = printed(render(named), width=200)
    assert text.count(read) >= 3
    assert name == read or name not in text


def test_the_best_has_a_sign_where_nothing_is_bold(benchmark: Benchmark) -> None:
    text = printed(render(benchmark))
    assert "*: the best, and what is as good" in text
    assert "*0.0400" in text
    assert "*0.200" not in text


def test_untrusted_figures_are_marked_and_yellow(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    wide = (measured("local", "int8", p50_ms=0.1, p90_ms=0.2, spread=0.5),)
    grid = columns(wide, benchmark.files, "float32")
    text = io.StringIO()
    Console(width=80, file=text, force_terminal=True, color_system="standard").print(
        table(grid, benchmark)
    )
    assert "\x1b[33m~0.200" in text.getvalue()


def test_throughput_memory_and_slowdown_stand_below_a_timed_target(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    held = Sustained(seconds=60, stretch_s=30, runs=9, first_ms=0.1, last_ms=0.15)
    figures = (
        measured("local", "int8", p90_ms=0.2, per_second=5000, peak_rss_kb=2000, sustained=held),
    )
    text = printed(table(columns(figures, benchmark.files, "float32"), benchmark))
    for line in ("a second", "5000", "memory, MB", "2.05", "slowdown, ×", "1.50"):
        assert line in text


def test_energy_stands_in_a_row_and_a_dash_has_its_reason_below(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    board = measured("ssh:pi@board", "int8", p90_ms=0.2, energy_mj=1.25, energy_source="INA226")
    here = measured("local", "int8", p90_ms=0.2)
    here = here.model_copy(update={"absent": {**here.absent, "energy_mj": "no meter"}})
    both = benchmark.model_copy(update={"measurements": (board, here)})
    text = " ".join(printed(render(both)).split())
    assert f"energy, mJ {NONE} 1.25" in text
    assert f"energy, mJ {NONE} {NONE}" in text
    assert "No energy from local: no meter." in text
    assert "what is drawn at rest included, by INA226 on ssh:pi@board." in text


def test_energy_that_nobody_looked_for_has_no_row(benchmark: Benchmark) -> None:
    assert "energy" not in printed(render(benchmark))


def test_few_runs_are_not_called_what_mlperf_asks_for(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    few = benchmark.model_copy(
        update={"measurements": (measured("local", "int8", p50_ms=1, p90_ms=1, runs=64),)}
    )
    text = " ".join(printed(render(few)).split())
    assert "64 of each file. MLPerf's single stream asks for 1,024 or more" in text
