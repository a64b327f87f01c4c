"""A browser of this machine that runs without a window."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "POCKETGAN_BROWSER"
"""The environment variable that names a browser's program."""
CHROMIUMS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "headless_shell"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FIREFOXES = ("firefox", "firefox-esr", "/Applications/Firefox.app/Contents/MacOS/firefox")
SWITCHES = (
    *("--headless", "--no-first-run", "--disable-extensions", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

WITHOUT_GPU = ("--disable-gpu",)
WITH_GPU = ("--enable-unsafe-webgpu", "--enable-features=Vulkan")
"""WebGPU also without a window and on Linux. Where there is no GPU, Chromium plays one."""


def find_browser() -> Path | None:
    """The program that ``POCKETGAN_BROWSER`` names; else a Chromium that is here, or a Firefox."""
    named = os.environ.get(VARIABLE)
    places = [named] if named else map(shutil.which, (*CHROMIUMS, *FIREFOXES))
    return next((Path(place) for place in places if place and Path(place).is_file()), None)


def is_firefox(program: Path) -> bool:
    return "firefox" in program.name.lower()


def headless_command(
    program: Path, profile: str, url: str, switches: Sequence[str] = WITHOUT_GPU
) -> list[str]:
    """What starts that browser at ``url``, without a window, with a folder for its own data."""
    if is_firefox(program):
        return [str(program), "--headless", "--no-remote", "--profile", profile, url]
    # Its sandbox needs rights that a container's root lacks; it opens nothing but our page.
    own = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [str(program), *SWITCHES, *switches, *own, f"--user-data-dir={profile}", url]
