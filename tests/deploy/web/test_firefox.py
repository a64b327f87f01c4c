"""The page in Firefox, opened from disk: what test_browser.py asks of Chromium, in short."""

from pathlib import Path

import pytest

from tests.deploy.web.marionette import Marionette

READY = "document.documentElement.dataset.golden !== undefined"


def _open(firefox: Marionette, path: Path, size: tuple[int, int] = (1280, 900)) -> None:
    firefox.open(path, size)
    firefox.wait_for("document.documentElement.dataset.state !== undefined")
    assert firefox.evaluate("document.documentElement.dataset.state") == "ready"
    firefox.wait_for(READY)


@pytest.mark.parametrize("kind", ["latent", "picture", "hole"])
def test_firefox_draws_the_desktops_pictures_bit_by_bit(
    kind: str, pages: Path, firefox: Marionette
) -> None:
    _open(firefox, pages / f"{kind}.html")
    badges = firefox.evaluate("[...document.querySelectorAll('.badge')].map(it => it.innerText)")
    assert "equal the desktop’s, bit by bit" in badges[0]
    assert badges[1].startswith("✓ float32")


def test_firefox_walks_measures_and_slides(pages: Path, firefox: Marionette) -> None:
    _open(firefox, pages / "latent.html")
    firefox.evaluate(
        "[...document.querySelectorAll('button')].find(it => it.innerText === 'Measure').click()"
    )
    firefox.wait_for("document.querySelector('#speed tbody tr') !== null")
    assert (
        float(firefox.evaluate("document.querySelector('#speed tbody td:last-child').innerText"))
        > 0
    )


def test_firefox_shows_what_is_damaged(pages: Path, tmp_path: Path, firefox: Marionette) -> None:
    page = (pages / "latent.html").read_text()
    place = page.index('id="file-0">') + 400
    path = tmp_path / "damaged.html"
    path.write_text(page[:place] + ("A" if page[place] != "A" else "B") + page[place + 1 :])
    firefox.open(path)
    firefox.wait_for("document.querySelector('.problem') !== null")
    assert "damaged" in firefox.evaluate("document.querySelector('.problem').innerText")
