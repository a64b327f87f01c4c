from collections.abc import Callable

from deploy.jobs import Measurement
from pipeline.benchmarks.grid import columns, times_of

NAMES = ["float32", "int8"]


def test_each_target_is_read_by_the_figure_that_means_something_there(
    measurements: tuple[Measurement, ...],
) -> None:
    grid = columns(measurements, NAMES, "float32")
    assert [(c.title, c.headline.field if c.headline else None) for c in grid] == [
        ("local", "p90_ms"),
        ("arm:cortex-a53", "instructions"),
        ("arm:cortex-a76", "instructions"),
        ("micro", "arena_bytes"),
    ]
    assert [c.text("int8") for c in grid] == [
        "0.0420 ms (0.20×)",
        "3.38 M (1.31×)",
        "1.68 M (0.77×)",
        "36.8 kB",
    ]
    assert [c.best() for c in grid] == ["int8", "float32", "int8", "int8"]


def test_failed_measurement_is_a_dash_with_its_reason(
    measurements: tuple[Measurement, ...],
) -> None:
    micro = columns(measurements, NAMES, "float32")[-1]
    assert micro.text("float32") == "–"
    assert "SIGSEGV" in micro.cells["float32"].reason
    assert micro.cells["int8"].ratio is None


def test_threads_are_columns_of_their_own(measured: Callable[..., Measurement]) -> None:
    both = [measured("local", "int8", p90_ms=0.1, threads=n) for n in (1, 2)]
    assert [c.title for c in columns(both, ["int8"], "int8")] == ["local", "local, 2 threads"]


def test_file_that_was_not_measured_somewhere_says_so(
    measured: Callable[..., Measurement],
) -> None:
    (column,) = columns([measured("local", "int8", p90_ms=0.1)], NAMES, "float32")
    assert column.cells["float32"].reason == "not measured"
    assert column.cells["int8"].ratio is None


def test_target_where_nothing_worked_has_no_headline(
    measured: Callable[..., Measurement],
) -> None:
    (column,) = columns([measured("local", "int8", error="gone")], ["int8"], "int8")
    assert column.headline is None
    assert column.best() is None
    assert column.cells["int8"].reason == "gone"


def test_ratios_are_written_for_reading() -> None:
    assert [times_of(ratio) for ratio in (0.2049, 1.305, 14.2)] == ["0.20×", "1.30×", "14×"]
