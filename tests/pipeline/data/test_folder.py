import os
import resource
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data import folder
from pipeline.data.dataset import Dataset
from pipeline.data.reading import Request

Load = Callable[..., Dataset]


def write(path: Path, grey: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (12, 12), grey).save(path)
    return path


def fill(root: Path, count: int = 10) -> Path:
    """A folder of plain images, each of a grey of its own."""
    for index in range(count):
        write(root / f"{index:02}.png", 10 * index)
    return root


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def load(images: Path, tmp_path: Path) -> Load:
    def load(root: Path = images, **changes: Any) -> Dataset:
        settings: dict[str, Any] = {
            "folder": root,
            "image_size": 8,
            "channels": 1,
            "cache": tmp_path / "cache",
            "test_fraction": 0.2,
            "seed": 1,
        }
        return folder.load(Request(**(settings | changes)))

    return load


def greys(data: Dataset) -> list[int]:
    return sorted([*data.train[:, 0, 0, 0].tolist(), *data.test[:, 0, 0, 0].tolist()])


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").iterdir())


def test_folder_gives_every_image_in_one_of_two_parts(images: Path, load: Load) -> None:
    data = load(fill(images))
    assert data.train.shape == (8, 8, 8, 1)
    assert data.test.shape == (2, 8, 8, 1)
    assert data.train.dtype == np.uint8
    assert greys(data) == list(range(0, 100, 10))
    assert (data.name, data.classes, data.train_labels, data.notes) == ("images", (), None, ())


def test_folder_gives_the_size_and_channels_asked(images: Path, load: Load) -> None:
    assert load(fill(images), image_size=20, channels=3).train.shape == (8, 20, 20, 3)


def test_folder_looks_into_folders_within_folders(images: Path, load: Load) -> None:
    write(images / "a" / "b" / "c" / "deep.png", 40)
    write(images / "flat.PNG", 50)
    assert greys(load()) == [40, 50]


def test_folder_passes_over_hidden_files_and_what_is_no_image(images: Path, load: Load) -> None:
    fill(images, 3)
    (images / "notes.txt").write_text("not an image, and not meant as one")
    write(images / ".hidden" / "a.png")
    (images / "._00.png").write_bytes(b"a resource fork")
    data = load()
    assert greys(data) == [0, 10, 20]
    assert data.notes == ()


def test_pictures_of_formats_that_are_not_read_are_counted(images: Path, load: Load) -> None:
    fill(images, 3)
    for file in ("a.svg", "b.HEIC", "sub/c.heic", ".hidden/d.heic"):
        (images / file).parent.mkdir(exist_ok=True)
        (images / file).write_text("<svg/>")
    data = load()
    assert greys(data) == [0, 10, 20]
    assert data.notes == ("formats that are not read: 2 .heic, 1 .svg (save them as PNG or JPEG)",)


def test_folder_of_nothing_but_such_formats_says_so(images: Path, load: Load) -> None:
    images.mkdir(exist_ok=True)
    (images / "a.heic").touch()
    with pytest.raises(PocketganError, match=r"holds no image\. formats .* not read: 1 \.heic"):
        load()


@pytest.mark.parametrize(
    ("files", "note"),
    [
        (
            ("a/1.png", "b/2.png", "3.png", "4.png"),
            "no classes: beside the 2 sub-folders lie pictures (3.png and 1 more); if those are "
            "classes, move these into one",
        ),
        (
            ("a/1.png", "b/2.png", "b/c/3.png"),
            "no classes: deeper inside the 2 sub-folders lie pictures (b/c/3.png); if those are "
            "classes, move these into one",
        ),
        (("a/1.png", "2.png", "3.png"), None),
        (("1.png", "2.png"), None),
        (("a/1.png", "b/2.png"), None),
    ],
)
def test_pictures_that_keep_sub_folders_from_being_classes_are_told(
    files: tuple[str, ...], note: str | None, images: Path, load: Load
) -> None:
    for number, file in enumerate(files):
        write(images / file, 10 * number)
    data = load()
    assert data.notes == (() if note is None else (note,))
    assert bool(data.classes) == (files == ("a/1.png", "b/2.png"))


