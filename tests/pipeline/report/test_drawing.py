import re
from xml.etree import ElementTree

import matplotlib
import pytest

from pipeline.report.drawing import ACCENT, Point, drawing, front, scale, short, svg
from pipeline.report.run.charts import quality_against


@pytest.fixture
def chart():
    with drawing(120) as figure:
        axes = figure.subplots()
        axes.plot([1, 2], [3, 4], "o-", color=ACCENT)
        axes.set_xlabel("a < b & $x^{$ 漢")
        return svg(figure, "A title", "It rises.")


def test_svg_is_well_formed_and_described(chart):
    root = ElementTree.fromstring(chart)
    assert root.attrib["role"] == "img"
    described = [root.find(f"*[@id='{key}']") for key in root.attrib["aria-labelledby"].split()]
    assert [(e.tag, e.text) for e in described] == [("title", "A title"), ("desc", "It rises.")]


def test_svg_of_a_name_with_control_characters_is_well_formed():
    with drawing(120) as figure:
        figure.subplots().set_xlabel("a\x1b[31mb\x00")
        chart = svg(figure, "title \x07", "It is\x08 described.")
    assert "a\\x1b[31mb\\x00" in chart
    ElementTree.fromstring(chart)


def test_svg_takes_its_colours_from_the_page(chart):
    assert "stroke: var(--accent)" in chart
    assert not re.search(r"#[0-9a-f]{6}\b", chart)


def test_svg_keeps_text_as_text(chart):
    assert "a &lt; b &amp; $x^{$ 漢" in chart


def test_svg_names_nothing_outside_itself(chart):
    assert "http" not in chart
    assert "<style" not in chart


def test_svg_references_its_own_ids(chart):
    ids = re.findall(r'id="([^"]+)"', chart)
    used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', chart)
    assert used
    assert {a or b for a, b in used} <= set(ids)
    assert all(name.startswith("a-title-") for name in ids)


def test_drawing_leaves_the_global_style_alone():
    before = dict(matplotlib.rcParams)
    with drawing(100):
        pass
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(("values", "kind"), [([10, 12], "linear"), ([1, 100], "log")])
def test_scale_turns_logarithmic_where_values_span_far(values, kind):
    with drawing(100) as figure:
        axes = figure.subplots()
        scale(axes, "x", values)
        assert axes.get_xscale() == kind


def test_scale_survives_values_that_are_all_zero():
    with drawing(100) as figure:
        axes = figure.subplots()
        scale(axes, "y", [0, 0])
        assert axes.get_ylim() == (0, 1)


def test_short_keeps_the_end_of_a_long_name():
    assert short("generator/block_1/conv", 10) == "…ck_1/conv"


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
    assert "real against real 5.18" in with_floor
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
