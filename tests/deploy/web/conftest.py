"""Pages of small real generators, and a browser to open them in."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.bundle.schema import Direction, Latent, PictureInput, Tiles
from deploy.web.browsers import FIREFOXES, find_browser, is_firefox
from deploy.web.gallery import FigureTable, GateLine
from deploy.web.make import PageContents, PageFile, make
from tests.deploy.web.marionette import Marionette, running
from tests.deploy.web.pages import Open

LENGTH, CLASSES, SIDE = 8, 3, 6
TILE = 16
HIDDEN = 100
"""The level that stands where a picture is hidden."""


@cache
def _file(kind: str, *, int8: bool) -> bytes:
    """A generator of ``SIDE`` pixels of latents, or a translator that doubles pictures of ``TILE``:
    of the picture alone, or of one with a hole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        import tf_keras

        from pipeline.tflite import convert

        tf_keras.utils.set_random_seed(3)
        if kind == "latent":
            network, rows = _latent(tf_keras)
        else:
            network, rows = _translator(tf_keras, depth=4 if kind == "hole" else 3)
        if int8:
            return convert.to_int8_post_training(network, rows, 1)
        return convert.to_float32(network, 1)


def _latent(tf_keras: Any) -> tuple[Any, np.ndarray]:
    layers = tf_keras.layers
    network = tf_keras.Sequential(
        [
            layers.Input((LENGTH + CLASSES,), name="latent"),
            layers.Dense(SIDE * SIDE, name="project"),
            layers.Reshape((SIDE, SIDE, 1), name="picture"),
            layers.Activation("tanh", name="image"),
        ],
        name="generator",
    )
    rows = np.random.default_rng(1).standard_normal((64, LENGTH + CLASSES))
    return network, rows.astype(np.float32)


def _translator(tf_keras: Any, depth: int) -> tuple[Any, np.ndarray]:
    layers = tf_keras.layers
    network = tf_keras.Sequential(
        [
            layers.Input((TILE, TILE, depth), name="photo"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="look"),
            layers.Conv2DTranspose(3, 2, strides=2, activation="tanh", name="image"),
        ],
        name="translator",
    )
    rows = np.random.default_rng(1).uniform(-1, 1, (64, TILE, TILE, depth))
    return network, rows.astype(np.float32)


PageOf = Callable[..., PageContents]


@pytest.fixture(scope="session")
def page_of() -> PageOf:
    """A function that gives what a page of that kind shows; keywords replace parts of it."""

    def give(kind: str = "latent", **changes: Any) -> PageContents:
        directions = (Direction(name="thickness", vector=(1.0, *[0.0] * (LENGTH - 1))),)
        latent = Latent(
            length=LENGTH, classes=CLASSES, class_names=("a", "b", "c"), directions=directions
        )
        tiles = Tiles(scale=2, multiple=1, margin=1, seamless=True)
        hole: dict[str, Any] = {"mask": True, "hidden": HIDDEN} if kind == "hole" else {}
        picture = PictureInput(low=-1, high=1, channels="rgb", tiles=tiles, **hole)
        files = [
            PageFile(
                content=_file(kind, int8=int8),
                label="int8" if int8 else "float32",
                variant="int8" if int8 else "float32",
                reads=latent if kind == "latent" else picture,
                pixels=(-1.0, 1.0),
                quality="Fréchet 1.5",
            )
            for int8 in (True, False)
        ]
        parts: dict[str, Any] = {
            "title": "small </script><b>",
            "pocketgan": "0",
            "files": tuple(files),
            "reference": 1,
            "table": FigureTable(columns=("file", "Gzip, kB"), rows=(("int8", "1.2"),)),
            "gates": (GateLine(text="zeros >= 0.75", passed=False),),
        }
        if kind != "latent":
            parts["examples"] = _photos(5, depth=4 if kind == "hole" else 3)
        return PageContents(**{**parts, **changes})

    return give


def _photos(count: int, depth: int) -> np.ndarray:
    """Noise; of the mask, where there is one, a corner is hidden."""
    photos = np.random.default_rng(7).integers(0, 256, (count, TILE, TILE, depth), np.uint8)
    if depth == 4:
        photos[..., 3] = 0
        photos[:, :4, :4, 3] = 255
    return photos


@pytest.fixture(scope="session")
def pages(page_of: PageOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages latent.html, picture.html and hole.html. For looking at only."""
    folder = tmp_path_factory.mktemp("pages")
    for kind in ("latent", "picture", "hole"):
        (folder / f"{kind}.html").write_bytes(make(page_of(kind))[1])
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright; skips where one of them is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_browser()
    if path is None or is_firefox(path):
        pytest.skip("no Chromium on this machine: name one in POCKETGAN_BROWSER")
    with playwright.sync_playwright() as driver:
        # A sandbox needs rights that a container does not give.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=str(path), args=options)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Open]:
    """A function that opens a page and waits until it has checked itself; none may complain."""
    complaints: list[str] = []
    contexts = []

    def give(path: Path, state: str = "ready", **options: Any) -> Any:
        contexts.append(chromium.new_context(accept_downloads=True, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path.as_uri())
        page.wait_for_function("document.documentElement.dataset.state", timeout=60_000)
        assert page.evaluate("document.documentElement.dataset.state") == state
        if state == "ready":
            page.wait_for_function("document.documentElement.dataset.golden", timeout=60_000)
        return page

    yield give
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marionette]:
    """A headless Firefox, driven by what is built into it; skips where there is none."""
    path = next(filter(None, map(shutil.which, FIREFOXES)), None)
    if path is None:
        pytest.skip("no Firefox on this machine")
    with running(path, tmp_path_factory.mktemp("firefox")) as driver:
        yield driver


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js; skips where it or the page's packages are missing."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("no Node.js on this machine")
    if not (Path(__file__).parents[3] / "deploy/web/node_modules").is_dir():
        pytest.skip("deploy/web/node_modules is missing: `npm ci` in deploy/web")
    return path
