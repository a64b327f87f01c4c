from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan
from deploy.targets import find_target
from deploy.targets.arm import Arm
from deploy.targets.local import Local, Micro
from deploy.targets.npu import Npu
from deploy.targets.sysroot import ARM64
from deploy.targets.target import Availability
from pipeline import explaining
from pipeline.explaining import ExplainQuestion, explain
from pipeline.profiling import Profile, profiles
from pipeline.report.explain.sentences import sections
from pipeline.tflite import count
from pipeline.tflite.entry import EntryChoice
from pipeline.tflite.read import read_model
from tests.pipeline.tflite import others
from tests.pipeline.tflite.conftest import generator, variant

__all__ = ["generator", "variant"]
Variant = Callable[[str], bytes]
QUICK = MeasuringPlan(rounds=1, runs=16, warmup=2)
NPU = Npu("ethos-u55-128")
COUNTED = Arm(ARM64, "cortex-a53", "ai-edge-litert")


@pytest.fixture
def int8(variant: Variant, tmp_path: Path) -> ExplainQuestion:
    path = tmp_path / "int8.tflite"
    path.write_bytes(variant("int8"))
    return ExplainQuestion(file=path, other=None, target=Local(), plan=QUICK)


def test_each_operation_has_its_cost_and_what_is_known_of_it(int8: ExplainQuestion) -> None:
    explanation = explain(int8)
    model = read_model(int8.file)
    assert [(each.operation, each.layer) for each in explanation.file.operations] == [
        (op.label, op.layer) for op in model.ops
    ]
    assert explanation.unit == "ms"
    assert explanation.bandwidth is not None
    assert explanation.file.macs == explanation.file.macs_int8 == count.total_macs(model)
    assert explanation.file.sha256 == model.sha256
    transposed = next(e for e in explanation.file.operations if e.operation == "TRANSPOSE_CONV")
    assert transposed.weights == (6, 4, 4, 5)
    assert transposed.on_fast_path
    assert not transposed.size_is_computed


def test_without_another_file_its_own_layers_are_measured_in_float(int8: ExplainQuestion) -> None:
    explanation = explain(int8)
    assert explanation.other is not None
    assert explanation.other_is_twin
    assert (explanation.file.precision, explanation.other.precision) == ("int8", "float32")
    assert len(explanation.other.operations) == len(explanation.file.operations)


def test_another_file_takes_the_twins_place(
    int8: ExplainQuestion, variant: Variant, tmp_path: Path
) -> None:
    other = tmp_path / "mine.tflite"
    other.write_bytes(variant("float32"))
    explanation = explain(replace(int8, other=other))
    assert explanation.other is not None
    assert not explanation.other_is_twin
    assert explanation.other.name == "mine.tflite"


def test_plain_kernels_run_nothing_through_xnnpack(int8: ExplainQuestion) -> None:
    explanation = explain(replace(int8, target=Local(xnnpack=False)))
    assert {each.on_fast_path for each in explanation.file.operations} == {False}
    reasons = {each.why_off for each in explanation.file.operations}
    assert reasons == {"this target runs nothing through XNNPACK"}


def test_file_that_xnnpack_takes_nothing_of_does_not_blame_the_target(tmp_path: Path) -> None:
    path = tmp_path / "sum.tflite"
    path.write_bytes(others.file_of(lambda photo: {"sum": tf.cumsum(photo)}, others.picture(8)))
    explanation = explain(ExplainQuestion(file=path, other=None, target=Local(), plan=QUICK))
    (operation,) = explanation.file.operations
    assert operation.on_fast_path is False
    assert operation.why_off.startswith("XNNPACK has no kernel for it")


def test_operation_whose_size_is_worked_out_while_it_runs_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "enlarger.tflite"
    path.write_bytes(others.enlarger())
    choice = EntryChoice(sizes={"": (8, 8)})
    question = ExplainQuestion(file=path, other=None, target=Local(), choice=choice, plan=QUICK)
    file = explain(question).file
    transposed = next(each for each in file.operations if each.operation == "TRANSPOSE_CONV")
    assert transposed.size_is_computed
    assert transposed.on_fast_path is False
    assert "SHAPE" not in {each.operation for each in file.operations}  # a part of its reader
    assert file.precision == "float32"  # whatever integers its sizes are


