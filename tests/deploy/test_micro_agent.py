from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Job
from deploy.micro_agent import explain
from deploy.targets import find_target
from deploy.targets.target import Target


@pytest.fixture
def target() -> Target:
    micro = find_target("micro")
    state = micro.availability()
    if not state.ready:
        pytest.skip(f"{state.detail}; {state.remedy}")
    return micro


def test_files_run_in_a_counted_arena_and_draw_as_the_desktop_does(
    target: Target, int8_file: Path, float_file: Path, latents_file: Path
) -> None:
    int8, float32 = measure(
        {"int8": int8_file, "float32": float_file},
        [target],
        plan=MeasuringPlan(threads=(1, 2), latents=latents_file),
    )
    assert int8.error is float32.error is None
    assert int8.runtime == "tflite-micro"
    assert int8.arena_bytes is not None
    assert float32.arena_bytes is not None
    # The activations of this network: input, hidden layer and output, of one byte or of four.
    assert 16 + 32 < int8.arena_bytes < 4096
    assert int8.arena_bytes % 16 == 0
    assert int8.agreement is not None
    assert int8.agreement.largest <= 1
    assert float32.agreement is not None
    assert float32.agreement.largest < 1e-5
    assert int8.p50_ms is None
    assert "microcontroller" in int8.absent["p50_ms"]


def test_file_that_it_cannot_run_is_an_error_that_says_so(
    target: Target, float_file: Path, tmp_path: Path, job_for: Callable[..., Job]
) -> None:
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(float_file.read_bytes()[:1000])
    with target.open() as session:
        measurement = session(job_for(cut, target="micro", delegate="none"), 60)
    assert measurement.error is not None
    assert "the file is damaged" in measurement.error


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "Didn't find op for builtin opcode 'ATAN2'\n"
            "Failed to get registration from op code ATAN2",
            "TFLite Micro has no operation ATAN2",
        ),
        (
            "Input type: FLOAT32 with filter type: INT8 not supported.\n"
            "Node FULLY_CONNECTED (number 3) failed to prepare with status 1",
            "TFLite Micro cannot run FULLY_CONNECTED (operation 3): "
            "Input type: FLOAT32 with filter type: INT8 not supported.",
        ),
        (
            "Failed to resize buffer. Requested: 68992, available 57872, missing: 11120",
            "no arena of 64 MiB is enough: "
            "Failed to resize buffer. Requested: 68992, available 57872, missing: 11120",
        ),
        ("something\nnew", "new"),
        ("", ""),
    ],
)
def test_refusal_names_the_operation(said: str, meant: str) -> None:
    assert explain(said.splitlines()) == meant


def test_missing_environment_is_told_with_the_command_that_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    with pytest.raises(PocketganError, match="micro"):
        find_target("micro").require()
