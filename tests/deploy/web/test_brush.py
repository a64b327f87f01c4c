"""The brush for generators that fill holes, in a real browser."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.deploy.web.pages import Open, file_of, levels, slide


def _before(page: Any) -> np.ndarray:
    """Red of what the file reads, once it is drawn."""
    page.wait_for_timeout(300)
    return np.array(levels(page, ".reveal canvas")).reshape(16, 16)


def stroke(page: Any, *points: tuple[float, float]) -> None:
    """Drag the mouse through points of the frame, given as shares of its sides."""
    page.locator(".reveal").scroll_into_view_if_needed()
    box = page.locator(".reveal").bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def test_a_hole_is_hidden_from_the_file(pages: Path, opened: Open) -> None:
    page = opened(pages / "hole.html")
    before = np.array(levels(page, ".reveal canvas")).reshape(16, 16)
    after = levels(page, ".reveal canvas + canvas")
    assert (before[:4, :4] == 100).all()  # the example's own mask
    page.get_by_role("button", name="Hide the middle").click()
    hidden = np.array(levels(page, ".reveal canvas")).reshape(16, 16)
    assert (hidden[6:10, 6:10] == 100).all()
    assert levels(page, ".reveal canvas + canvas") != after
    page.get_by_role("button", name="Show all").click()
    assert 100 not in levels(page, ".reveal canvas")


def test_a_brush_hides_what_it_passes_and_uncovers_it(pages: Path, opened: Open) -> None:
    page = opened(pages / "hole.html")
    page.get_by_role("button", name="Show all").click()
    whole = _before(page)
    page.get_by_role("radio", name="hide", exact=True).check(force=True)
    slide(page, "Width of the brush", 0.1)
    stroke(page, (0.03, 0.53), (0.97, 0.53))  # one far move
    hidden = _before(page) == 100
    assert hidden[8].all()
    assert not hidden[:6].any()
    assert not hidden[11:].any()
    page.get_by_role("radio", name="uncover", exact=True).check(force=True)
    slide(page, "Width of the brush", 0.3)
    stroke(page, (0.03, 0.53), (0.97, 0.53))
    assert np.array_equal(_before(page), whole)


def test_a_brush_is_moved_and_paints_by_keys(pages: Path, opened: Open) -> None:
    page = opened(pages / "hole.html")
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("radio", name="hide", exact=True).check(force=True)
    page.get_by_role("application", name="The brush").focus()
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    assert 100 not in _before(page)
    page.keyboard.press("Space")
    assert _before(page)[1, 8] == 100
    page.keyboard.down("Shift")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.keyboard.up("Shift")
    hidden = _before(page) == 100
    assert hidden[1, 8:14].all()
    assert not hidden[4:].any()


def test_a_brush_paints_where_it_is_on_the_middle_of_an_oblong_photo(
    pages: Path, opened: Open
) -> None:
    page = opened(pages / "hole.html")
    page.locator("#photo-file").set_input_files(file_of(np.zeros((40, 120, 3), np.uint8)))
    page.get_by_text("120 × 40 → 240 × 80 pixels").wait_for()
    page.get_by_role("radio", name="The middle, made small").check(force=True)
    page.get_by_role("radio", name="hide", exact=True).check(force=True)
    stroke(page, (0.1, 0.1))
    hidden = _before(page) == 100
    assert hidden[1, 1]
    assert not hidden[:, 4:].any()
    page.get_by_role("radio", name="All of it, by tiles").check(force=True)
    page.get_by_text("120 × 40 → 240 × 80 pixels").wait_for()
    columns = np.array(levels(page, ".reveal canvas")).reshape(40, 120).max(axis=0)
    assert np.flatnonzero(columns == 100).min() >= 40


def test_a_stroke_is_seen_where_the_picture_is_too_slow_to_follow(
    pages: Path, opened: Open
) -> None:
    page = opened(pages / "hole.html")
    page.locator("#photo-file").set_input_files(file_of(np.zeros((900, 1200, 3), np.uint8)))
    page.get_by_text("1200 × 900 → 2400 × 1800 pixels").wait_for()
    page.get_by_role("radio", name="hide", exact=True).check(force=True)
    page.locator(".reveal").scroll_into_view_if_needed()
    box = page.locator(".reveal").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    strokes = np.array(levels(page, ".strokes")).reshape(384, 512)
    assert strokes[192, 256] > 0
    assert strokes[0, 0] == 0
    assert 100 not in levels(page, ".reveal canvas")
    page.mouse.up()
    assert page.locator(".strokes").is_hidden()
    page.get_by_text("1200 × 900 → 2400 × 1800 pixels").wait_for()
    assert 100 in levels(page, ".reveal canvas")
