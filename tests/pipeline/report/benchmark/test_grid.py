from collections.abc import Callable
from typing import Any

import pytest

from deploy.jobs import Measurement
from pipeline.report.benchmark.grid import columns, comparable, times_of
from pipeline.report.benchmark.schema import MeasuredFile

Make = Callable[..., Measurement]
Files = tuple[MeasuredFile, ...]


def test_each_target_is_read_by_the_figure_that_means_something_there(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    grid = columns(measurements, files, "float32")
    assert [(c.title, c.headline.name if c.headline else None) for c in grid] == [
        ("local", "p90_ms"),
        ("arm:cortex-a53", "instructions"),
        ("arm:cortex-a76", "instructions"),
        ("micro", "arena_bytes"),
    ]
    assert [c.readings[0].text("int8") for c in grid] == [
        "0.0420 ms (0.20×)",
        "3.38 M (1.31×)",
        "1.68 M (0.77×)",
        "36.8 kB",
    ]
    assert [c.best() for c in grid] == [["int8"], ["float32"], ["int8"], ["int8"]]


def test_failed_measurement_is_a_dash_with_its_reason(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    micro = columns(measurements, files, "float32")[-1]
    assert micro.readings[0].text("float32") == "–"
    assert "SIGSEGV" in micro.cells["float32"].reason
    assert micro.cells["int8"].ratio is None


def test_threads_are_columns_of_their_own(measured: Make, files: Files) -> None:
    both = [measured("local", "int8", p90_ms=0.1, threads=n) for n in (1, 2)]
    assert [c.title for c in columns(both, files, "int8")] == ["local", "local, 2 threads"]


def test_file_that_was_not_measured_somewhere_says_so(measured: Make, files: Files) -> None:
    (column,) = columns([measured("local", "int8", p90_ms=0.1)], files, "float32")
    assert column.cells["float32"].reason == "not measured"
    assert column.cells["int8"].ratio is None


def test_target_where_nothing_worked_has_no_headline(measured: Make, files: Files) -> None:
    (column,) = columns([measured("local", "int8", error="gone")], files, "int8")
    assert column.headline is None
    assert column.best() == []
    assert column.cells["int8"].reason == "gone"


def test_ratios_are_written_for_reading() -> None:
    assert [times_of(ratio) for ratio in (0.2049, 1.305, 14.2)] == ["0.20×", "1.30×", "14×"]


def test_median_stands_below_the_headline_and_decides_which_is_best(
    measured: Make, files: Files
) -> None:
    visited = [
        measured("local", "float32", p50_ms=0.10, p90_ms=0.11),
        measured("local", "int8", p50_ms=0.05, p90_ms=0.15),
    ]
    (column,) = columns(visited, files, "float32")
    assert [reading.text("int8") for reading in column.readings] == [
        "~0.150 ms (1.36×)",
        "0.0500 ms (0.50×)",
    ]
    assert column.best() == ["int8"]


def test_files_that_differ_little_or_no_more_than_their_rounds_are_all_best(
    measured: Make, files: Files
) -> None:
    def best(int8_ms: float, spread: float) -> list[str]:
        both = [
            measured("local", "float32", p50_ms=0.100, p90_ms=0.2, spread=0.01),
            measured("local", "int8", p50_ms=int8_ms, p90_ms=0.2, spread=spread),
        ]
        return columns(both, files, "float32")[0].best()

    assert best(0.098, 0.01) == ["float32", "int8"]
    assert best(0.080, 0.30) == ["float32", "int8"]
    assert best(0.080, 0.01) == ["int8"]


def test_figure_whose_rounds_lie_far_apart_is_marked_with_the_reason(
    measured: Make, files: Files
) -> None:
    wide = [measured("local", "int8", p50_ms=0.1, p90_ms=0.2, spread=0.33)]
    (column,) = columns(wide, files, "float32")
    assert [reading.text("int8") for reading in column.readings] == ["~0.200 ms", "~0.100 ms"]
    assert "33% apart" in column.cells["int8"].doubt


def test_percentile_far_above_the_median_is_marked_and_the_median_is_not(
    measured: Make, files: Files
) -> None:
    visited = [
        measured("local", "float32", p50_ms=0.1, p90_ms=0.2, spread=0.02),
        measured("local", "int8", p50_ms=0.1, p90_ms=0.21, spread=0.02),
    ]
    (column,) = columns(visited, files, "none")
    percentiles, medians = ([r.figure(name) for name in r.cells] for r in column.readings)
    assert (percentiles, medians) == (["0.200", "~0.210"], ["0.100", "0.100"])
    assert "others worked meanwhile" in column.cells["int8"].doubt


def test_second_opinion_keeps_its_two_decimals_and_chooses_nothing(
    measured: Make, files: Files
) -> None:
    rounded = [
        measured("litert-benchmark", "float32", p50_ms=0.465),
        measured("litert-benchmark", "int8", p50_ms=0.09),
    ]
    (column,) = columns(rounded, files, "float32")
    assert column.readings[0].text("int8") == "0.09 ms (0.19×)"
    assert column.best() == []


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"macs": 4_800_000}, True),
        ({"macs": 4_900_000}, False),
        ({"output_shapes": ((1, 32, 32, 3),)}, False),
        ({"macs": None, "input_shapes": (), "output_shapes": ()}, True),  # could not be read
    ],
)
def test_variants_of_one_generator_have_its_shapes_and_about_its_work(
    changes: dict[str, Any], same: bool, files: Files, measured: Make
) -> None:
    others = (files[0], files[1].model_copy(update=changes))
    assert comparable(others) is same
    both = [measured("local", file.name, p90_ms=0.1) for file in files]
    (column,) = columns(both, others, "float32")
    assert (column.cells["int8"].ratio is not None) is same
    assert bool(column.best()) is same


def test_one_file_has_no_ratio_to_itself(measured: Make, files: Files) -> None:
    (column,) = columns([measured("local", "int8", p90_ms=0.1)], files[1:], "int8")
    assert column.readings[0].text("int8") == "0.100 ms"
    assert not column.chooses
