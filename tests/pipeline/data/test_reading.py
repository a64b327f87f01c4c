from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data.listing import find
from pipeline.data.reading import TILES, WHOLE, Request, read, refuse_more_than_memory, single


def request(tmp_path: Path, cut: str) -> Request:
    return Request(
        image_size=8,
        channels=1,
        folder=None,
        cache=tmp_path / "cache",
        test_fraction=0.5,
        seed=1,
        cut=cut,
    )


@pytest.mark.parametrize(("memory", "fits"), [(2 * 3 * 64, True), (2 * 3 * 64 - 1, False)])
def test_pictures_that_memory_cannot_hold_are_refused_with_a_size_that_it_can(
    memory: int, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.reading.usable_memory", lambda: memory)
    asked = request(tmp_path, WHOLE)
    if fits:
        refuse_more_than_memory(3, asked)
        return
    with pytest.raises(PocketganError, match=r"3 pictures of 8×8 pixels need 0\.0 GB") as caught:
        refuse_more_than_memory(3, asked)
    assert caught.value.remedy == "Set data.image_size to 7 or less."
    refuse_more_than_memory(3, replace(asked, image_size=7))
    with pytest.raises(PocketganError) as caught:
        refuse_more_than_memory(3, replace(asked, size_is_fixed=True))
    assert caught.value.remedy == "Give about 2 of them."
    refuse_more_than_memory(2, replace(asked, size_is_fixed=True))
    with pytest.raises(PocketganError) as caught:
        refuse_more_than_memory(1, replace(asked, image_size=100))
    assert caught.value.remedy == "Set data.image_size to 13 or less."
    monkeypatch.setattr("pipeline.data.reading.usable_memory", lambda: 2 * 95 * 95)
    with pytest.raises(PocketganError) as caught:
        refuse_more_than_memory(1, replace(asked, image_size=100))
    assert caught.value.remedy == "Set data.image_size to 80 or less."


@pytest.mark.parametrize("fits", [True, False])
def test_tiles_that_memory_cannot_hold_are_refused_with_how_many_photos_it_can(
    fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files:
        Image.new("L", (20, 16), 7).save(file)
    (tmp_path / "broken.png").write_bytes(b"?")
    items = [(file,) for file in (*files, tmp_path / "broken.png")]
    need = 2 * 4 * 20 * 16
    monkeypatch.setattr("pipeline.data.reading.usable_memory", lambda: need - (not fits))
    if fits:
        assert len(read(items, single, request(tmp_path, TILES)).pictures) == 16
        return
    with pytest.raises(PocketganError, match=r"tiles of 5 photos need 0\.0 GB") as caught:
        read(items, single, request(tmp_path, TILES))
    assert caught.value.remedy == "Give about 4 of them."


@pytest.mark.parametrize(("cut", "counts"), [(WHOLE, [1, 0, 1]), (TILES, [6, 0, 1])])
def test_read_counts_what_each_file_gave_and_keeps_the_order(
    tmp_path: Path, cut: str, counts: list[int]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("L", (24, 16), 7).save(images / "a.png")
    (images / "b.png").touch()
    Image.new("LA", (8, 8), (9, 255)).save(images / "c.png")
    for _ in ("decoded", "from the cache"):
        decoded = read([(path,) for path in find(images)], single, request(tmp_path, cut))
        assert decoded.counts.tolist() == counts
        assert decoded.pictures.shape == (sum(counts), 1, 8, 8, 1)
        assert decoded.pictures[:, 0, 0, 0, 0].tolist() == [7] * counts[0] + [9] * counts[2]
        assert decoded.reasons.tolist() == ["", "not an image that Pillow knows", ""]
        assert decoded.treatments == ()


def test_read_keeps_tiles_and_whole_pictures_apart_in_the_cache(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("L", (24, 16), 7).save(images / "a.png")
    items = [(path,) for path in find(images)]
    assert len(read(items, single, request(tmp_path, TILES)).pictures) == 6
    assert len(read(items, single, request(tmp_path, WHOLE)).pictures) == 1


def test_pictures_that_are_enlarged_are_counted_and_the_smallest_tells_by_how_much(
    tmp_path: Path,
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name, size in (("a", (24, 16)), ("b", (5, 40)), ("c", (7, 7)), ("d", (8, 8))):
        Image.new("L", size, 7).save(images / f"{name}.png")
    decoded = read([(path,) for path in find(images)], single, request(tmp_path, WHOLE))
    assert decoded.treatments == (
        "smaller than asked for: enlarged, the smallest 1.6 times (2 of 4)",
    )


@pytest.mark.parametrize("size", [(1, 500), (500, 3), (2, 2)])
def test_pictures_of_hardly_any_pixels_are_skipped_by_name(
    size: tuple[int, int], tmp_path: Path
) -> None:
    Image.new("L", size, 7).save(tmp_path / "line.png")
    decoded = read([(tmp_path / "line.png",)], single, request(tmp_path, WHOLE))
    assert decoded.counts.tolist() == [0]
    assert decoded.treatments == ()
    assert decoded.skipped(["line.png"]) == [
        f"line.png: {size[0]}×{size[1]} pixels: fewer than 4 on a side show nothing"
    ]
