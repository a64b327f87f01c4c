import pytest

from pipeline.report.quantities import QUANTITIES, lines, number, significant, times


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


def test_kilobytes_of_the_system_have_1024_bytes():
    assert QUANTITIES["peak_rss_kb"].write(100_000) == "102"


def test_lines_are_written_for_people():
    tree = {
        "cpu": {"name_of": "a cpu", "flags": ["avx2", "neon"]},
        "memory": 3 << 30,
        "cores": 2,
        "boost": False,
        "load": None,
        "extras": [],
    }
    assert lines(tree, none="not told") == [
        ("cpu.name of", "a cpu"),
        ("cpu.flags", "avx2, neon"),
        ("memory", "3.0 GiB"),
        ("cores", "2"),
        ("boost", "no"),
        ("load", "not told"),
        ("extras", "none"),
    ]
