import io
import re
from functools import cache
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tools.experiments.suite.findings import views
from tools.experiments.suite.generators import FAMILIES, Member
from tools.experiments.suite.measure import FLOAT, INT8, SCHEMA, VARIANTS, Result, Suite
from tools.experiments.suite.page import render_html, render_terminal, rows


@pytest.fixture
def suite(measured):
    """Every family at four places on two targets; float32 is missing on the counted one."""
    results = []
    for place, (pixels, width) in enumerate([(28, 16), (28, 32), (64, 16), (64, 32)], start=1):
        for number, family in enumerate(FAMILIES, start=1):
            member = Member(family, pixels, width)
            cost = 0.01 * place * number
            results.append(
                Result(
                    name=member.name,
                    family=family,
                    pixels=pixels,
                    width=width,
                    parameters=1000,
                    macs=1000 * place * number**2,
                    bytes=dict.fromkeys(VARIANTS, 1000),
                    measurements=(
                        measured("local", INT8, p90_ms=cost, p50_ms=cost),
                        measured("local", FLOAT, p90_ms=3 * cost, p50_ms=3 * cost),
                        measured("arm:cortex-a53", INT8, instructions=1000 * place * number),
                        measured("arm:cortex-a53", FLOAT, error="<b>it fell over</b>"),
                    ),
                )
            )
    return Suite(
        schema=SCHEMA,
        generators=1,
        date="2026-01-01T00:00:00+00:00",
        seed=7,
        versions={"numpy": "2.4"},
        machine={"cpu": "a cpu", "flags": ["avx2"]},
        left_out=("dense-256-w64 would be too big",),
        results=tuple(results),
    )


@cache
def _page(suite_json):
    return render_html(Suite.model_validate_json(suite_json))


@pytest.fixture
def text(suite):
    """The page, drawn once for all tests."""
    return _page(suite.model_dump_json(by_alias=True))


def test_page_refers_to_nothing_outside_itself(text):
    assert not re.search(r"https?:|@import|<script|<link|url\((?!#)", text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(name in ids for name in re.findall(r'href="#([^"]+)"', text))


def test_page_shows_each_target_with_its_charts_and_its_figure(text):
    charts = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    titles = [ElementTree.fromstring(chart).findtext("title") for chart in charts]
    assert [title.split(":")[0] for title in titles] == ["local"] * 4 + ["arm"] * 3
    assert text.count("int8 / float32, ms") == text.count("int8 / float32, M") == len(FAMILIES)
    assert "prefers-color-scheme: dark" in text
    assert "dense-256-w64 would be too big" in text


def test_error_of_a_target_is_shown_and_not_obeyed(text):
    assert "&lt;b&gt;it fell over&lt;/b&gt;" in text
    assert "<b>it fell over" not in text


def test_same_suite_gives_the_same_page(suite):
    few = suite.model_copy(update={"results": suite.results[:10]})
    assert render_html(few) == render_html(few)


def test_cheapest_of_the_families_with_maps_is_marked(suite):
    local, arm = views(suite)
    first = rows(local)[0]
    assert [cell.best for cell in first.cells] == [False, True, False, False, False]
    assert first.cells[1][:2] == ("0.0200", "0.0600")
    assert first.per_mac.startswith("depthwise")
    assert rows(arm)[0].cells[0][:2] == ("0.00100", "–")


def test_suite_without_figures_makes_a_page_all_the_same(suite):
    assert "0 generators on 0 targets" in render_html(suite.model_copy(update={"results": ()}))


def test_terminal_shows_tables_findings_and_doubts(suite):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render_terminal(suite))
    text = console.export_text()
    assert "local: int8 above float32, p50 in ms" in text
    assert "int8 is cheapest by the median with transposed conv" in " ".join(text.split())
    assert "<b>it fell over</b>" in text


def test_narrow_terminal_keeps_every_digit_of_all_families(suite):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render_terminal(suite))
    lines = console.export_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.split()[:2] == ["28", "16"])
    int8, float32 = lines[start].split(), lines[start + 1].split()
    assert int8[2:7] == ["0.0100", "0.0200", "0.0300", "0.0400", "0.0500"]
    assert float32[:5] == ["0.0300", "0.0600", "0.0900", "0.120", "0.150"]


def test_each_chart_is_explained_by_its_own_caption(text):
    captions = re.findall("<figcaption>(.*?)</figcaption>", text)
    assert len(captions) == 7
    assert all("<small>" in caption for caption in captions)
    assert "first two charts" not in text


def test_machine_is_in_words(suite):
    few = suite.model_copy(update={"results": suite.results[:2], "machine": {"boost": None}})
    assert "not told" in render_html(few)


def test_each_dash_of_the_table_of_all_has_its_reason_behind_it(text):
    table = text[text.index('<table class="every">') :].split("</table>")[0]
    dashes = [cell for cell in re.findall("<td.*?</td>", table) if ">–<" in cell]
    assert dashes
    assert all('title="' in cell for cell in dashes)
