import re
from xml.etree import ElementTree

import matplotlib
import pytest

from pipeline.report.drawing import ACCENT, drawing, scale, short, svg


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
