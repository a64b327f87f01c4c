"""Gallery pages in a headless browser: how soon, how fast and how exactly they draw.

    python -m tools.experiments.gallery_page runs/digits/gallery.html more/gallery.html …

Of each page: its bytes; milliseconds from opening it until its first pictures are drawn, the median
of five; frames a second of the walk, and the median of the milliseconds that the page works for
one of them (60 a second leave 16.7; other jobs on the machine hardly touch a median); pictures a
second of the shipped file, one after another, and the median of one; and of ``--inputs`` inputs,
drawn from seeds or noise, how many pictures equal those of the desktop's runtime, every pixel. With
``--megapixels`` a photo of that size goes through by tiles, in so many seconds, and another is
stopped on the way. Above the table stands how busy the machine was.

The browser is the one that POCKETGAN_BROWSER names; Playwright drives it. Its figures stand in
docs/gallery.md.
"""

import argparse
import base64
import gzip
import io
import os
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deploy.bundle.drawing import draw, encode, latents, stored_pictures, to_pixels
from deploy.bundle.schema import Latent, Pixels
from deploy.errors import PocketganError
from deploy.web.browsers import VARIABLE, find_browser
from deploy.web.gallery import Gallery, GalleryFile
from tools.console import run_as_program
from tools.tables import Table

HEAD = (
    *("page", "MB", "first picture, ms", "frames/s", "work a frame, ms", "pictures/s"),
    *("median, ms", "equal pictures", "photo, s", "stopped after, ms"),
)
OPENED = 5
SMALLEST_PHOTO = 256
"""Pixels of its width: what is narrower is an example that the page brings along."""
BATCH = 50
"""Inputs that are sent to the page at a time."""
TIME_FRAMES = """() => {
    const raf = window.requestAnimationFrame.bind(window);
    window.work = new Map(); // time of a frame -> ms that the page works for it
    window.requestAnimationFrame = act => {
        let start;
        const number = raf(time => { start = performance.now(); act(time); });
        // Called next, when all that the first call led to is done.
        raf(time => work.set(time, (work.get(time) ?? 0) + performance.now() - start));
        return number;
    };
}"""
STOP = """() => new Promise(resolve => {
    const start = performance.now();
    [...document.querySelectorAll('#photo button')].find(it => it.textContent === 'Stop').click();
    const look = () => document.querySelector('#photo output').textContent === 'Stopped.'
        ? resolve(performance.now() - start) : setTimeout(look);
    look();
})"""
DRAW = """rows => {
    const bytes = row => Uint8Array.from(atob(row), letter => letter.charCodeAt(0));
    const draw = row => gallery.stage.generator.drawEncoded(bytes(row)).levels;
    return rows.map(row => btoa(String.fromCharCode(...draw(row))));
}"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--megapixels", type=float, default=0)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} before\n")
    with headless() as browser:
        rows = [row_of(browser, page, options.inputs, options.megapixels) for page in options.pages]
    print(Table(HEAD, rows, ()).markdown())
    return 0


@contextmanager
def headless() -> Iterator[Any]:
    """A browser without a window, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    path = find_browser()
    if path is None:
        raise PocketganError("There is no browser here.", f"Name a Chromium in {VARIABLE}.")
    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=str(path), args=["--no-sandbox"])


def row_of(browser: Any, path: Path, inputs: int, megapixels: float) -> list[str]:
    firsts = []
    for _ in range(OPENED):
        context = browser.new_context()
        page = open_page(context, path)
        mark = "performance.getEntriesByName('first-picture')[0].startTime"
        firsts.append(page.evaluate(mark))
        if len(firsts) < OPENED:
            context.close()
    document, content = parts_of(path)
    equal = count_equal(page, document.files[document.shipped], content, inputs)
    return [
        path.stem,
        f"{path.stat().st_size / 1e6:.1f}",
        f"{statistics.median(firsts):.0f}",
        *frames_a_second(page),
        *pictures_a_second(page),
        f"{equal} of {inputs}",
        *(by_tiles(page, megapixels) if megapixels else ("–", "–")),
    ]