def test_folder_skips_broken_images_and_lists_them(images: Path, load: Load) -> None:
    fill(images, 4)
    (images / "empty.png").touch()
    (images / "text.jpg").write_text("hello")
    (images / "sub").mkdir()
    whole = write(images / "sub" / "cut.bmp").read_bytes()
    (images / "sub" / "cut.bmp").write_bytes(whole[:-60])
    Image.new("F", (12, 12), 0.5).save(images / "sub" / "float.tif")
    data = load()
    assert greys(data) == [0, 10, 20, 30]
    assert data.notes[0] == "4 of 8 images are broken or too small and were skipped"
    assert data.notes[1] == "empty.png: not an image that Pillow knows"
    assert data.notes[2].startswith("sub/cut.bmp: image file is truncated")
    assert data.notes[3] == "sub/float.tif: floating-point pixels have no fixed range"
    assert data.notes[4] == "text.jpg: not an image that Pillow knows"


def test_folder_is_the_same_data_and_notes_from_the_cache(
    images: Path, load: Load, tmp_path: Path
) -> None:
    fill(images)
    (images / "broken.png").touch()
    first, (path,) = load(), cached(tmp_path)
    stamp = path.stat().st_mtime_ns
    again = load()
    assert path.stat().st_mtime_ns == stamp
    assert again.sha256 == first.sha256
    assert again.notes == first.notes


def test_folder_is_read_from_the_cache_when_nothing_changed(images: Path, load: Load) -> None:
    path = write(fill(images) / "00.bmp", 5)
    stat = path.stat()
    first = load()
    write(path, 200)  # as many bytes
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert load().sha256 == first.sha256
    os.utime(path)
    assert load().sha256 != first.sha256


def test_folder_keeps_other_sizes_channels_and_folders_apart_in_the_cache(
    images: Path, load: Load, tmp_path: Path
) -> None:
    load(fill(images))
    assert load(image_size=9).train.shape[1:] == (9, 9, 1)
    assert load(channels=3).train.shape[1:] == (8, 8, 3)
    assert len(cached(tmp_path)) == 3


def test_folder_is_not_taken_for_another_of_equal_names_sizes_and_times(
    load: Load, tmp_path: Path
) -> None:
    for name, grey in (("one", 10), ("two", 20)):
        for number, file in enumerate(("a.bmp", "b.bmp")):
            os.utime(write(tmp_path / name / file, grey + number), ns=(0, 0))
    assert greys(load(tmp_path / "one")) == [10, 11]
    assert greys(load(tmp_path / "two")) == [20, 21]


def test_copies_of_a_test_picture_are_not_trained_on(images: Path, load: Load) -> None:
    fill(images)
    for path in sorted(images.iterdir()):
        shutil.copy(path, images / f"copy-of-{path.name}")
    data = load()
    train, test = ({picture.tobytes() for picture in part} for part in (data.train, data.test))
    assert not train & test
    assert len(test) == len(data.test) >= 3
    assert len(train | test) == 10
    assert data.notes == (
        "10 are copies of others, and no copy of a test picture is trained on: copy-of-00.png is "
        "00.png; copy-of-01.png is 01.png; copy-of-02.png is 02.png; copy-of-03.png is 03.png; "
        "copy-of-04.png is 04.png and 5 more",
    )


def test_copies_of_one_picture_alone_are_refused(images: Path, load: Load) -> None:
    for number in range(3):
        write(images / f"{number}.png")
    with pytest.raises(PocketganError, match=r"a single usable image \(0.png, 3 times\)"):
        load()


