"""A browser of this machine that runs without a window."""

import os
import shutil
from pathlib import Path

VARIABLE = "POCKETGAN_BROWSER"
"""The environment variable that names a browser's program."""
NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "headless_shell"),
)
MAC = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)


def find_browser() -> Path | None:
    """The program that ``POCKETGAN_BROWSER`` names, or a Chromium of this machine."""
    named = os.environ.get(VARIABLE)
    places = [named] if named else [*map(shutil.which, NAMES), *MAC]
    return next((Path(place) for place in places if place and Path(place).is_file()), None)
