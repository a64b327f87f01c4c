from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Measurement
from deploy.targets import find_target
from deploy.targets.target import Target


@pytest.fixture
def target() -> Target:
    npu = find_target("npu:ethos-u55-128")
    state = npu.availability()
    if not state.ready:
        pytest.skip(f"{state.detail}; {state.remedy}")
    return npu


def test_row_holds_the_compilers_figures_and_no_measured_time(
    target: Target, int8_file: Path, latents_file: Path
) -> None:
    [row] = measure(
        {"int8": int8_file}, [target], plan=MeasuringPlan(threads=(1, 2), latents=latents_file)
    )
    assert row.error is None
    assert (row.runtime, row.runtime_version) == ("ethos-u-vela", "5.2.0")
    assert row.npu is not None
    assert row.figure("flash_bytes") == row.npu.flash_bytes
    assert row.delegated == 1
    assert row.p50_ms is row.p90_ms is row.per_second is None
    assert "estimate" in row.absent["p50_ms"]
    assert row.agreement is None
    assert "no pixel" in row.reason("output_sha256")
    assert any("nothing was run" in warning for warning in row.warnings)
    assert Measurement.model_validate_json(row.model_dump_json(), strict=True) == row


def test_operations_off_the_npu_are_named_in_the_row(target: Target, float_file: Path) -> None:
    [row] = measure({"float32": float_file}, [target], plan=MeasuringPlan())
    assert row.delegated == 0
    assert any("on the CPU: " in warning and "Float32" in warning for warning in row.warnings)
    assert row.figure("estimated_ms") is None
    assert "stay on the CPU" in row.reason("estimated_ms")


def test_file_that_cannot_be_compiled_is_a_failed_row_beside_the_others(
    target: Target, int8_file: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(int8_file.read_bytes()[:1000])
    good, bad = measure({"good": int8_file, "cut": cut}, [target], plan=MeasuringPlan())
    assert good.error is None
    assert bad.error is not None
    assert "cannot compile cut.tflite" in bad.error
    assert bad.npu is None


def test_missing_compiler_is_refused_before_anything_is_compiled(
    int8_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    with pytest.raises(PocketganError, match="npu:ethos-u55-128") as caught:
        measure({"int8": int8_file}, [find_target("npu:ethos-u55-128")], plan=MeasuringPlan())
    assert caught.value.remedy == "Run: pocketgan targets install npu"


def test_near_name_is_proposed() -> None:
    with pytest.raises(PocketganError) as caught:
        find_target("npu:u55-128")
    assert "Did you mean 'npu:ethos-u55-128'?" in caught.value.remedy
