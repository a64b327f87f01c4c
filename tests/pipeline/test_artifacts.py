from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.artifacts import (
    CHOICE,
    GENERATOR,
    PAIRS,
    REFERENCE,
    load_network,
    read_bits,
    read_distillation_set,
    read_teacher_dataset,
    write_distillation_set,
)
from pipeline.importers.facts import write_facts
from pipeline.networks.pixels import PixelRange
from pipeline.search.candidates import choose
from pipeline.training.distillation_set import DistillationSet
from tests.pipeline.search.test_candidates import ALL

RANDOM = np.random.default_rng(1)
ONE_HOT = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
INPUTS = np.concatenate([RANDOM.normal(size=(12, 4)).astype(np.float32), ONE_HOT], axis=1)
PICTURES = RANDOM.integers(0, 256, (12, 8, 8, 1), dtype=np.uint8)


def teachers_folder(folder: Path, classes: int, input_pixels: PixelRange | None = None) -> Path:
    write_facts({"classes": classes, "input_pixels": input_pixels}, folder)
    return folder


def test_lessons_are_read_back_and_equal_ones_give_equal_bytes(tmp_path: Path) -> None:
    teachers_folder(tmp_path, 3)
    for name in "ab":
        write_distillation_set(DistillationSet(INPUTS, PICTURES, 3), tmp_path, name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    pairs = read_distillation_set(tmp_path, "a")
    np.testing.assert_array_equal(pairs.inputs, INPUTS)
    np.testing.assert_array_equal(pairs.pictures, PICTURES)
    assert (pairs.classes, pairs.input_pixels) == (3, None)


def test_range_of_lessons_is_the_one_of_the_teachers_facts(tmp_path: Path) -> None:
    teachers_folder(tmp_path, 0, (0.0, 255.0))
    write_distillation_set(DistillationSet(PICTURES, PICTURES), tmp_path, PAIRS)
    pairs = read_distillation_set(tmp_path, PAIRS)
    assert (pairs.classes, pairs.input_pixels) == (0, (0.0, 255.0))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and then nothing"])
def test_missing_or_damaged_lessons_are_named(content: bytes | None, tmp_path: Path) -> None:
    path = teachers_folder(tmp_path, 0) / "lessons.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PocketganError, match=r"lessons\.npz holds no distillation set"):
        read_distillation_set(tmp_path, path.name)


def test_lessons_without_the_teachers_facts_are_named(tmp_path: Path) -> None:
    write_distillation_set(DistillationSet(PICTURES, PICTURES), tmp_path, PAIRS)
    with pytest.raises(PocketganError, match=r"lessons\.npz holds no distillation set"):
        read_distillation_set(tmp_path, PAIRS)


@pytest.mark.parametrize("classes", [0, 3])
def test_teachers_folder_is_a_dataset(classes: int, tmp_path: Path) -> None:
    teachers_folder(tmp_path, classes)
    for name, rows in ((PAIRS, slice(8)), (REFERENCE, slice(8, None))):
        pairs = DistillationSet(INPUTS[rows], PICTURES[rows], classes)
        write_distillation_set(pairs, tmp_path, name)
    data = read_teacher_dataset(tmp_path)
    np.testing.assert_array_equal(data.train, PICTURES[:8])
    np.testing.assert_array_equal(data.test, PICTURES[8:])
    assert data.classes == tuple(map(str, range(classes)))
    assert data.class_weights == (1,) * classes
    if not classes:
        assert data.train_labels is data.test_labels is None
        return
    assert data.train_labels is not None
    np.testing.assert_array_equal(data.train_labels, np.arange(8) % 3)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_cut_network_is_one_message_that_names_the_file(
    share: float, tiny_runs: Path, tmp_path: Path
) -> None:
    whole = (tiny_runs / "tiny/1-train" / GENERATOR).read_bytes()
    cut = tmp_path / "generator.keras"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(PocketganError, match="no network that can be read") as caught:
        load_network(cut)
    assert str(cut) in caught.value.problem


def test_missing_network_is_one_message_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match=r"nowhere\.keras is no network"):
        load_network(tmp_path / "nowhere.keras")


def test_choice_is_read_back_and_damage_is_named(tmp_path: Path) -> None:
    choice = choose(ALL, smallest=True)
    CHOICE.write(choice, tmp_path)
    assert CHOICE.read(tmp_path) == choice
    assert CHOICE.read(tmp_path).chosen.cost.bytes_gzip == 1000
    file = tmp_path / "choice.json"
    text = file.read_text()
    for damaged in ("", "{}", text[:200], text.replace('"bits": 5', '"bits": 9')):
        file.write_text(damaged)
        with pytest.raises(PocketganError, match=r"choice\.json is damaged"):
            CHOICE.read(tmp_path)


def test_stage_of_an_older_version_that_wrote_no_bits_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "old run" / "3-quantize"
    folder.mkdir(parents=True)
    with pytest.raises(PocketganError, match="older version: it has no int8") as refusal:
        read_bits(folder, "int8")
    assert f"pocketgan run '{folder.parent}/recipe.yaml' --runs {tmp_path}" in str(refusal.value)
