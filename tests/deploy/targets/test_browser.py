import base64
import hashlib
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import deploy
from deploy.bundle.schema import TensorSpec
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Job
from deploy.targets import browser, find_target
from deploy.web.bench import BenchAnswer
from deploy.web.browsers import FIREFOXES, VARIABLE, find_browser, is_firefox

TENSOR = TensorSpec(name="image", dtype="float32", shape=(1, 2))
PATIENCE = 60.0
MEASURE = """
import sys
from deploy.jobs import Job
from deploy.targets.browser import Browser
Browser().answer(Job.model_validate_json(sys.argv[1]), 60)
"""
DRAWN = np.arange(4, dtype=np.float32)


def _answer(outputs: bytes, *, isolated: bool = True) -> BenchAnswer:
    return BenchAnswer(
        init_ms=3,
        first_ms=2,
        samples_ns=(1_000_000, 2_000_000, 3_000_000),
        overhead_ns=10,
        outputs=base64.b64encode(outputs).decode(),
        browser="Mozilla/5.0 (X11) HeadlessChrome/147.0.0.0 Safari/537.36",
        isolated=isolated,
    )


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that lets a shell script be the browser of this machine."""

    def write(script: str) -> Path:
        path = tmp_path / "chromium"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(VARIABLE, str(path))
        return path

    return write


def test_without_a_browser_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    availability = find_target("browser").availability()
    assert not availability.ready
    assert VARIABLE in availability.detail


def test_answer_becomes_figures_and_reasons(float_file: Path, job_for: Callable[..., Job]) -> None:
    job = job_for(float_file, target="browser", keep_outputs=True, keep_samples=True)
    measurement = browser._measurement(job, _answer(DRAWN.tobytes()), TENSOR, inputs=2)
    assert measurement.error is None
    assert (measurement.p50_ms, measurement.init_ms, measurement.runs) == (2.0, 3.0, 3)
    assert measurement.runtime == "LiteRT.js, HeadlessChrome/147.0.0.0"
    assert measurement.output_sha256 == hashlib.sha256(DRAWN.tobytes()).hexdigest()
    assert measurement.outputs is not None
    assert measurement.outputs[0].shape == (2, 2)
    assert measurement.warnings == ()
    coarse = browser._measurement(job, _answer(DRAWN.tobytes(), isolated=False), TENSOR, inputs=2)
    assert "coarse steps" in coarse.warnings[0]


def test_what_a_gpu_drew_is_marked(float_file: Path, job_for: Callable[..., Job]) -> None:
    job = job_for(float_file, target="browser:webgpu")
    answer = _answer(DRAWN.tobytes()).model_copy(update={"gpu": "arm mali"})
    measurement = browser._measurement(job, answer, TENSOR, inputs=2)
    assert measurement.runtime == "LiteRT.js on WebGPU (arm mali), HeadlessChrome/147.0.0.0"
    assert len(measurement.warnings) == 1
    assert "may differ" in measurement.warnings[0]
    played = answer.model_copy(update={"gpu": "google swiftshader"})
    warnings = browser._measurement(job, played, TENSOR, inputs=2).warnings
    assert "the processor played the GPU" in warnings[1]


def test_webgpu_asks_for_a_chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "firefox"
    path.touch()
    monkeypatch.setenv(VARIABLE, str(path))
    assert find_target("browser").availability().ready
    assert not find_target("browser:webgpu").availability().ready


def test_outputs_of_another_size_are_an_error(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    measurement = browser._measurement(job_for(float_file), _answer(b"\0" * 9), TENSOR, inputs=2)
    assert "more or less than was asked" in str(measurement.error)


def test_a_browser_that_never_answers_is_ended_with_all_it_started(
    program: Callable[[str], Path], float_file: Path, job_for: Callable[..., Job], tmp_path: Path
) -> None:
    program(f"sleep 60 & echo $! > {tmp_path}/child; wait")
    measurement = find_target("browser").answer(job_for(float_file, target="browser"), 1.0)
    assert measurement.error == "no answer within 1 s"
    assert _ended(int((tmp_path / "child").read_text()))


def test_a_browser_ends_with_whoever_started_it(
    program: Callable[[str], Path], float_file: Path, job_for: Callable[..., Job], tmp_path: Path
) -> None:
    program(f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/browser; exec sleep 300")
    job = job_for(float_file, target="browser").model_dump_json()
    parent = subprocess.Popen(
        [sys.executable, "-c", MEASURE, job], cwd=Path(deploy.__file__).parents[1]
    )
    pid = int(_soon((tmp_path / "browser").read_text))
    assert not _ended(pid)
    parent.kill()
    parent.wait()
    end = time.monotonic() + PATIENCE
    while not _ended(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert _ended(pid)


def _soon(read: Callable[[], str]) -> str:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return read()
        except FileNotFoundError:
            assert time.monotonic() < end
            time.sleep(0.05)


def _ended(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


def test_a_file_that_does_not_run_is_an_error(
    program: Callable[[str], Path], tmp_path: Path, job_for: Callable[..., Job], float_file: Path
) -> None:
    program("exit 1")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    job = job_for(float_file, target="browser").model_copy(update={"path": str(broken)})
    assert "does not run" in str(find_target("browser").answer(job, 5).error)


def test_a_real_browser_draws_what_this_machine_draws(int8_file: Path) -> None:
    if find_browser() is None:
        pytest.skip(f"no browser on this machine: name one in {VARIABLE}")
    targets = [find_target("local"), find_target("browser")]
    plan = MeasuringPlan(rounds=1, runs=16, warmup=2, threads=(1, 2))
    here, _, *there = measure({"int8": int8_file}, targets, plan=plan)
    assert [measurement.threads for measurement in there] == [1, 2]
    for measurement in there:
        assert measurement.error is None
        assert measurement.output_sha256 == here.output_sha256
        assert measurement.agreement is not None
        assert measurement.agreement.equal
        assert not any("coarse steps" in warning for warning in measurement.warnings)


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_a_real_browsers_gpu_draws_nearly_what_this_machine_draws(
    kind: str, int8_file: Path, float_file: Path
) -> None:
    program = find_browser()
    if program is None or is_firefox(program):
        pytest.skip(f"no Chromium on this machine: name one in {VARIABLE}")
    file = int8_file if kind == "int8" else float_file
    plan = MeasuringPlan(rounds=1, runs=16, warmup=2, threads=(1, 2))
    (measurement,) = measure({kind: file}, [find_target("browser:webgpu")], plan=plan)
    if "lends no GPU" in str(measurement.error):
        pytest.skip(str(measurement.error))
    assert measurement.error is None
    assert measurement.threads == 1
    assert "LiteRT.js on WebGPU" in str(measurement.runtime)
    assert measurement.agreement is not None
    assert measurement.agreement.largest <= (1 if kind == "int8" else 1e-3)


def test_a_real_firefox_draws_what_this_machine_draws(
    int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(filter(None, map(shutil.which, FIREFOXES)), None)
    if path is None:
        pytest.skip("no Firefox on this machine")
    monkeypatch.setenv(VARIABLE, path)
    plan = MeasuringPlan(rounds=1, runs=16, warmup=2)
    (measurement,) = measure({"int8": int8_file}, [find_target("browser")], plan=plan)
    assert measurement.error is None
    assert "Firefox" in str(measurement.runtime)
    assert measurement.agreement is not None
    assert measurement.agreement.equal
    assert not any("coarse steps" in warning for warning in measurement.warnings)


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/153.0", "Firefox/153.0"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/156.0 Mobile Safari/537.36", "Chrome/156.0"),
        ("Mozilla/5.0 (iPhone; CPU) Version/26.0 Mobile/15E1 Safari/604.1", "Safari/604.1"),
        ("curl", "a browser"),
    ],
)
def test_a_browser_is_called_by_its_own_name(name: str, product: str) -> None:
    assert browser._product(name) == product