def open_page(context: Any, path: Path) -> Any:
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    page.wait_for_function("document.documentElement.dataset.golden", timeout=120_000)
    return page


def parts_of(path: Path) -> tuple[Gallery, bytes]:
    """The document of a page, and the file that draws first."""
    text = path.read_text()
    document = Gallery.model_validate_json(_element(text, "document"))
    packed = base64.b64decode(_element(text, f"file-{document.shipped}"))
    return document, gzip.decompress(packed)


def _element(text: str, name: str) -> str:
    match = re.search(rf'id="{name}">([^<]*)<', text)
    if match is None:
        raise PocketganError(
            f"the page has no part '{name}'.", "Write it with `pocketgan gallery`."
        )
    return match[1]


def count_equal(page: Any, file: GalleryFile, content: bytes, count: int) -> int:
    """How many of so many inputs the page turns into the very pixels that the desktop draws."""
    if isinstance(file.reads, Latent):
        labels = [seed % max(1, file.reads.classes) for seed in range(count)]
        stored = encode(latents(file.reads, range(count), labels), file.input)
    else:
        shape = (count, *file.input.shape[1:])
        noise = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
        stored = stored_pictures(noise, file.reads, file.input)
    run = draw(content, stored)
    channels = "grey" if file.output.shape[-1] == 1 else "rgb"
    pixels = Pixels(low=file.low, high=file.high, channels=channels)  # type: ignore[arg-type]
    expected = to_pixels(run.outputs, run.output, pixels).reshape(count, -1)
    equal = 0
    for start in range(0, count, BATCH):
        rows = [base64.b64encode(row.tobytes()).decode() for row in stored[start : start + BATCH]]
        answers = page.evaluate(DRAW, rows)
        for answer, row in zip(answers, expected[start : start + BATCH], strict=True):
            equal += base64.b64decode(answer) == row.tobytes()
    return equal


def frames_a_second(page: Any) -> tuple[str, str]:
    """Of the walk, and what the page works for one frame."""
    if not page.locator("#walk").count():
        return "–", "–"
    page.evaluate(TIME_FRAMES)
    page.get_by_role("button", name="Let it walk").click()
    page.wait_for_timeout(4000)
    words: str = page.locator("#walk > output").inner_text()
    page.get_by_role("button", name="Stop").click()
    work = statistics.median(page.evaluate("[...work.values()]"))
    return words.split()[0], f"{work:.1f}"


def pictures_a_second(page: Any) -> tuple[str, str]:
    """Of the shipped file, and the median of one in ms."""
    page.get_by_role("button", name="Measure").click()
    page.locator("#speed tbody tr").wait_for(timeout=120_000)
    cells: list[str] = page.locator("#speed tbody td").all_inner_texts()
    return cells[-1], cells[1]


def by_tiles(page: Any, megapixels: float) -> tuple[str, str]:
    """Seconds of a photo by tiles, and ms from asking for an end to having it."""
    if not page.locator("#photo").count():
        return "–", "–"
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    levels = np.add.outer(np.arange(height), np.arange(width)) % 256
    content = io.BytesIO()
    Image.fromarray(np.repeat(levels.astype(np.uint8)[..., None], 3, axis=-1)).save(content, "PNG")
    page.get_by_role("radio", name="All of it").check(force=True)
    photo = {"name": "photo.png", "mimeType": "image/png", "buffer": content.getvalue()}
    page.locator("#photo-file").set_input_files(photo)
    words = "document.querySelector('#photo output').textContent"
    done = f"parseInt({words}) > {SMALLEST_PHOTO} && {words}.endsWith('s.')"
    page.wait_for_function(done, timeout=900_000)
    seconds = str(page.evaluate(words)).rpartition(" in ")[2]
    page.locator("#photo-file").set_input_files(photo)
    page.wait_for_function(
        "document.querySelector('#photo progress').value > 0.01", timeout=120_000
    )
    stopped = page.evaluate(STOP)
    return seconds.rstrip("."), f"{stopped:.0f}"


if __name__ == "__main__":
    run_as_program(main)
