from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.importers.teacher import Teacher, load_teacher, read_saved_teacher, save_teacher

Refused = Callable[..., str]
KEPT = ("latent", "classes", "pixels", "input_pixels", "origin", "notes", "layers", "is_opaque")


@pytest.fixture(scope="module", params=["labelled.keras", "unet.keras", "exported"])
def teacher(request: pytest.FixtureRequest, files: Mapping[str, Path]) -> Teacher:
    """Of layers with two inputs made one, of pictures, and opaque."""
    reads_pictures = request.param == "unet.keras"
    return load_teacher(files[request.param], input_pixels=(-1, 1) if reads_pictures else None)


def test_teacher_that_was_saved_is_the_same(teacher: Teacher, tmp_path: Path) -> None:
    save_teacher(teacher, tmp_path / "kept")
    read = read_saved_teacher(tmp_path / "kept")
    for fact in KEPT:
        assert getattr(read, fact) == getattr(teacher, fact)
    shape = (3, *teacher.model.input_shape[1:])
    given = np.random.default_rng(1).uniform(size=shape).astype(np.float32)
    np.testing.assert_array_equal(
        read.model(given, training=False), teacher.model(given, training=False)
    )


def test_same_teacher_is_the_same_bytes(teacher: Teacher, tmp_path: Path) -> None:
    for name in "ab":
        save_teacher(teacher, tmp_path / name)
    save_teacher(read_saved_teacher(tmp_path / "a"), tmp_path / "c")
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert written == ["graph.pb" if teacher.is_opaque else "generator.keras", "teacher.json"]
    for other in "bc":
        for name in written:
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / other / name).read_bytes()


@pytest.mark.parametrize("file", ["teacher.json", "generator.keras", "graph.pb"])
@pytest.mark.parametrize("share", [None, 0.5])
def test_damaged_teacher_is_one_message(
    file: str, share: float | None, teacher: Teacher, tmp_path: Path, refused: Refused
) -> None:
    save_teacher(teacher, tmp_path)
    path = tmp_path / file
    if not path.exists():
        return
    whole = path.read_bytes()
    path.unlink()
    if share is not None:
        path.write_bytes(whole[: int(share * len(whole))])
    assert str(tmp_path) in refused(read_saved_teacher, tmp_path)
