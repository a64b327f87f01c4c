from collections.abc import Callable

from deploy.jobs import Agreement, Measurement
from pipeline.benchmarks.advice import sentences
from pipeline.benchmarks.grid import columns
from pipeline.benchmarks.schema import File

Files = tuple[File, ...]


def told(measurements: tuple[Measurement, ...], files: Files) -> list[str]:
    grid = columns(measurements, [file.name for file in files], "float32")
    return sentences(grid, files, "float32")


def test_each_target_is_told_what_to_ship_and_what_it_gains(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    said = told(measurements, files)
    assert "local: ship int8, 5× faster than float32." in said
    assert "arm:cortex-a53: ship float32." in said
    assert "arm:cortex-a76: ship int8, 1.3× fewer instructions than float32." in said


def test_core_on_which_int8_costs_more_is_named_with_the_reason(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    warnings = [s for s in told(measurements, files) if "costs" in s]
    assert warnings == [
        "arm:cortex-a53: int8 costs 1.31× the instructions of float32 (this core has no "
        "dot-product instruction): there int8 buys bytes and memory, not speed."
    ]


def test_outputs_are_compared_in_words(measurements: tuple[Measurement, ...], files: Files) -> None:
    said = told(measurements, files)
    assert (
        "arm:cortex-a53: int8 drew bit for bit what this machine draws; float32 lies within "
        "2e-06 of it." in said
    )
    assert "micro: int8 lies at most one step (in 0.25% of the values) from it." in said


def test_failures_come_last_with_the_files_they_hit(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    assert told(measurements, files)[-1] == "micro: the agent was ended by SIGSEGV (float32)"


def test_of_files_that_are_equally_fast_the_smallest_ships(
    measured: Callable[..., Measurement], files: Files
) -> None:
    alike = (
        measured("local", "float32", p50_ms=0.098, p90_ms=0.100),
        measured("local", "int8", p50_ms=0.100, p90_ms=0.102),
    )
    (sentence,) = told(alike, files)
    assert sentence.startswith("local: ship int8, as fast as float32; float32 is as good")


def test_choice_goes_by_the_median_where_a_neighbour_moved_the_percentile(
    measured: Callable[..., Measurement], files: Files
) -> None:
    visited = (
        measured("local", "float32", p50_ms=0.10, p90_ms=0.11),
        measured("local", "int8", p50_ms=0.05, p90_ms=0.15),
    )
    assert told(visited, files) == ["local: ship int8, 2× faster than float32."]


def test_int8_that_needs_more_arena_is_said_to_buy_no_memory(
    measured: Callable[..., Measurement], files: Files
) -> None:
    grown = (
        measured("micro", "float32", arena_bytes=1000),
        measured("micro", "int8", arena_bytes=1600),
    )
    (warning,) = [sentence for sentence in told(grown, files) if "costs" in sentence]
    assert warning.endswith("there int8 buys bytes, not memory.")


def test_target_where_nothing_was_measured_says_why(
    measured: Callable[..., Measurement], files: Files
) -> None:
    broken = tuple(measured("micro", file.name, error="no such operation") for file in files)
    assert told(broken, files)[0] == "micro: nothing could be measured (no such operation)."


def test_target_that_draws_as_the_desktop_without_xnnpack_says_so(
    measured: Callable[..., Measurement], files: Files
) -> None:
    apart = Agreement(reference="local", equal=False, largest=3, share=0.01, within_one=0.999)
    same = Agreement(reference="local:plain", equal=True, largest=0, share=0)
    one = measured("micro", "int8", arena_bytes=9, agreement=apart, plain_agreement=same)
    assert (
        "micro: int8 lies at most 3 steps (99.90% of the values within one) from it; int8 drew "
        "bit for bit what this machine draws without XNNPACK." in told((one,), files)
    )
