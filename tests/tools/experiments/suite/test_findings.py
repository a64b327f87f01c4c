import pytest

from tools.experiments.suite.findings import doubts, sentences, views
from tools.experiments.suite.generators import DENSE, DOUBLINGS, Member
from tools.experiments.suite.measure import FLOAT, INT8, SCHEMA, VARIANTS, Result, Suite

# What a million MACs cost in int8, and that over float32's.
PRICE = {DENSE: 0.05, "transposed_conv": 0.03, "resize_conv": 0.02, "sub_pixel": 0.01}
PRICE |= {"depthwise": 0.05}
GAIN = dict.fromkeys(PRICE, 0.5) | {"depthwise": 1.25}
MACS = {DENSE: 1, "transposed_conv": 16, "resize_conv": 36, "sub_pixel": 36, "depthwise": 6}


@pytest.fixture
def result(measured):
    """One member as a target saw it whose costs follow the prices above."""

    def make(family, pixels, width, field="p50_ms", target="local", per_unit=1.0):
        member = Member(family, pixels, width)
        macs = MACS[family] * pixels**2 * width
        cost = per_unit * PRICE[family] * macs / 1e6
        costs = {INT8: cost, FLOAT: cost / GAIN[family]}
        return Result(
            name=member.name,
            family=family,
            pixels=pixels,
            width=width,
            parameters=1000,
            macs=macs,
            bytes=dict.fromkeys(VARIANTS, 1000),
            measurements=tuple(
                measured(target, v, **{field: type(per_unit)(c)}) for v, c in costs.items()
            ),
        )

    return make


def suite_of(*results):
    return Suite(
        schema=SCHEMA,
        generators=1,
        date="2026-01-01T00:00:00+00:00",
        seed=0,
        versions={"numpy": "2"},
        machine={"cpu": "a cpu", "flags": ["avx2"]},
        left_out=(),
        results=results,
    )


@pytest.fixture
def suite(result):
    return suite_of(
        *(result(f, p, w) for p in (64, 128) for w in (16, 32) for f in (DENSE, *DOUBLINGS))
    )


def test_cheapest_family_is_named_and_dense_has_no_part_in_it(suite):
    (view,) = views(suite)
    sentence = " ".join(sentences(view))
    assert "int8 is cheapest by the median with depthwise in 4 of 4" in sentence
    assert "counts as cheapest" not in sentence
    assert "sub pixel 0.0100 ms" in sentence
    assert "5× between the ends" in sentence


def test_families_within_the_tolerance_are_ties(suite):
    costs = {"depthwise": 1.0, "sub_pixel": 1.04, "resize_conv": 1.06, "transposed_conv": 2.0}
    level = suite.model_copy(
        update={
            "results": tuple(
                result.model_copy(
                    update={
                        "measurements": tuple(
                            m.model_copy(update={"p50_ms": costs.get(result.family, 0.1)})
                            for m in result.measurements
                        )
                    }
                )
                for result in suite.results
            )
        }
    )
    (view,) = views(level)
    sentence = sentences(view)[0]
    assert "depthwise in 4 of 4" in sentence
    assert "sub pixel in 4 of 4" in sentence
    assert "resize" not in sentence
    assert sentence.endswith("within 5% of the cheapest counts as cheapest.")


def test_choice_goes_by_the_median_where_a_neighbour_moved_the_percentile(suite):
    moved = suite.model_copy(
        update={
            "results": tuple(
                result.model_copy(
                    update={
                        "measurements": tuple(
                            m.model_copy(update={"p90_ms": 1 / m.p50_ms})
                            for m in result.measurements
                        )
                    }
                )
                for result in suite.results
            )
        }
    )
    assert sentences(views(moved)[0]) == sentences(views(suite)[0])


def test_place_where_a_family_is_missing_has_no_winner(suite):
    fewer = suite_of(*suite.results[:-1])
    (view,) = views(fewer)
    assert "in 3 of 3" in sentences(view)[0]


def test_equal_macs_at_unequal_cost_are_told(suite):
    (sentence,) = [line for line in sentences(views(suite)[0]) if line.startswith("MACs explain")]
    assert "still costs 2× as much as sub_pixel-" in sentence


def test_family_that_int8_makes_dearer_is_told(suite):
    (sentence,) = [line for line in sentences(views(suite)[0]) if line.startswith("int8 costs")]
    assert "0.50× with dense" in sentence
    assert sentence.endswith("With depthwise, int8 buys bytes but costs more.")


def test_growth_is_told_per_doubling(suite):
    sentence = sentences(views(suite)[0])
    assert any(t.startswith("Doubling each side") and "resize conv 4×" in t for t in sentence)
    assert any(t.startswith("Doubling the width") and "resize conv 2×" in t for t in sentence)


def test_each_kind_of_target_has_its_own_figure(result):
    views_of_suite = views(
        suite_of(
            result("sub_pixel", 64, 16),
            result(
                "sub_pixel", 128, 16, field="instructions", target="arm:cortex-a53", per_unit=10**6
            ),
            result("sub_pixel", 256, 16, field="arena_bytes", target="micro", per_unit=1000),
        )
    )
    assert [(v.target, v.headline.unit) for v in views_of_suite] == [
        ("local", "ms"),
        ("arm:cortex-a53", "M"),
        ("micro", "kB"),
    ]
    assert [[r.pixels for r in v.results] for v in views_of_suite] == [[64], [128], [256]]


def test_one_result_has_little_to_say_and_no_error(result):
    (view,) = views(suite_of(result("dense", 28, 16)))
    assert len(sentences(view)) == 1


def test_target_that_only_failed_is_doubted_and_not_shown(result, measured):
    good = result("sub_pixel", 64, 16)
    bad = measured("arm:cortex-a53", INT8, error="no answer within 120 s")
    lines = suite_of(good.model_copy(update={"measurements": (*good.measurements, bad)}))
    assert [view.target for view in views(lines)] == ["local"]
    assert doubts(lines) == [
        "arm:cortex-a53: no answer within 120 s: int8-ptq of sub_pixel-64-w16."
    ]


def test_many_failures_of_one_kind_are_counted_and_not_listed(result, measured):
    bad = measured("micro", "float16", error="it cannot run DEQUANTIZE.")
    results = [
        result(family, 64, width).model_copy(update={"measurements": (bad,)})
        for family in ("sub_pixel", "depthwise")
        for width in (16, 32)
    ]
    assert doubts(suite_of(*results)) == [
        "micro: it cannot run DEQUANTIZE: float16 of 4 generators."
    ]


def test_wide_spread_is_doubted(result, measured):
    wide = measured("local", INT8, p90_ms=1.0, spread=0.3)
    result = result("dense", 28, 16).model_copy(update={"measurements": (wide,)})
    (sentence,) = doubts(suite_of(result))
    assert sentence.startswith("1 of 1 timings")
