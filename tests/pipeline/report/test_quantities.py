import pytest

from pipeline.report.quantities import BY_NAME, best, number, significant, times
from pipeline.report.run.gates import check, parse_gate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.04123, "0.0412"),
        (0.09996, "0.100"),
        (1.456, "1.46"),
        (138.2, "138"),
        (13_824, "13800"),
        (-0.0123, "-0.0123"),
    ],
)
def test_significant_writes_three_digits_plainly(value, text):
    assert significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(374_880.0, "374,880"), (0.97341, "0.9734"), (0.8, "0.8"), (14, "14")]
)
def test_number_writes_whole_ones_exactly_and_others_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(14.23, "14×"), (9.96, "10×"), (5.17, "5.2×"), (4.0, "4×")]
)
def test_times_writes_a_ratio_for_a_sentence(ratio, text):
    assert times(ratio) == text


def test_best_follows_the_direction_of_the_quantity(report):
    assert best(BY_NAME["bytes_gzip"], report.variants) == "94.7"
    assert best(BY_NAME["zeros"], report.variants) == "80.1"


def test_best_is_nobody_where_all_read_the_same(report):
    assert best(BY_NAME["modes"], report.variants) is None


def test_label_tells_threads_and_unit():
    assert BY_NAME["p50_ms_2_threads"].label == "p50, 2 threads, ms"


def test_macs_are_told_in_millions_and_their_gate_in_ones(report):
    assert BY_NAME["macs"].text(report.variants[0]) == "9.63"
    (passed, failed) = (
        check(parse_gate(text), report) for text in ("macs <= 9634816", "macs <= 9634815")
    )
    assert (passed.passed, failed.passed) == (True, False)
