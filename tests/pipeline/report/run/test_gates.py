import pytest

from deploy.errors import PocketganError
from pipeline.report.run.columns import OF_NPUS, OF_TRANSLATIONS
from pipeline.report.run.gates import (
    FRECHET_BELOW_TRIVIAL,
    KNOWN,
    PSNR_OVER_TRIVIAL,
    QAT_WITHIN_BOUND,
    TRANSLATIONS,
    UNPAIRED,
    cannot_fail,
    check,
    check_all,
    completed,
    measure,
    parse_gate,
)
from pipeline.report.run.schema import Report, ReportedQuality, TrivialReport
from tests.pipeline.report.conftest import unmeasured


def without(report: Report, *names: str) -> Report:
    others = tuple(v for v in report.variants if v.name not in names)
    return report.model_copy(update={"variants": others})


def with_variant(report: Report, name: str, **changes: object) -> Report:
    changed = tuple(v.model_copy(update=changes) if v.name == name else v for v in report.variants)
    return report.model_copy(update={"variants": changed})


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("frechet_ratio", 12.08 / 12.41),
        ("recall_drop", (12.08 - 12.41) / 300),
        ("bytes_ratio", 1_466_312 / 374_880),
        ("bytes_gzip_ratio", 1_348_120 / 94_730),
        ("speedup", 0.213 / 0.0412),
        ("bytes", 374_880),
        ("bytes_gzip", 94_730),
        ("zeros", 0.8),
        ("float_ops", 0),
        ("frechet", 12.08),
        ("kid", 12.08 / 400),
        ("precision", 0.912 - 12.08 / 500),
        ("recall", 0.741 - 12.08 / 300),
        ("density", 1.06 - 12.08 / 200),
        ("coverage", 0.874 - 12.08 / 400),
        ("modes", 10),
        ("psnr", 17.0),
        ("ssim", 0.4 + 17.0 / 90),
        ("p50_ms", 0.0412),
        ("p90_ms", 0.0412 * 1.18),
        ("p50_ms_2_threads", 0.0344),
        ("peak_rss_kb", 3_937),
    ],
)
def test_quantity_is_read_off_the_shipped_variant(report, quantity, value):
    assert measure(quantity, report).value == pytest.approx(value)


def test_every_known_quantity_of_a_generator_can_be_measured(report):
    drops = {"psnr_truth_drop", "psnr_hole_drop", "colourfulness_drop"}
    of_translations = {PSNR_OVER_TRIVIAL, FRECHET_BELOW_TRIVIAL, *drops, *OF_TRANSLATIONS}
    unmeasured = {quantity for quantity in KNOWN if measure(quantity, report).value is None}
    assert unmeasured - {QAT_WITHIN_BOUND} - {*OF_NPUS} == of_translations


def test_translation_is_held_against_what_needs_no_network(report):
    qualities = {
        name: {
            **report.floor.model_dump(exclude={"absent"}),
            "psnr": decibels,
            "ssim": 0.9,
            "psnr_truth": decibels - 10,
            "ssim_truth": 0.8,
            "psnr_hole": decibels - 20,
            "colourfulness": 30.0,
        }
        for name, decibels in (("int8", 41.0), ("float32", 50.0), ("bicubic", 38.5))
    }
    variants = tuple(
        variant.model_copy(update={"quality": ReportedQuality(**qualities[variant.name])})
        if variant.name in qualities
        else variant
        for variant in report.variants
    )
    trivial = TrivialReport(name="bicubic", quality=ReportedQuality(**qualities["bicubic"]))
    translated = report.model_copy(update={"variants": variants, "trivial": trivial})
    assert measure(PSNR_OVER_TRIVIAL, translated).value == pytest.approx(2.5)
    assert measure("psnr_truth_drop", translated).value == pytest.approx(9.0)
    assert measure("psnr_hole_drop", translated).value == pytest.approx(9.0)
    assert measure("colourfulness_drop", translated).value == 0
    assert check(parse_gate(TRANSLATIONS[0]), translated).passed
    equal = ReportedQuality(
        **{**qualities["float32"], "psnr_truth": None},
        absent={"psnr_truth": "infinite: every pixel is equal"},
    )
    perfect = translated.model_copy(update={"trivial": TrivialReport(name="input", quality=equal)})
    assert measure(PSNR_OVER_TRIVIAL, perfect).value == pytest.approx(31.0 - 99)
    assert measure(FRECHET_BELOW_TRIVIAL, translated).value == 0
    assert not check(parse_gate(UNPAIRED[0]), translated).passed
    better = TrivialReport(name="bicubic", quality=ReportedQuality(**qualities["float32"]))
    worse = translated.model_copy(update={"trivial": better})
    assert not check(parse_gate(TRANSLATIONS[0]), worse).passed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("recall_drop <= 0.69", ""),
        ("recall_drop <= 0.7", "cannot fail: float32 itself has Recall 0.700"),
        ("recall_drop ≤ 0.1", ""),
        ("recall_drop >= 0.7", ""),
        ("psnr_truth_drop <= 0.3", ""),  # not measured: it fails
        ("frechet_ratio <= 100", ""),
        ("speedup >= 1", ""),
        ("recall_rise <= 1", ""),  # of a report of another version
    ],
)
def test_gate_that_cannot_fail_for_what_it_is_held_against_says_so(report, text, reason):
    assert cannot_fail(text, report) == reason


