"""A file in a folder or bucket: as it was left, or refused."""

import sys
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from pipeline.search.sent_files import fetch, require_place, send


def test_folder_keeps_it_once_by_its_hash(tmp_path: Path) -> None:
    place = send(b"content", str(tmp_path / "new" / "folder"))
    assert send(b"content", str(tmp_path / "new" / "folder")) == place
    assert len([*(tmp_path / "new" / "folder").iterdir()]) == 1
    assert Path(place.url).is_absolute()
    assert fetch(place) == b"content"


def test_bucket_keeps_it() -> None:
    pytest.importorskip("fsspec", reason="needs fsspec (pip install fsspec)")
    place = send(b"content", "memory://bucket/folder/")
    assert place.url.startswith("memory://bucket/folder/pocketgan-")
    assert fetch(place) == b"content"


def test_something_else_in_its_place_is_refused(tmp_path: Path) -> None:
    place = send(b"content", str(tmp_path))
    Path(place.url).write_bytes(b"contents")
    with pytest.raises(PocketganError, match="its hash differs"):
        fetch(place)


def test_what_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PocketganError, match=r"file cannot be written to: .*exists"):
        send(b"content", str(tmp_path / "file"))
    with pytest.raises(PocketganError, match=r"not to be had here.*\n  Begin the search with"):
        fetch(send(b"", str(tmp_path)).model_copy(update={"url": str(tmp_path / "none")}))
    pytest.importorskip("fsspec", reason="needs fsspec (pip install fsspec)")
    with pytest.raises(PocketganError, match="cannot be written to") as error:
        send(b"content", "nosuch://user:word@bucket")
    assert "word" not in str(error.value)


def test_place_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    require_place(str(tmp_path))
    assert not [*tmp_path.iterdir()]
    (tmp_path / "file").touch()
    with pytest.raises(PocketganError, match="cannot be written to"):
        require_place(str(tmp_path / "file"))
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec (pip install fsspec)")
    require_place("memory://tried/folder")
    assert not fsspec.filesystem("memory").find("tried")


def test_bucket_without_its_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(PocketganError, match=r"by the package fsspec.*\n  pip install fsspec"):
        send(b"content", "s3://bucket")
