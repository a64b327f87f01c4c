from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from deploy.errors import PocketganError
from deploy.jobs import NpuReport
from deploy.targets import vela
from tests.deploy.conftest import OUTPUTS

U55 = "ethos-u55-128"
PRINTED = """
Warning (supported operators) operator: CUMSUM, ofm: 'it's sums'
Reason: Unsupported opType

Warning (supported operators) operator: QUANTIZE, ofm: 'codes'
Reason: Operation has tensor with unsupported DataType Float32 (sums)
Feature-map dataTypes must be one of {"INT16", "INT8"}

################################################################################
"""
DATABASE = """<?xml version='1.0' encoding='UTF-8'?>
<debug source="file">
<table name="perf_debug">
<![CDATA[
"id","weight_total_bytes"
25,112
29,""
33,""
]]>
</table>
<table name="perf">
<![CDATA[
"id","source_id","operator","name","op_cycles","mac_count"
25,2,"Conv2D","map, wide_act",832,9216
29,2,"Relu","map, wide",512,256
33,3,"Passthrough","it's sums",0,0
]]>
</table>
<table name="source">
<![CDATA[
"id","operator","kernel_w","ext_key"
1,"Reshape",1,0
2,"Conv2D",1,1
3,"Cumsum",1,2
]]>
</table>
</debug>
"""

Compile = Callable[..., NpuReport]


@pytest.fixture
def compile_file() -> Compile:
    state = vela.ENVIRONMENT.availability()
    if not state.ready:
        pytest.skip(f"{state.detail}; {state.remedy}")
    return vela.compile_file


def test_each_operation_has_its_parts_its_weights_and_why_it_is_off_the_npu(
    tmp_path: Path,
) -> None:
    database = tmp_path / "file_debug.xml"
    database.write_text(DATABASE)
    reshape, convolution, sums = vela.read_operations(database, vela.read_refusals(PRINTED))
    assert (reshape.index, reshape.on_npu, reshape.cycles, reshape.layer) == (0, True, 0, "")
    assert (convolution.cycles, convolution.macs, convolution.weight_bytes) == (1344, 9472, 112)
    assert convolution.layer == "map, wide"
    assert (sums.on_npu, sums.cycles, sums.reason) == (False, None, "Unsupported opType")


def test_reason_of_two_lines_is_read_whole() -> None:
    assert vela.read_refusals(PRINTED)["codes"] == (
        "Operation has tensor with unsupported DataType Float32 (sums): "
        'Feature-map dataTypes must be one of {"INT16", "INT8"}'
    )


def test_operation_without_a_printed_reason_says_so(tmp_path: Path) -> None:
    database = tmp_path / "file_debug.xml"
    database.write_text(DATABASE)
    *_, sums = vela.read_operations(database, {})
    assert sums.reason == vela.NO_REASON


def test_int8_file_runs_whole_on_the_npu(compile_file: Compile, int8_file: Path) -> None:
    report = compile_file(int8_file, U55)
    assert report.on_cpu == ()
    assert report.absent == {}
    assert report.operations
    assert [each.index for each in report.operations] == list(range(len(report.operations)))
    assert 0 < report.npu_flash_bytes < report.flash_bytes
    assert report.sram_bytes is not None
    assert 0 < report.sram_bytes < 4096
    assert report.cycles is not None
    assert report.estimated_ms == pytest.approx(1000 * report.cycles / report.clock_hz)
    assert sum(each.macs or 0 for each in report.operations) == report.macs


def test_float_file_stays_on_the_cpu_with_the_reason(
    compile_file: Compile, float_file: Path
) -> None:
    report = compile_file(float_file, U55)
    assert len(report.on_cpu) == len(report.operations)
    assert report.sram_bytes is report.cycles is report.estimated_ms is None
    assert all("stay on the CPU" in reason for reason in report.absent.values())
    assert all("unsupported DataType Float32" in str(each.reason) for each in report.on_cpu)
    assert report.flash_bytes >= float_file.stat().st_size  # its weights are stored all the same
    [line] = vela.cpu_operations(report)
    assert "FullyConnected" in line