def test_folder_rebuilds_a_damaged_cache_without_a_word(
    images: Path, load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = load(fill(images)).sha256
    (path,) = cached(tmp_path)
    sound = path.read_bytes()
    positions = np.linspace(0, len(sound) - 1, 60).astype(int)
    for damaged in (
        b"",
        b"text",
        sound[: len(sound) // 2],
        zlib.compress(sound),
        *(sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :] for at in positions),
    ):
        path.write_bytes(damaged)
        assert load().sha256 == first
    path.write_bytes(b"")
    load()
    assert path.read_bytes()[:2] == b"PK"
    assert "error" not in capsys.readouterr().err.lower()


def test_folder_leaves_nothing_but_the_finished_cache(
    images: Path, load: Load, tmp_path: Path
) -> None:
    load(fill(images))
    assert [path.suffix for path in cached(tmp_path)] == [".npz"]


def test_folder_says_where_the_cache_cannot_be_written(
    images: Path, load: Load, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PocketganError, match=r"cannot be stored in .*file") as caught:
        load(fill(images), cache=tmp_path / "file")
    assert "another folder" in caught.value.remedy


@pytest.mark.parametrize("limit", [500, 1000])
def test_folder_leaves_nothing_half_written_where_the_disk_is_full(
    images: Path, load: Load, tmp_path: Path, limit: int
) -> None:
    fill(images)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(PocketganError, match=r"cannot be stored in .*: File too large"):
            load()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert cached(tmp_path) == []


def test_folder_takes_names_of_sub_folders_for_classes(images: Path, load: Load) -> None:
    for index in range(10):
        write(images / "dogs" / f"{index}.png", 100 + index)
        write(images / "cats" / f"{index}.png", index)
    data = load()
    assert data.classes == ("cats", "dogs")
    assert data.train_labels is not None
    assert data.test_labels is not None
    assert (data.train_labels == (data.train[:, 0, 0, 0] >= 100)).all()
    assert (data.test_labels == (data.test[:, 0, 0, 0] >= 100)).all()
    assert np.bincount(data.test_labels).tolist() == [2, 2]
    assert data.train_labels.dtype == np.int64


@pytest.mark.parametrize(
    "names",
    [
        ("one/a.png", "one/b.png"),
        ("one/a.png", "two/b.png", "c.png"),
        ("one/a.png", "two/deep/b.png"),
    ],
    ids=["single", "one image beside them", "one image deeper"],
)
def test_folder_has_no_classes_where_sub_folders_do_not_hold_them(
    images: Path, load: Load, names: tuple[str, ...]
) -> None:
    for index, name in enumerate(names):
        write(images / name, index)
    data = load()
    assert data.classes == ()
    assert data.train_labels is None


def test_folder_does_not_let_a_broken_image_decide_about_classes(images: Path, load: Load) -> None:
    write(images / "cats" / "a.png")
    write(images / "dogs" / "a.png", 9)
    (images / "stray.png").touch()
    (images / "owls").mkdir()
    (images / "owls" / "broken.png").touch()
    assert load().classes == ("cats", "dogs")


def test_folder_is_divided_by_the_seed_alone(images: Path, load: Load, tmp_path: Path) -> None:
    fill(images)
    assert load(seed=1, cache=tmp_path / "other").sha256 == load(seed=1).sha256
    assert load(seed=2).sha256 != load(seed=1).sha256


def test_folder_takes_names_that_are_no_text(images: Path, load: Load) -> None:
    images.mkdir()
    broken = os.fsencode(images) + b"/\xff.png"
    Path(os.fsdecode(broken)).touch()
    fill(images, 2)
    assert load().notes[1] == "?.png: not an image that Pillow knows"
    load().notes[1].encode()


def test_folder_looks_into_linked_folders_each_once(
    images: Path, load: Load, tmp_path: Path
) -> None:
    for index in range(4):
        write(tmp_path / "disk" / "cats" / f"{index}.png", index)
        write(images / "dogs" / f"{index}.png", 100 + index)
    (images / "cats").symlink_to(tmp_path / "disk" / "cats")
    (images / "again").symlink_to(images / "dogs")
    (images / "dogs" / "loop").symlink_to(images)
    (images / "dogs" / "above").symlink_to(tmp_path)
    data = load()
    assert data.classes == ("cats", "dogs")
    assert greys(data) == [0, 1, 2, 3, 100, 101, 102, 103]


def test_folder_does_not_pass_over_a_folder_that_the_system_withholds(
    images: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(images)
    (images / "mine").mkdir()
    (images / ".hidden").mkdir()
    list_folder = os.scandir

    def withhold(path: Any) -> Any:
        if Path(path).name in ("mine", ".hidden"):
            raise PermissionError(13, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", withhold)
    with pytest.raises(PocketganError, match=r"images/mine cannot be read: Permission denied"):
        load()


def test_folder_does_not_take_a_file_that_the_system_withholds_for_a_broken_one(
    images: Path, load: Load, tmp_path: Path
) -> None:
    fill(images)
    (images / "a.png").symlink_to("/proc/self/mem")  # opens, but gives an input/output error
    with pytest.raises(PocketganError, match=r"a\.png cannot be read: Input/output error"):
        load()
    assert not (tmp_path / "cache").exists()


def test_folder_refuses_what_is_no_folder(images: Path, load: Load, tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="images does not exist"):
        load()
    with pytest.raises(PocketganError, match=r"a\.png is not a folder"):
        load(write(tmp_path / "a.png"))


def test_folder_refuses_a_folder_without_images(images: Path, load: Load, tmp_path: Path) -> None:
    images.mkdir()
    (images / "notes.txt").touch()
    with pytest.raises(PocketganError, match="holds no image"):
        load()
    assert not (tmp_path / "cache").exists()


def test_folder_refuses_a_single_image_whatever_else_is_broken(images: Path, load: Load) -> None:
    write(images / "only.png")
    with pytest.raises(PocketganError, match=r"single usable image \(only\.png\)"):
        load()
    (images / "broken.png").touch()
    with pytest.raises(PocketganError, match=r"single usable image \(only\.png\)"):
        load()


def test_folder_refuses_images_that_are_all_broken(images: Path, load: Load) -> None:
    images.mkdir()
    for name in ("a.png", "b.jpg"):
        (images / name).write_text("no")
    with pytest.raises(PocketganError, match=r"none of its 2 images can be read; a\.png: not an"):
        load()


# ---------------------------------------------------------------------- tiles


def test_folder_cuts_photos_into_tiles_that_stay_on_one_side(images: Path, load: Load) -> None:
    images.mkdir()
    for index in range(5):
        Image.new("L", (19 + index, 17), 10 * index).save(images / f"{index}.png")
    data = load(cut="tiles")
    assert data.train.shape == (16, 8, 8, 1)
    assert data.test.shape == (4, 8, 8, 1)
    assert len(set(data.test[:, 0, 0, 0])) == 1
    assert data.notes == ()


def test_photos_that_are_all_less_than_a_tile_ask_for_smaller_ones(
    images: Path, load: Load
) -> None:
    images.mkdir()
    for name, size in (("small", (6, 6)), ("flat", (40, 6))):
        Image.new("L", size).save(images / f"{name}.png")
    with pytest.raises(PocketganError, match="less than a tile") as caught:
        load(cut="tiles")
    assert "Lower data.image_size" in caught.value.remedy


def test_folder_of_tiles_keeps_the_classes(images: Path, load: Load) -> None:
    for index in range(4):
        path = write(images / ("cats" if index % 2 else "dogs") / f"{index}.png")
        Image.new("L", (16, 16), index).save(path)
    data = load(cut="tiles", test_fraction=0.5)
    assert data.classes == ("cats", "dogs")
    assert data.train_labels is not None
    assert (data.train_labels == 1 - data.train[:, 0, 0, 0] % 2).all()
    assert np.bincount(data.train_labels).tolist() == [4, 4]


def test_folder_skips_photos_smaller_than_a_tile_and_says_so(images: Path, load: Load) -> None:
    fill(images, 3)
    Image.new("L", (12, 7)).save(images / "low.png")
    data = load(cut="tiles")
    assert data.notes == (
        "1 of 4 images are broken or too small and were skipped",
        "low.png: 12×7 pixels are less than a tile of 8×8",
    )
    with pytest.raises(PocketganError, match="12×12 pixels are less than a tile of 64×64"):
        load(cut="tiles", image_size=64)


def test_folder_says_what_was_done_to_the_pixels(images: Path, load: Load) -> None:
    fill(images, 2)
    Image.new("RGBA", (12, 12), (0, 0, 0, 0)).save(images / "clear.png")
    Image.new("RGBA", (12, 12), (9, 9, 9, 255)).save(images / "opaque.png")
    assert load().notes == ("transparent: laid on white (1 of 4)",)


@pytest.mark.parametrize("place", ["photos/.runs/a", "runs/a", "photos-2/a"])
def test_a_run_beside_its_pictures_or_hidden_from_them_is_fine(tmp_path: Path, place: str) -> None:
    folder.refuse_inside(tmp_path / "photos", tmp_path / place)


def test_a_run_below_its_pictures_is_refused_with_a_place_that_is_not(tmp_path: Path) -> None:
    photos = tmp_path / "my own" / "photos"
    with pytest.raises(PocketganError) as error:
        folder.refuse_inside(photos, photos / "runs" / "a")
    assert f"--runs '{tmp_path / 'my own' / 'runs'}'" in error.value.remedy
