"""What ships is what its sources give."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.web.browsers import VARIABLE, find_browser, headless_command
from deploy.web.page import BUILT, GPU_RUNTIME, MARK, PLACE, RUNTIME, THREADED_RUNTIME

WEB = BUILT.parent
LONGEST = 300  # lines of a source


def _run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def copy(node: str, tmp_path: Path) -> Path:
    """The folder of the page, to build in."""
    folder = tmp_path / "web"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("node_modules", "built"))
    (folder / "node_modules").symlink_to(WEB / "node_modules")
    return folder


def test_built_page_is_what_the_sources_give(node: str, copy: Path) -> None:
    _run(node, "build.mjs", folder=copy)
    for name in ("page.html", "bench.html"):
        assert (copy / "built" / name).read_bytes() == (BUILT / name).read_bytes()
    for name in (*RUNTIME, *THREADED_RUNTIME, *GPU_RUNTIME):
        fresh, shipped = (folder / f"{name}.gz" for folder in (copy / "built", BUILT))
        assert gzip.decompress(fresh.read_bytes()) == gzip.decompress(shipped.read_bytes())


def test_sources_pass_their_own_tests_and_types(node: str, copy: Path) -> None:
    _run(node, "node_modules/typescript/bin/tsc", "--noEmit", folder=copy)
    _run(node, "build.mjs", "--tests", folder=copy)
    _run(node, "--test", ".tests/", folder=copy)


def test_built_page_has_one_place_for_contents_and_loads_nothing() -> None:
    page = (BUILT / "page.html").read_bytes()
    assert page.count(PLACE) == 1
    assert MARK in page
    assert re.findall(rb'(?:src|href)="(?!data:|https://ai\.google\.dev/)', page) == []
    assert b"import(" not in page


def test_sources_are_short_and_pinned() -> None:
    for source in (WEB / "src").iterdir():
        assert len(source.read_text().splitlines()) <= LONGEST, source.name
    versions = re.findall(r'"[@\w/-]+": "([\^~>].*)"', (WEB / "package.json").read_text())
    assert versions == []
    assert "resolved" not in (WEB / "package-lock.json").read_text()


def test_a_browser_is_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "chromium"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(program))
    assert find_browser() == program
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    assert find_browser() is None
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() == program
    program.rename(tmp_path / "firefox")
    assert find_browser() == tmp_path / "firefox"
    assert headless_command(tmp_path / "firefox", "own", "url")[-3:] == ["--profile", "own", "url"]
