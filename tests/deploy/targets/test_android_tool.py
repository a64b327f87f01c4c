"""On outputs that people recorded on real devices (outputs/*.txt, shortened)."""

from pathlib import Path
from typing import Any

import pytest

from deploy.targets.android_tool import parse

OUTPUTS = Path(__file__).parent / "outputs"

RECORDED: dict[str, dict[str, Any]] = {
    # TensorFlow 1.x on a phone: github.com/yuenshome/yuenshome.github.io/issues/77
    "tf1_android_quant": {
        "init_ms": 9.933,
        "first_ms": 127.425,
        "mean_ms": 66.7676,
        "min_ms": 66.699,
        "runs": 15,
    },
    # TensorFlow 2.4 on a phone: github.com/tensorflow/tensorflow/issues/42507
    "tf2.4_android": {
        "init_ms": 0.855,
        "first_ms": 49.06,
        "mean_ms": 33.2094,
        "min_ms": 32.641,
        "runs": 50,
        "peak_rss_kb": 13176,
    },
    # TensorFlow 2.8 on emulated RISC-V: notes of NobuoTsukamoto's meta-tensorflow-lite
    "tf2.8_profile": {
        "init_ms": 17.187,
        "first_ms": 3512.391,
        "mean_ms": 2950.34,
        "min_ms": 2727.568,
        "runs": 50,
        "peak_rss_kb": 47192,
    },
    # ChromeOS, with --report_peak_memory_footprint: notes on its mlbenchmark tests
    "tf2.1x_peak": {
        "init_ms": 3.337,
        "first_ms": 81.913,
        "mean_ms": 56.2658,
        "min_ms": 54.669,
        "runs": 1061,
        "delegated": 1.0,
    },
    # The benchmark app's log on a phone: a repository's notes on YOLO and SSD, with percentiles
    "app_logcat_percentiles": {
        "init_ms": 92.318,
        "first_ms": 235.158,
        "p50_ms": 141.253,
        "mean_ms": 145.528,
        "min_ms": 140.071,
        "runs": 25,
        "peak_rss_kb": 75172,
        "delegated": 539 / 548,
    },
    # LiteRT's own tool on a phone with SME2: an Arm learning path on LiteRT and KleidiAI
    "litert_profile": {
        "init_ms": 4.478,
        "first_ms": 1.033,
        "p50_ms": 0.462,
        "mean_ms": 0.464545,
        "min_ms": 0.442,
        "runs": 2112,
        "peak_rss_kb": 11786,
        "delegated": 1.0,
    },
}


def recorded(name: str) -> str:
    return (OUTPUTS / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_output_gives_its_figures_and_no_others(name: str) -> None:
    figures = parse(recorded(name))
    figures.pop("profile", None)
    assert figures.pop("per_second") == pytest.approx(1000 / figures["mean_ms"])
    assert figures == pytest.approx(RECORDED[name])


def test_profile_holds_the_timed_runs_not_the_start() -> None:
    first, *_, last = parse(recorded("tf2.8_profile"))["profile"]
    assert (first.operation, first.cost, first.unit) == ("CONV_2D", 60.957, "ms")
    assert first.layer == "MobilenetV1/MobilenetV1/Conv2d_0/Relu6"
    assert (last.operation, last.cost) == ("SOFTMAX", 0.233)


def test_profile_of_the_delegate_names_its_kernels() -> None:
    costs = {row.operation: row.cost for row in parse(recorded("litert_profile"))["profile"]}
    assert costs == {
        "LiteRT::Run[buffer registration]": 0.014,
        "Fully Connected (NC, PF32) GEMM": 0.382,
    }


def test_output_without_a_profile_has_none() -> None:
    assert "profile" not in parse(recorded("tf2.4_android"))


def test_runs_that_took_equally_long_are_told_by_one_value() -> None:
    text = "count=9 first=7 curr=5 min=4 max=9 avg=5 std=1\ncount=50 curr=5(all same)\n"
    figures = parse(text + "Inference timings in us: Init: 1")
    assert (figures["p50_ms"], figures["mean_ms"], figures["min_ms"]) == (0.005, 0.005, 0.005)
    assert figures["runs"] == 50


def test_time_below_a_microsecond_is_no_figure() -> None:
    text = "count=9 first=7 curr=0 min=0 max=9 avg=0.5 std=1\nInference timings in us: Init: 1"
    assert "min_ms" not in parse(text)


def test_lines_ended_as_on_a_terminal_are_read_alike() -> None:
    text = recorded("tf2.8_profile")
    assert parse(text.replace("\n", "\r\n")) == parse(text)


@pytest.mark.parametrize("name", RECORDED)
def test_output_cut_anywhere_gives_the_figures_or_an_error(name: str) -> None:
    text = recorded(name)
    for end in range(0, len(text), 7):
        try:
            figures = parse(text[:end])
        except ValueError:
            continue
        assert figures["runs"] == RECORDED[name]["runs"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\xff garbage",
        "ERROR: Failed to construct interpreter\nERROR: Benchmarking failed.",
        "Inference timings in us: Init: 1",
        "count=0\nInference timings in us: Init: 1",
        "count=5\nInference timings in us: Init: 1",
        "count=5 curr=... min=\nInference timings in us: Init: 1",
        "count=5 first=1 min=1.2.3 curr=1 max=1 avg=1\nInference timings in us: Init: 1",
        "count=5 min=1 curr=1\nInference timings in us: Init: 1",
    ],
)
def test_text_without_timings_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"benchmark_model|float"):
        parse(text)
