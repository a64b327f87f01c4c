from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data.survey import SAMPLE, survey


def write(path: Path, *, size: tuple[int, int] = (40, 30), colour: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 40, 90) if colour else (90, 90, 90)).save(path)


def test_of_a_folder_in_colour(tmp_path: Path) -> None:
    for number, size in enumerate(((40, 30), (100, 50), (300, 200))):
        write(tmp_path / f"{number}.png", size=size, colour=number == 0)
    result = survey(tmp_path)
    assert (result.count, result.side, result.grey, result.classes) == (3, 50, False, ())


def test_grey_pictures_may_be_saved_in_colour(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(3):
        grey = rng.integers(0, 256, (32, 32), np.uint8)
        Image.fromarray(grey).convert("RGB").save(tmp_path / f"{number}.jpg")
    assert survey(tmp_path).grey


def test_sub_folders_are_counted_as_classes(tmp_path: Path) -> None:
    for name, count in (("cats", 2), ("dogs", 3)):
        for number in range(count):
            write(tmp_path / name / f"{number}.png")
    assert survey(tmp_path).classes == (2, 3)
    write(tmp_path / "loose.png")
    assert survey(tmp_path).classes == ()


def test_of_many_files_a_sample_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    for number in range(SAMPLE + 50):
        write(tmp_path / f"{number:04}.png", size=(4, 4))
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or read(path))
    assert survey(tmp_path).count == SAMPLE + 50
    assert len(opened) == SAMPLE


def test_broken_files_are_passed_over_and_a_folder_of_nothing_else_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(PocketganError, match="none of 1 pictures"):
        survey(tmp_path)
    write(tmp_path / "sound.png")
    assert survey(tmp_path).side == 30


def test_what_a_training_skips_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    write(tmp_path / "thin.png", size=(300, 3))
    for number in range(3):
        write(tmp_path / f"{number}.png")
    assert survey(tmp_path).count == 3