def with_zeros(path: Path, folder: Path) -> Path:
    """The same file with zeros in three of four rows of its last kernel."""
    interpreter = Interpreter(str(path))
    [kernel] = [
        interpreter.get_tensor(tensor["index"])
        for tensor in interpreter.get_tensor_details()
        if tuple(tensor["shape"]) == (OUTPUTS, 32)
    ]
    pruned = kernel.copy()
    pruned[np.arange(OUTPUTS) % 4 > 0] = 0
    content = path.read_bytes()
    assert content.count(kernel.tobytes()) == 1
    zeros = folder / "zeros.tflite"
    zeros.write_bytes(content.replace(kernel.tobytes(), pruned.tobytes()))
    return zeros


def test_zeros_take_less_flash_and_fewer_cycles_to_read(
    compile_file: Compile, int8_file: Path, tmp_path: Path
) -> None:
    dense = compile_file(int8_file, U55)
    zeros = compile_file(with_zeros(int8_file, tmp_path), U55)
    assert zeros.flash_bytes < dense.flash_bytes - 500  # of a kernel of 2,048 bytes
    assert zeros.cycles is not None
    assert dense.cycles is not None
    assert zeros.cycles < dense.cycles


@pytest.mark.slow
@pytest.mark.parametrize("accelerator", vela.ACCELERATORS)
def test_every_accelerator_on_offer_compiles(
    compile_file: Compile, int8_file: Path, accelerator: str
) -> None:
    report = compile_file(int8_file, accelerator)
    assert report.on_cpu == ()
    assert report.clock_hz == 500e6  # one clock and one flash for all: they differ by the NPU
    assert report.memory_mode == "Shared_Sram"
    assert report.npu_flash_bytes > 0


@pytest.mark.parametrize(
    ("content", "words"),
    [(lambda whole: whole[:1000], "SIGSEGV"), (lambda _: b"no model\n", "No networks")],
)
def test_file_that_is_none_is_named_with_the_compilers_words(
    compile_file: Compile,
    int8_file: Path,
    tmp_path: Path,
    content: Callable[[bytes], bytes],
    words: str,
) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(content(int8_file.read_bytes()))
    with pytest.raises(PocketganError, match=r"cannot compile broken\.tflite") as caught:
        compile_file(path, U55)
    assert words in caught.value.problem
    assert "Traceback" not in str(caught.value)


def test_compilation_that_does_not_end_is_ended(compile_file: Compile, int8_file: Path) -> None:
    with pytest.raises(PocketganError, match="no end after"):
        compile_file(int8_file, U55, time_limit=0.01)


def test_missing_compiler_is_named_with_what_installs_it(
    int8_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    with pytest.raises(PocketganError, match="not installed") as caught:
        vela.compile_file(int8_file, U55)
    assert "pocketgan targets install npu" in caught.value.remedy


@pytest.mark.parametrize("python", ["#!/bin/sh\nexit 1\n", "no program"])
def test_damaged_installation_is_told_from_a_damaged_file(
    python: str, int8_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    environment = vela.ENVIRONMENT
    environment.python.parent.mkdir(parents=True)
    environment.python.write_text(python)
    environment.python.chmod(0o755)
    (environment.folder / "packages.txt").write_text("\n".join(environment.packages))
    with pytest.raises(PocketganError, match="does not start") as caught:
        vela.compile_file(int8_file, U55)
    assert caught.value.remedy == "Run: pocketgan targets install npu"
    assert "targets install npu" in caught.value.problem  # rows hold the problem alone


@pytest.mark.parametrize("database", [DATABASE, DATABASE.replace("map", "\x01")])
def test_report_that_cannot_be_read_is_an_error_in_words(
    database: str, int8_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_badly(path: Path, folder: Path, *_: object) -> str:
        (folder / "file_summary_x.csv").write_text("core_clock\n5e8\n")
        (folder / "file_debug.xml").write_text(database)
        return ""

    monkeypatch.setattr(vela.Environment, "ready", True)
    monkeypatch.setattr(vela, "_compile", compile_badly)
    with pytest.raises(PocketganError, match=r"says of int8\.tflite cannot be read"):
        vela.compile_file(int8_file, U55)
