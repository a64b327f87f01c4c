from collections.abc import Callable

import pytest
from rich.console import Console

from deploy.jobs import Measurement
from pipeline.report.benchmark.advice import method, sentences
from pipeline.report.benchmark.grid import columns
from pipeline.report.benchmark.page import render, view
from pipeline.report.benchmark.schema import Benchmark, MeasuredFile
from pipeline.report.benchmark.terminal import render as on_terminal
from tests.deploy.npu_reports import CPU, npu_report

Make = Callable[..., Measurement]
Files = tuple[MeasuredFile, ...]
TARGET = "npu:ethos-u55-128"


@pytest.fixture
def compiled(measured: Make) -> tuple[Measurement, ...]:
    """float32, which stays on the CPU, and int8, which does not."""
    about = {"runtime": "ethos-u-vela", "runtime_version": "5.2.0"}
    return tuple(
        measured(TARGET, name, **about, npu=npu_report(flash, on_npu=name == "int8"))
        for name, flash in (("float32", 90_000), ("int8", 30_000))
    )


def test_npu_is_read_by_its_flash_and_estimates_stand_apart_from_times(
    compiled: tuple[Measurement, ...], files: Files
) -> None:
    [column] = columns(compiled, files, "float32")
    titles = [reading.headline.title for reading in column.readings if reading.headline]
    assert titles == ["flash", "SRAM", "compiler's estimate"]
    assert [reading.text("int8") for reading in column.readings] == [
        "30.0 kB (0.33×)",
        "6.00 kB",
        "0.800 ms",
    ]
    assert column.deciding is column.readings[0]
    assert not column.has_median
    assert column.readings[2].cells["float32"].reason == CPU
    shown = view(compiled, files, "float32", None)
    rows = [dict(zip((h.text for h in shown.headings), row, strict=True)) for _, row in shown.rows]
    assert [row["p50, ms"].text for row in rows] == ["–", "–"]
    assert [row["Compiler's estimate, ms"].text for row in rows] == ["–", "0.8"]
    assert rows[0]["Compiler's estimate, ms"].title == CPU


def test_advice_goes_by_flash_and_names_what_stays_on_the_cpu(
    compiled: tuple[Measurement, ...], files: Files
) -> None:
    said = sentences(columns(compiled, files, "float32"), files)
    assert f"{TARGET}: ship int8, 3× less flash than float32." in said
    assert (
        f"{TARGET}: float32: 2 of 3 operations stay on the CPU: Conv2D, Tanh "
        "(unsupported DataType Float32)."
    ) in said


def test_method_says_that_nothing_was_run_and_what_the_compiler_takes_for_granted(
    compiled: tuple[Measurement, ...],
) -> None:
    assert method(compiled, {"seed": 0}) == [
        "For ethos-u55-128 files were compiled, not run: ethos-u-vela 5.2.0 reckons with "
        "Ethos_U55_High_End_Embedded, Shared_Sram, 500 MHz, and estimates the time."
    ]


def test_page_and_terminal_mark_the_estimate(
    compiled: tuple[Measurement, ...], benchmark: Benchmark
) -> None:
    both = benchmark.model_copy(update={"measurements": (*benchmark.measurements, *compiled)})
    page = render(both)
    assert "a time that it\nestimates, as nothing was run" in page
    console = Console(width=80)
    with console.capture() as capture:
        console.print(on_terminal(both))
    assert "compiler's estimate, ms" in capture.get()


def test_other_targets_have_no_flash_with_the_reason(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    shown = view(measurements, files, "float32", None)
    flash = [heading.text for heading in shown.headings].index("Flash, bytes")
    assert {row[flash].title for _, row in shown.rows[:2]} == {"told of NPUs only"}
