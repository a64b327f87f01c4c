from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import PocketganError
from deploy.jobs import Measurement
from pipeline.measured_files import MeasuredFiles
from pipeline.tflite import convert
from pipeline.tflite.entry import EntryChoice
from pipeline.tflite.read import read_model
from tests.pipeline.tflite import others

SIZE = EntryChoice(sizes={"": (6, 8)})


def written(content: bytes, folder: Path, name: str = "theirs") -> dict[str, Path]:
    path = folder / f"{name}.tflite"
    path.write_bytes(content)
    return {name: path}


def test_unreadable_file_keeps_its_sizes_and_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "gen.tflite"
    path.write_text("gen.tflite")
    (file,) = MeasuredFiles({"gen": path}).facts
    assert file.bytes == len("gen.tflite")
    assert file.macs is None
    assert "not a TensorFlow Lite file" in (file.problem or "")


@pytest.mark.parametrize(
    ("kind", "int8"), [("float32", False), ("float16", False), ("dynamic-range", True)]
)
def test_work_on_kernels_of_int8_is_told_apart_and_views_move_nothing(
    kind: str, int8: bool, small_generator: Any, tmp_path: Path
) -> None:
    makers = {
        "float32": convert.to_float32,
        "float16": convert.to_float16,
        "dynamic-range": convert.to_dynamic_range,
    }
    path = tmp_path / f"{kind}.tflite"
    path.write_bytes(makers[kind](small_generator))
    (file,) = MeasuredFiles({kind: path}).facts
    assert file.macs == 32 * 1024 + 64 * 4 * 5 * 5 * 16
    assert file.macs_int8 == (file.macs if int8 else 0)
    assert (file.input_shapes, file.output_shapes) == (((1, 32),), ((1, 8, 8, 4),))
    constants = [t.stored_bytes for t in read_model(path).tensors if t.is_constant]
    assert file.traffic == sum(constants) + 4 * (32 + 1024 + 256)


def test_file_of_free_size_is_refused_with_its_inputs(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match=r"leaves sizes free: photo \?×\?×\?×3") as error:
        MeasuredFiles(written(others.enlarger(), tmp_path))
    assert "--size 480x320" in error.value.remedy


def test_copy_of_the_size_is_measured_and_the_file_is_what_is_told_of(
    tmp_path: Path, measured: Callable[..., Measurement]
) -> None:
    paths = written(others.enlarger(), tmp_path)
    files = MeasuredFiles(paths, SIZE)
    (facts,) = files.facts
    assert (facts.macs, facts.input_shapes) == (6 * 8 * others.FREE_MACS, ((1, 6, 8, 3),))
    assert facts.bytes == len(others.enlarger())
    assert files.remarks == ["theirs is measured with photo 1×6×8×3 (?×?×?×3 in the file)."]
    with files.copied() as copies:
        copy = read_model(copies["theirs"])
        assert copy.inputs[0].shape == (1, 6, 8, 3)
        there = measured("local", "theirs").model_copy(update={"sha256": copy.sha256})
    (of_file,) = files.as_files([there])
    assert (of_file.sha256, of_file.bytes) == (facts.sha256, facts.bytes)
    assert files.as_copies([of_file])[0].sha256 == copy.sha256
    assert not copies["theirs"].exists()


def test_file_that_needs_no_choice_is_measured_itself(tmp_path: Path) -> None:
    paths = written(others.latent_reader(), tmp_path)
    files = MeasuredFiles(paths)
    assert files.remarks == []
    with files.copied() as copies:
        assert copies == paths


def test_network_of_a_file_of_several_is_compared_with_a_file_of_its_own(tmp_path: Path) -> None:
    paths = written(others.enlarger_and_judge(), tmp_path, "both")
    paths |= written(others.judge_of_any_batch(), tmp_path, "alone")
    both, alone = MeasuredFiles(paths, EntryChoice("judge")).facts
    assert both.macs == alone.macs == others.JUDGE_MACS
    assert (both.signature, alone.signature) == ("judge", "serving_default")


def test_signature_that_no_file_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="no signature 'paint'"):
        MeasuredFiles(written(others.latent_reader(), tmp_path), EntryChoice("paint"))


def test_loops_and_custom_operations_leave_macs_unknown_and_say_so(tmp_path: Path) -> None:
    paths = written(others.looping(), tmp_path, "loop")
    paths |= written(others.with_custom_operation(), tmp_path, "custom")
    files = MeasuredFiles(paths)
    assert [facts.macs for facts in files.facts] == [None, None]
    assert [facts.macs_int8 for facts in files.facts] == [None, None]
    said = " ".join(files.remarks)
    assert "loop holds loops: how often they turn" in said
    assert "custom takes an unknown number of MACs: 1 custom operation: Erfinv." in said
