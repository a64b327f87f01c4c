from collections.abc import Callable

import pytest

from deploy.jobs import Agreement, Measurement
from pipeline.report.benchmark.advice import NOT_COMPARED, WEIGHED, limit_of, method, sentences
from pipeline.report.benchmark.grid import columns
from pipeline.report.benchmark.schema import MeasuredFile

Files = tuple[MeasuredFile, ...]


def advice(measurements: tuple[Measurement, ...], files: Files) -> list[str]:
    return sentences(columns(measurements, files, "float32"), files)


def test_each_target_is_told_what_to_ship_and_what_it_gains(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    said = advice(measurements, files)
    assert "local, by the median: ship int8, 5× faster than float32." in said
    assert "arm:cortex-a53: ship float32." in said
    assert "arm:cortex-a76: ship int8, 1.3× fewer instructions than float32." in said


def test_core_on_which_int8_costs_more_is_named_with_the_reason(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    warnings = [s for s in advice(measurements, files) if "costs" in s]
    assert warnings == [
        "arm:cortex-a53: int8 costs 1.31× the instructions of float32 (this core has no "
        "dot-product instruction): there int8 buys bytes and memory, not speed."
    ]


def test_outputs_are_compared_in_words(measurements: tuple[Measurement, ...], files: Files) -> None:
    said = advice(measurements, files)
    assert (
        "arm:cortex-a53: int8 drew bit for bit what this machine draws; float32 lies within "
        "2e-06 of it." in said
    )
    assert (
        "micro: int8 lies at most one step (in 0.25% of the values) from what this machine draws."
        in said
    )


def test_failures_come_last_with_the_files_they_hit(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    assert advice(measurements, files)[-1] == "micro: the agent was ended by SIGSEGV (float32)"


def test_of_files_that_are_equally_fast_the_smallest_ships(
    measured: Callable[..., Measurement], files: Files
) -> None:
    alike = (
        measured("local", "float32", p50_ms=0.098, p90_ms=0.100),
        measured("local", "int8", p50_ms=0.100, p90_ms=0.102),
    )
    assert advice(alike, files)[0].startswith(
        "local, by the median: ship int8, as fast as float32; float32 is as good"
    )


def test_choice_goes_by_the_median_where_a_neighbour_moved_the_percentile(
    measured: Callable[..., Measurement], files: Files
) -> None:
    visited = (
        measured("local", "float32", p50_ms=0.10, p90_ms=0.11),
        measured("local", "int8", p50_ms=0.05, p90_ms=0.15),
    )
    doubt, choice = advice(visited, files)[:2]
    assert doubt.endswith("as the 90th percentile is above 2 medians: int8 on local.")
    assert choice == "local, by the median: ship int8, 2× faster than float32."


def test_int8_that_needs_more_arena_is_said_to_buy_no_memory(
    measured: Callable[..., Measurement], files: Files
) -> None:
    grown = (
        measured("micro", "float32", arena_bytes=1000),
        measured("micro", "int8", arena_bytes=1600),
    )
    (warning,) = [sentence for sentence in advice(grown, files) if "costs" in sentence]
    assert warning.endswith("there int8 buys bytes, not memory.")


def test_target_where_nothing_was_measured_says_why_and_says_it_once(
    measured: Callable[..., Measurement], files: Files
) -> None:
    broken = tuple(measured("micro", file.name, error="no such operation") for file in files)
    assert advice(broken, files) == ["micro: nothing could be measured (no such operation)."]


def test_target_that_draws_as_the_desktop_without_xnnpack_says_so(
    measured: Callable[..., Measurement], files: Files
) -> None:
    apart = Agreement(reference="local", equal=False, largest=3, share=0.01, within_one=0.999)
    same = Agreement(reference="local:plain", equal=True, largest=0, share=0)
    one = measured("micro", "int8", arena_bytes=9, agreement=apart, plain_agreement=same)
    assert (
        "micro: int8 lies at most 3 steps (99.90% of the values within one) from what this machine "
        "draws; int8 drew bit for bit what this machine draws without XNNPACK."
        in advice((one,), files)
    )


def test_files_that_the_rounds_cannot_tell_apart_are_not_advised(
    measured: Callable[..., Measurement], files: Files
) -> None:
    noisy = (
        measured("local", "float32", p50_ms=0.100, p90_ms=0.110, spread=0.02),
        measured("local", "int8", p50_ms=0.080, p90_ms=0.130, spread=0.30),
    )
    said = advice(noisy, files)
    assert said[0] == (
        "Not to be trusted (marked ~), as the rounds' medians lie more than 10% apart: "
        "int8 on local."
    )
    assert said[1] == (
        "local, by the median: int8 and float32 cannot be told apart (they differ by 25%, their "
        "rounds by 30%); int8 is the smaller file."
    )
    assert not any("ship" in sentence for sentence in said)


def test_difference_beyond_the_spread_of_the_rounds_is_advised(
    measured: Callable[..., Measurement], files: Files
) -> None:
    noisy = (
        measured("local", "float32", p50_ms=0.40, p90_ms=0.5, spread=0.02),
        measured("local", "int8", p50_ms=0.08, p90_ms=0.1, spread=0.30),
    )
    assert "local, by the median: ship int8, 5× faster than float32." in advice(noisy, files)


def test_int8_within_the_spread_of_the_rounds_is_not_called_dearer(
    measured: Callable[..., Measurement], files: Files
) -> None:
    noisy = (
        measured("local", "float32", p50_ms=0.10, p90_ms=0.2, spread=0.3),
        measured("local", "int8", p50_ms=0.12, p90_ms=0.2, spread=0.1),
    )
    assert not any("costs" in sentence for sentence in advice(noisy, files))


@pytest.mark.parametrize(
    ("target", "runtime", "why"),
    [
        ("arm:cortex-a53", "ai-edge-litert", "this core has no dot-product instruction"),
        ("arm:cortex-a76", "ai-edge-litert", None),
        ("arm:cortex-a76:tflite-runtime", "tflite-runtime", "without XNNPACK"),
        ("arm:cortex-a15", "tflite-runtime", "without XNNPACK"),
    ],
)
def test_reason_for_slow_int8_is_given_where_it_is_known(
    target: str,
    runtime: str,
    why: str | None,
    measured: Callable[..., Measurement],
    files: Files,
) -> None:
    slow = (
        measured(target, "float32", instructions=1000, runtime=runtime),
        measured(target, "int8", instructions=1500, runtime=runtime),
    )
    (warning,) = [sentence for sentence in advice(slow, files) if "costs" in sentence]
    assert ("(" in warning) is (why is not None)
    assert (why or "") in warning


def test_one_file_is_stated_and_not_advised(
    measured: Callable[..., Measurement], files: Files
) -> None:
    alone = (measured("local", "int8", p50_ms=0.04, p90_ms=0.05),)
    assert advice(alone, files[1:]) == ["local: int8 0.0400 ms (p50)."]


def test_files_of_several_generators_are_stated_and_not_compared(
    measured: Callable[..., Measurement], files: Files
) -> None:
    both = (
        measured("arm:cortex-a53", "float32", instructions=9_000_000),
        measured("arm:cortex-a53", "int8", instructions=1_000_000),
    )
    other = (files[0].model_copy(update={"output_shapes": ((1, 64, 64, 3),)}), files[1])
    assert advice(both, other) == [
        NOT_COMPARED,
        "arm:cortex-a53: float32 9.00 M, int8 1.00 M (instructions).",
    ]


def test_second_opinion_advises_nothing(measured: Callable[..., Measurement], files: Files) -> None:
    rounded = tuple(measured("litert-benchmark", file.name, p50_ms=0.1) for file in files)
    assert advice(rounded, files) == []


def test_what_the_advice_leaves_out_is_said_once(
    measurements: tuple[Measurement, ...], files: Files
) -> None:
    assert advice(measurements, files).count(WEIGHED) == 1


def test_outputs_of_several_numbers_of_threads_are_told_once_by_the_farthest(
    measured: Callable[..., Measurement], files: Files
) -> None:
    same = Agreement(reference="local", equal=True, largest=0, share=0)
    apart = Agreement(reference="local", equal=False, largest=1, share=0.5, within_one=1)
    threads = tuple(
        measured(
            "local:plain", "int8", p90_ms=1, threads=n, agreement=agreement, plain_agreement=same
        )
        for n, agreement in ((1, apart), (2, same))
    )
    assert (
        "local:plain: int8 lies at most one step (in 50.00% of the values) from what this machine "
        "draws; int8 drew bit for bit what this machine draws without XNNPACK."
        in advice(threads, files)
    )


Make = Callable[..., Measurement]


def method_of(*measurements: Measurement) -> str:
    return " ".join(method(measurements, {"seed": 3, "latents": None}))


def test_enough_runs_are_mlperfs_single_stream(measured: Make) -> None:
    said = method_of(measured("local", "int8", p50_ms=1, runs=2048, rounds=4))
    assert "2,048 of each file, in 4 fresh processes" in said
    assert "That is MLPerf's single stream" in said
    assert "by seed 3" in said


def test_too_few_runs_anywhere_are_a_quick_look(measured: Make) -> None:
    said = method_of(
        measured("local", "a", p50_ms=1, runs=2048), measured("local", "b", p50_ms=1, runs=8)
    )
    assert "8 to 2,048 of each file" in said
    assert "That is" not in said
    assert "fresh processes" not in said


def test_counted_targets_alone_have_no_stream(measured: Make) -> None:
    said = method_of(measured("arm:cortex-a53", "int8", instructions=9, runs=3))
    assert "MLPerf" not in said
    assert "counted between two marks" in said
    assert "memory" not in said


def test_given_latents_are_told() -> None:
    assert method((), {"seed": 0, "latents": "z.npy"})[0].startswith("Inputs are those of")


@pytest.mark.parametrize(
    ("target", "place", "macs_each"),
    [
        ("arm:cortex-a76", 1, 16),
        ("arm:neoverse-n1:tflite-runtime", 1, 16),
        ("arm:cortex-a53", 1, 8),
        ("arm:cortex-a76", 0, 4),
    ],
)
def test_limit_of_a_counted_core_is_its_widest_instruction(
    target: str, place: int, macs_each: int, measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    file = files[place]
    limit = limit_of(measured(target, file.name, instructions=1_000_000), file, None)
    assert limit.share is not None
    assert limit.share == pytest.approx(2_400_000 / macs_each / 1e6)


def test_limit_of_this_machine_is_its_memory(
    measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    limit = limit_of(measured("local", "float32", p50_ms=0.001), files[0], 10e9)
    assert limit.share is not None
    assert limit.share == pytest.approx(4000 / 10e9 / 1e-6)


@pytest.mark.parametrize(
    ("int8", "floats", "needed"),
    [
        (2_400_000, 5, 150_000),  # dynamic range
        (2_400_000, 2, 150_000),  # int8 between a QUANTIZE and a DEQUANTIZE
        (1_600_000, 5, 300_000),  # one kernel was too small for the converter to quantize
    ],
)
def test_operations_on_floats_do_not_hide_kernels_of_int8(
    int8: int, floats: int, needed: int, measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    file = files[0].model_copy(update={"macs_int8": int8, "float_ops": floats})
    limit = limit_of(measured("arm:cortex-a76", "float32", instructions=400_000), file, None)
    assert limit.share == pytest.approx(needed / 400_000)
    assert limit.share <= 1
    assert f"at least {needed:,} instructions" in limit.words


def test_limit_that_cannot_be_told_says_why(
    measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    timed = measured("local", "float32", p50_ms=0.001)
    several = measured("local", "float32", p50_ms=0.001, threads=2)
    counted = measured("arm:cortex-a76", "float32", instructions=9)
    unknown = files[0].model_copy(update={"macs_int8": None})
    for limit, word in (
        (limit_of(timed, None, 10e9), "file"),
        (limit_of(timed, files[0], None), "bandwidth"),
        (limit_of(several, files[0], 10e9), "one thread"),
        (limit_of(counted, unknown, 10e9), "types"),
        (limit_of(measured("ssh:pi", "float32", p50_ms=0.001), files[0], 10e9), "this machine"),
        (limit_of(measured("micro", "int8", arena_bytes=9), files[1], 10e9), "counted"),
    ):
        assert limit.share is None
        assert word in limit.words
