from pipeline.report.run.columns import BY_NAME, best
from pipeline.report.run.gates import check, parse_gate


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
