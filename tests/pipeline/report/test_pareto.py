import re
from xml.etree import ElementTree

import pytest

from pipeline.report.pareto import Point, front
from pipeline.report.run.charts import quality_against


def test_front_keeps_the_points_that_no_other_beats():
    points = [Point("a", 4, 1), Point("b", 1, 4), Point("c", 2, 2), Point("d", 3, 3)]
    assert [point.name for point in front(points)] == ["b", "c", "a"]


def test_front_drops_a_point_that_is_only_as_good_and_dearer():
    assert [p.name for p in front([Point("dear", 2, 5), Point("cheap", 1, 5)])] == ["cheap"]


def boxes(chart: str) -> dict[str, tuple[float, float, float, float]]:
    """A generous box for the name of every variant, from where and how it is written."""
    box_by_name = {}
    for text in ElementTree.fromstring(chart).iter("text"):
        width, height = 5.2 * len(text.text), 8
        x, y = float(text.get("x")), float(text.get("y"))
        shift = {"start": 0, "middle": 0.5, "end": 1}
        anchor = re.search(r"text-anchor: (\w+)", text.get("style"))[1]
        left = x - shift[anchor] * width
        box_by_name[text.text] = (left, y - height, left + width, y)
    return box_by_name


@pytest.mark.parametrize("cost", ["bytes_gzip", "p50_ms"])
def test_names_of_variants_do_not_overlap(report, cost):
    written = boxes(quality_against(cost, report))
    named = [written[variant.name] for variant in report.variants]
    for number, (left, top, right, bottom) in enumerate(named):
        for other_left, other_top, other_right, other_bottom in named[:number]:
            apart = right <= other_left or other_right <= left
            assert apart or bottom <= other_top or other_bottom <= top


def test_floor_is_drawn_where_there_is_one(report):
    floor = report.floor.model_copy(update={"frechet": None})
    with_floor = quality_against("bytes_gzip", report)
    without = quality_against("bytes_gzip", report.model_copy(update={"floor": floor}))
    assert "real against real 1.18" in with_floor
    assert "real against real" not in without


def test_same_figures_give_the_same_drawing(report):
    first, second = (quality_against("bytes_gzip", report) for _ in range(2))
    assert first == second


def test_many_equal_points_still_get_their_names(report):
    variants = tuple(
        report.variants[0].model_copy(update={"name": f"copy-{number}"}) for number in range(12)
    )
    chart = quality_against("bytes_gzip", report.model_copy(update={"variants": variants}))
    assert {f"copy-{number}" for number in range(12)} <= boxes(chart).keys()


def test_chart_is_none_where_nothing_was_timed(report):
    untimed = tuple(v.model_copy(update={"measurements": ()}) for v in report.variants)
    changed = report.model_copy(update={"variants": untimed})
    assert quality_against("p50_ms", changed) is None
