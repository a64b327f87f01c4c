"""The page in a real browser, opened from disk."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.bundle.drawing import draw, stored_pictures, to_pixels
from deploy.bundle.schema import Pixels
from deploy.web.make import make
from tests.deploy.web.pages import Open, file_of, levels, png, slide

ROOT = Path(__file__).parents[3]
AXE = ROOT / "deploy/web/node_modules/axe-core/axe.min.js"


@pytest.mark.parametrize("kind", ["latent", "picture", "hole"])
def test_int8_draws_the_desktops_pictures_bit_by_bit(kind: str, pages: Path, opened: Open) -> None:
    page = opened(pages / f"{kind}.html")
    badges = page.locator(".badge").all_inner_texts()
    assert re.fullmatch(r"✓ int8: (\d) of \1 pictures equal the desktop’s, bit by bit", badges[0])
    assert badges[1].startswith("✓ float32")
    assert page.title() == "small </script><b> – pocketgan"


def test_pixels_equal_the_desktops_for_many_inputs(
    pages: Path, page_of: Callable[..., Any], opened: Open
) -> None:
    file = page_of("picture").files[0]
    photos = np.random.default_rng(5).integers(0, 256, (40, 16, 16, 3), np.uint8)
    tensor = draw(file.content, photos[:0].astype(np.float32)).input
    run = draw(file.content, stored_pictures(photos, file.reads, tensor))
    expected = to_pixels(run.outputs, run.output, Pixels(low=-1, high=1, channels="rgb"))
    page = opened(pages / "picture.html")
    answers = page.evaluate(
        "photos => photos.map(photo => [...gallery.stage.generator"
        ".drawPicture(Uint8ClampedArray.from(photo)).levels])",
        photos.reshape(40, -1).tolist(),
    )
    assert np.array_equal(np.array(answers), expected.reshape(40, -1))


def test_a_damaged_model_is_said_in_the_page(pages: Path, tmp_path: Path, opened: Open) -> None:
    text = (pages / "latent.html").read_text()
    start = text.index('id="file-0">') + len('id="file-0">') + 40
    damaged = tmp_path / "damaged.html"
    damaged.write_text(text[:start] + ("A" if text[start] != "A" else "B") + text[start + 1 :])
    page = opened(damaged, "failed")
    assert "“file-0” of this page is damaged" in page.get_by_role("alert").inner_text()


def test_a_file_that_is_no_model_is_said_in_the_page(
    page_of: Callable[..., Any], pages: Path, tmp_path: Path, opened: Open
) -> None:
    import gzip

    text = (pages / "latent.html").read_text()
    packed = base64.b64encode(gzip.compress(b"no model at all")).decode()
    path = tmp_path / "other.html"
    path.write_text(re.sub(r'(id="file-0">)[^<]+', rf"\g<1>{packed}", text))
    page = opened(path, "failed")
    assert "it is no TensorFlow Lite file" in page.get_by_role("alert").inner_text()


def test_a_changed_model_fails_the_golden_check(
    page_of: Callable[..., Any], tmp_path: Path, opened: Open
) -> None:
    contents = page_of()
    _, page = make(contents)
    brighter = replace(contents.files[0], pixels=(-1.5, 1.0))
    _, other = make(replace(contents, files=(brighter, contents.files[1])))
    blob = rb'id="golden-pixels-0">[^<]+'
    path = tmp_path / "changed.html"
    found = re.search(blob, other)
    assert found is not None
    path.write_bytes(re.sub(blob, found[0].replace(b"\\", b"\\\\"), page))
    assert opened(path).locator(".badge.bad").count() == 1


def test_drawing_others_and_choosing_a_class_change_the_grid(pages: Path, opened: Open) -> None:
    page = opened(pages / "latent.html")
    first = levels(page, "#grid canvas")
    page.get_by_role("button", name="Draw others").click()
    page.wait_for_timeout(200)
    others = levels(page, "#grid canvas")
    assert others != first
    page.get_by_role("radio", name="b", exact=True).check(force=True)
    page.wait_for_timeout(200)
    assert levels(page, "#grid canvas") != others


def test_walk_follows_pointer_keys_and_directions(pages: Path, opened: Open) -> None:
    page = opened(pages / "latent.html")
    page.wait_for_timeout(200)
    middle = levels(page, "#walk canvas")
    page.locator(".pad").scroll_into_view_if_needed()
    box = page.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 1, box["y"] + 1, steps=4)
    page.mouse.up()
    page.wait_for_timeout(200)
    corner = levels(page, "#walk canvas")
    assert corner != middle
    assert float(page.get_by_role("slider", name="Left to right").input_value()) < 0.05
    page.get_by_role("slider", name="Left to right").focus()
    page.keyboard.press("End")
    page.wait_for_timeout(200)
    right = levels(page, "#walk canvas")
    assert right != corner
    slide(page, "thickness", 2)
    page.wait_for_timeout(200)
    assert levels(page, "#walk canvas") != right


def test_at_a_corner_the_walk_draws_that_corner(pages: Path, opened: Open) -> None:
    page = opened(pages / "latent.html")
    for name in ("Left to right", "Top to bottom"):
        slide(page, name, 0)
    page.wait_for_timeout(200)
    assert levels(page, "#walk canvas") == levels(page, "#walk canvas.corner")


@pytest.mark.parametrize("kind", ["latent", "picture"])
def test_another_file_draws_everything_anew(kind: str, pages: Path, opened: Open) -> None:
    page = opened(pages / f"{kind}.html")
    page.get_by_role("radio", name="float32").check(force=True)
    page.wait_for_function("document.querySelector('#lead').textContent.includes('float32')")
    page.wait_for_timeout(300)
    assert "Largest difference 0 of 255" in page.locator("#compare output").inner_text()


@pytest.mark.parametrize("size", [(37, 50), (600, 900)])
def test_a_dropped_photo_goes_through_by_tiles_without_a_seam(
    size: tuple[int, int], pages: Path, page_of: Callable[..., Any], opened: Open
) -> None:
    """Tiles and a picture larger than the file's and than is shown, against the file's windows."""
    height, width = size
    photo = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    page = opened(pages / "picture.html")
    page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], 'photo.png', {type: 'image/png'}));
            const drop = new DragEvent('drop', {dataTransfer: transfer, bubbles: true});
            document.querySelector('header').dispatchEvent(drop);
        }""",
        base64.b64encode(png(photo)).decode(),
    )
    page.get_by_text(f"{width} × {height} → {2 * width} × {2 * height} pixels").wait_for()
    with page.expect_download() as waiting:
        page.locator("#photo").get_by_role("button", name="Save as PNG").click()
    drawn = np.asarray(Image.open(waiting.value.path()).convert("RGB"))
    file = page_of("picture").files[0]
    tensor = draw(file.content, photo[:0].astype(np.float32)).input
    corners = ((0, 0), (height - 16, width - 16), (10, 20), (height // 2 - 8, width // 2 - 8))
    windows = np.stack([photo[top : top + 16, left : left + 16] for top, left in corners])
    run = draw(file.content, stored_pictures(windows, file.reads, tensor))
    pixels = to_pixels(run.outputs, run.output, Pixels(low=-1, high=1, channels="rgb"))
    for (top, left), alone in zip(corners, pixels, strict=True):
        here = drawn[2 * top : 2 * top + 32, 2 * left : 2 * left + 32]
        inside = slice(2, -2)  # what the margin leaves
        assert np.array_equal(here[inside, inside], alone[inside, inside])


def test_a_large_photo_is_shown_smaller(pages: Path, opened: Open) -> None:
    photo = np.full((400, 1600, 3), 255, np.uint8)
    photo[:, 800:] = 0
    page = opened(pages / "picture.html")
    page.locator("#photo-file").set_input_files(file_of(photo))
    page.get_by_text("1600 × 400 → 3200 × 800 pixels").wait_for()
    before = np.array(levels(page, ".reveal canvas")).reshape(384, 1536)
    assert (before[:, :760] == 255).all()
    assert (before[:, 776:] == 0).all()
    assert len(levels(page, ".reveal canvas + canvas")) == 384 * 1536


def test_a_photo_is_stopped_on_the_way(pages: Path, opened: Open) -> None:
    page = opened(pages / "picture.html")
    page.evaluate(
        """() => {
            const work = document.querySelector('#photo .work');
            const stop = () => work.hidden || work.querySelector('button').click();
            new MutationObserver(stop).observe(work, {attributes: true});
        }"""
    )
    page.locator("#photo-file").set_input_files(file_of(np.zeros((600, 900, 3), np.uint8)))
    page.get_by_text("Stopped.").wait_for()
    assert page.locator("#photo .work").is_hidden()


def test_of_many_files_a_slider_chooses(
    page_of: Callable[..., Any], tmp_path: Path, opened: Open
) -> None:
    small, large = page_of().files
    labels = ("tiny", "small", "middling", "large")
    files = tuple(replace(small, label=label) for label in labels[:3])
    path = tmp_path / "front.html"
    path.write_bytes(make(page_of(files=(*files, replace(large, label="large")), reference=3))[1])
    page = opened(path)
    first = levels(page, "#grid canvas")
    slide(page, "Size: smallest to largest file", 3)
    page.wait_for_function("document.querySelector('#lead').textContent.includes('large')")
    page.wait_for_timeout(300)
    assert page.locator(".file-name").inner_text() == "large"
    assert levels(page, "#grid canvas") != first


def test_keys_reach_the_choice_of_a_photo_and_it_is_seen(pages: Path, opened: Open) -> None:
    page = opened(pages / "picture.html")
    page.get_by_role("slider", name="Before and after").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "photo-file"
    label = page.get_by_text("Choose a photo", exact=True)
    assert label.evaluate("label => getComputedStyle(label).outlineStyle") == "solid"


def test_what_is_no_picture_is_said(pages: Path, opened: Open) -> None:
    page = opened(pages / "picture.html")
    page.locator("#photo-file").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.get_by_text("This is no picture that the browser can read").wait_for()
    assert ".)" not in page.locator("#photo output").inner_text()


def test_the_slider_uncovers_what_was_before(pages: Path, opened: Open) -> None:
    page = opened(pages / "picture.html")
    slide(page, "Before and after", 0.25)
    style = page.locator(".reveal canvas + canvas").get_attribute("style")
    assert "25%" in style


def test_a_high_photo_is_no_higher_than_the_screen(pages: Path, opened: Open) -> None:
    page = opened(pages / "picture.html", viewport={"width": 1280, "height": 700})
    page.locator("#photo-file").set_input_files(file_of(np.zeros((90, 30, 3), np.uint8)))
    page.get_by_text("30 × 90 → 60 × 180 pixels").wait_for()
    box = page.locator(".reveal").bounding_box()
    assert box["height"] == pytest.approx(0.8 * 700, abs=2)


@pytest.mark.parametrize(("kind", "panel"), [("latent", "#grid"), ("picture", "#photo")])
def test_pictures_are_saved_aspng(kind: str, panel: str, pages: Path, opened: Open) -> None:
    page = opened(pages / f"{kind}.html")
    with page.expect_download() as waiting:
        page.locator(panel).get_by_role("button", name="Save as PNG").click()
    with Image.open(waiting.value.path()) as image:
        assert image.format == "PNG"
        assert image.getextrema()[0] != (0, 0)


def test_speed_is_measured(pages: Path, opened: Open) -> None:
    page = opened(pages / "latent.html")
    page.get_by_role("button", name="Measure").click()
    page.locator("#speed tbody tr").wait_for()
    cells = page.locator("#speed tbody tr td").all_inner_texts()
    assert float(cells[-1]) > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["latent", "picture", "hole"])
def test_nothing_is_wider_than_a_phone_and_axe_finds_nothing(
    kind: str, scheme: str, pages: Path, opened: Open
) -> None:
    page = opened(
        pages / f"{kind}.html",
        viewport={"width": 360, "height": 740},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    if kind == "hole":
        page.get_by_role("radio", name="hide", exact=True).check(force=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    if not AXE.is_file():
        pytest.skip("axe-core is missing: `npm ci` in deploy/web")
    page.evaluate(AXE.read_text())
    violations = page.evaluate("axe.run().then(result => result.violations)")
    assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []


@pytest.mark.parametrize("width", [360, 640, 920, 1280])
def test_headers_of_tables_are_not_cut(width: int, pages: Path, opened: Open) -> None:
    page = opened(pages / "latent.html", viewport={"width": width, "height": 800})
    page.get_by_role("button", name="Measure").click()
    page.locator("#speed tbody tr").wait_for()
    hidden = "[...document.querySelectorAll('.scroll')].map(it => it.scrollWidth - it.clientWidth)"
    assert page.evaluate(hidden) == [0, 0]


def test_nothing_is_asked_of_the_network(pages: Path, chromium: Any) -> None:
    page = chromium.new_page()
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto((pages / "picture.html").as_uri())
    page.wait_for_function("document.documentElement.dataset.golden", timeout=60_000)
    page.close()
    assert [url for url in asked_for if url.startswith(("http", "ws"))] == []
    assert json.dumps(asked_for[0]).endswith('picture.html"')