@pytest.mark.parametrize(
    ("gate", "passed"),
    [("psnr >= 30", True), ("psnr_truth_drop <= 0.3", True), ("psnr < 40", False)],
)
def test_gate_passes_where_pictures_are_equal_and_decibels_infinite(report, gate, passed):
    figures = report.variant("int8").quality.model_dump()
    figures |= {"psnr": None, "psnr_truth": None, "ssim_truth": 1.0, "colourfulness": 5.0}
    figures["absent"] = dict.fromkeys(("psnr", "psnr_truth"), "infinite: every pixel is equal")
    report = with_variant(report, "int8", quality=ReportedQuality(**figures))
    truth = report.variant("float32").quality.model_copy(update={"psnr_truth": 40.0})
    report = with_variant(report, "float32", quality=truth)
    assert check(parse_gate(gate), report).passed is passed


def test_no_share_of_nothing_can_be_lost(report):
    grey = {**report.floor.model_dump(exclude={"absent"}), "colourfulness": 0.0}
    quality = ReportedQuality(**grey | {"psnr": 30.0, "ssim": 0.9})
    report = with_variant(report, "float32", quality=quality)
    gate = "colourfulness_drop <= 1"
    assert not check(parse_gate(gate), report).passed
    assert cannot_fail(gate, report) == ""


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("zeros >= 0.8", True),
        ("zeros >= 8e-1", True),
        ("zeros >= 8.1E-1", False),
        ("zeros > 0.8", False),
        ("zeros <= 0.8", True),
        ("zeros < 0.8", False),
        ("zeros == 0.8", True),
        ("zeros ≥ 0.9", False),
        ("zeros ≤ 0.9", True),
        ("zeros>=.8e0", None),
        ("recall_drop <= -0.5", False),
        ("  float_ops==0 ", True),
    ],
)
def test_gate_holds_the_figure_against_its_limit(report, text, passed):
    if passed is None:
        with pytest.raises(PocketganError):
            parse_gate(text)
    else:
        assert check(parse_gate(text), report).passed is passed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zeros",
        "zeros >=",
        ">= 0.75",
        "zeros => 0.75",
        "zeros != 0.75",
        "zeros >= x",
        "zeros >= nan",
        "zeros >= 1e999",
        "zeros >= 0.75 and recall >= 0",
        "zeros >= 0.75; import os",
        "beauty >= 1",
        "zeros >= ٣",
        "__class__ >= 0",
    ],
)
def test_malformed_gate_is_refused_with_the_known_quantities(text):
    with pytest.raises(PocketganError) as caught:
        parse_gate(text)
    assert all(quantity in caught.value.remedy for quantity in KNOWN)


def test_gate_fails_with_the_reason_where_its_figure_was_not_measured(report):
    quality = unmeasured("the runtime refused the file", samples=1, seed=1)
    result = check(parse_gate("frechet <= 100"), with_variant(report, "int8", quality=quality))
    assert not result.passed
    assert result.value is None
    assert result.reason == "the runtime refused the file"


def test_ratio_fails_with_the_reason_where_the_baseline_was_not_measured(report):
    result = check(parse_gate("speedup >= 1"), with_variant(report, "float32", measurements=()))
    assert not result.passed
    assert result.reason == "float32: not run with 1 thread here"


def test_gate_fails_where_the_measurement_failed(report):
    failed = (
        report.variant("int8")
        .measurements[0]
        .model_copy(update={"p50_ms": None, "error": "the agent was killed"})
    )
    result = check(parse_gate("p50_ms < 9"), with_variant(report, "int8", measurements=(failed,)))
    assert not result.passed
    assert result.reason == "the agent was killed"


@pytest.mark.parametrize(
    ("missing", "reason"),
    [("int8", "this report has no variant int8"), ("float32", "float32: it has no file")],
)
def test_ratio_fails_where_a_variant_is_missing(report, missing, reason):
    result = check(parse_gate("bytes_ratio >= 1"), without(report, missing))
    assert not result.passed
    assert result.reason == reason


def test_ratio_to_nothing_is_not_measured(report):
    quality = report.variant("float32").quality.model_copy(update={"frechet": 0.0})
    result = check(
        parse_gate("frechet_ratio <= 9"), with_variant(report, "float32", quality=quality)
    )
    assert not result.passed
    assert "frechet is 0" in result.reason


def test_speed_is_that_of_xnnpack_on_this_machine(report):
    fast = report.variant("int8").measurements[0]
    elsewhere = fast.model_copy(update={"target": "phone", "p50_ms": 5.0})
    plain = fast.model_copy(update={"delegate": "none", "p50_ms": 7.0})
    changed = with_variant(report, "int8", measurements=(elsewhere, plain, fast))
    assert measure("p50_ms", changed).value == fast.p50_ms


def test_gate_can_be_held_against_another_variant(report):
    assert not check(parse_gate("float_ops == 0"), report, variant="float16").passed


def test_check_all_puts_the_results_into_the_report(report):
    checked = check_all((parse_gate("zeros >= 0.75"), parse_gate("zeros >= 0.95")), report)
    assert [gate.passed for gate in checked.gates] == [True, False]


def test_defaults_hold_unless_a_gate_names_their_quantity() -> None:
    defaults = ["float_ops == 0", "bytes_gzip <= 5000"]
    assert completed([], defaults) == defaults
    assert completed(["bytes_gzip<=4000"], defaults) == ["bytes_gzip<=4000", "float_ops == 0"]
    assert completed(["beauty >= 3"], defaults) == ["beauty >= 3", *defaults]  # refused elsewhere