def test_picture_input_without_size_is_asked_for_one(tmp_path: Path) -> None:
    path = tmp_path / "enlarger.tflite"
    path.write_bytes(others.enlarger())
    with pytest.raises(PocketganError, match="--size"):
        explain(ExplainQuestion(file=path, other=None, target=Local(), plan=QUICK))


def test_damaged_file_is_refused_before_anything_is_measured(int8: ExplainQuestion) -> None:
    content = int8.file.read_bytes()
    int8.file.write_bytes(content[: len(content) // 2])
    with pytest.raises(PocketganError, match=r"int8\.tflite: ") as raised:
        explain(int8)
    assert "pocketgan inspect" in raised.value.remedy


def test_target_that_measures_whole_files_only_is_refused(
    int8: ExplainQuestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Micro, "availability", lambda _: Availability("there", ready=True))
    with pytest.raises(PocketganError, match="micro measures whole files") as raised:
        explain(replace(int8, target=find_target("micro")))
    assert "--target local" in raised.value.remedy


def test_work_that_a_loop_leaves_open_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "loop.tflite"
    path.write_bytes(others.looping())
    file = explain(ExplainQuestion(file=path, other=None, target=Local(), plan=QUICK)).file
    assert (file.macs, file.macs_int8) == (None, None)
    assert file.macs_unknown.startswith("how often a loop turns is not in the file: ")


def test_file_of_wider_activations_is_not_called_int8(variant: Variant, tmp_path: Path) -> None:
    path = tmp_path / "wide.tflite"
    path.write_bytes(variant("int16x8"))
    explanation = explain(ExplainQuestion(file=path, other=None, target=Local(), plan=QUICK))
    assert explanation.file.precision == "int16x8"
    assert any("int16x8" in said for said in sections(explanation)["int8 against float32"])


def test_who_takes_other_operations_than_the_runtime_here_is_not_told_which(
    int8: ExplainQuestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(*arguments: Any) -> dict[str, Profile]:
        return {
            name: replace(each, whole=each.whole.model_copy(update={"delegated": 0.5}))
            for name, each in profiles(*arguments).items()
        }

    monkeypatch.setattr(explaining, "profiles", half)
    operations = explain(int8).file.operations
    assert {each.on_fast_path for each in operations} == {None}


def test_transposed_convolution_says_how_many_times_it_enlarges(int8: ExplainQuestion) -> None:
    operations = explain(int8).file.operations
    assert {each.operation: each.enlarges for each in operations if each.enlarges} == {
        "TRANSPOSE_CONV": 4
    }


def test_file_without_a_twin_says_why(tmp_path: Path) -> None:
    path = tmp_path / "adder.tflite"
    path.write_bytes(others.looping())
    explanation = explain(ExplainQuestion(file=path, other=None, target=Local(), plan=QUICK))
    assert explanation.other is None or explanation.other_is_twin
    if explanation.other is None:
        assert explanation.other_absent


@pytest.mark.skipif(not NPU.availability().ready, reason=NPU.availability().detail)
def test_npu_is_explained_by_its_compiler(int8: ExplainQuestion) -> None:
    explanation = explain(replace(int8, target=NPU))
    assert (explanation.unit, explanation.fast_path) == ("cycles", "NPU")
    assert explanation.file.total == pytest.approx(explanation.file.whole, rel=0.03)
    assert explanation.other is None
    assert explanation.other_absent == "an NPU computes in integers only"
    rows = {each.operation: each for each in explanation.file.operations}
    assert rows["TRANSPOSE_CONV"].on_fast_path


@pytest.mark.skipif(not NPU.availability().ready, reason=NPU.availability().detail)
def test_file_of_which_an_npu_runs_nothing_is_refused_with_the_compilers_reason(
    int8: ExplainQuestion, variant: Variant
) -> None:
    int8.file.write_bytes(variant("float32"))
    with pytest.raises(PocketganError, match=r"runs no operation of it: .*Float32") as caught:
        explain(replace(int8, target=NPU))
    assert "Name an int8 file" in caught.value.remedy


@pytest.mark.slow
@pytest.mark.skipif(not COUNTED.availability().ready, reason=COUNTED.availability().detail)
def test_shares_make_the_whole_where_instructions_are_counted(int8: ExplainQuestion) -> None:
    explanation = explain(replace(int8, target=COUNTED))
    assert explanation.unit == "instructions"
    assert explanation.bandwidth is None
    for file in (explanation.file, explanation.other):
        assert file is not None
        assert file.total == pytest.approx(file.whole, rel=0.03)
    assert explanation.file.dot_products == 0  # the core has none
