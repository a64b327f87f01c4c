from pipeline.report.run.columns import BY_NAME, OF_NPUS, best, columns_of
from pipeline.report.run.gates import check, parse_gate
from pipeline.report.run.schema import ReportedQuality
from tests.deploy.npu_reports import npu_report


def test_best_follows_the_direction_of_the_quantity(report):
    assert best(BY_NAME["bytes_gzip"], report.variants) == "94.7"
    assert best(BY_NAME["zeros"], report.variants) == "80.1"


def test_best_is_nobody_where_all_read_the_same(report):
    assert best(BY_NAME["modes"], report.variants) is None


def test_best_is_nobody_beside_equal_pictures_whose_decibels_are_infinite(report):
    assert best(BY_NAME["psnr"], report.variants) == "71.2"
    same = report.variant("float16").quality.model_dump() | {"psnr": None}
    same["absent"] = {"psnr": "infinite: every pixel is equal"}
    equal = report.variant("float16").model_copy(update={"quality": ReportedQuality(**same)})
    variants = tuple(equal if v.name == equal.name else v for v in report.variants)
    assert best(BY_NAME["psnr"], variants) is None


def test_label_tells_threads_and_unit():
    assert BY_NAME["p50_ms_2_threads"].label == "p50, 2 threads, ms"


def with_npus(report, measured, *reports):
    """The report, its int8 file compiled for so many NPUs."""
    compiled = tuple(
        measured(f"npu:{each.accelerator}-{number}", "int8", npu=each)
        for number, each in enumerate(reports)
    )
    variants = tuple(
        v.model_copy(update={"measurements": (*v.measurements, *compiled)}) if compiled else v
        for v in report.variants
        if v.name == "int8"
    )
    return report.model_copy(update={"variants": variants})


def test_flash_is_that_of_the_npu_that_needs_most(report, measured):
    two = with_npus(report, measured, npu_report(30_000), npu_report(40_000))
    assert BY_NAME["flash_bytes"].read(two.variants[0]).value == 40_000
    (passed, failed) = (
        check(parse_gate(f"flash_bytes <= {limit}"), two) for limit in (40_000, 39_999)
    )
    assert (passed.passed, failed.passed) == (True, False)
    assert BY_NAME["estimated_ms"] in columns_of(two)


def test_gate_of_flash_fails_with_the_reason_where_nothing_was_compiled(report, measured):
    result = check(parse_gate("flash_bytes <= 40000"), report)
    assert not result.passed
    assert "no npu: target" in result.reason
    assert {BY_NAME[name] for name in OF_NPUS}.isdisjoint(columns_of(report))
    partly = with_npus(report, measured, npu_report(30_000, on_npu=False))
    assert "stay on the CPU" in BY_NAME["estimated_ms"].read(partly.variants[0]).reason


def test_macs_are_told_in_millions_and_their_gate_in_ones(report):
    assert BY_NAME["macs"].text(report.variants[0]) == "9.63"
    (passed, failed) = (
        check(parse_gate(text), report) for text in ("macs <= 9634816", "macs <= 9634815")
    )
    assert (passed.passed, failed.passed) == (True, False)
