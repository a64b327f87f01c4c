"""Runs that were killed or interrupted, in processes of their own, and then went on."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import DISCRIMINATOR, GENERATOR, load_network
from pipeline.cli import main
from pipeline.plans import FROM_SCRATCH
from pipeline.training.history import load_checkpoint

PATIENCE_SECONDS = 300
Starter = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tiny_recipe: Path) -> Iterator[Starter]:
    """A function that starts a command in a process of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start_one(runs: Path, name: str, *more: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "pipeline", name, str(tiny_recipe), "--runs", str(runs)]
        process = subprocess.Popen(
            [*command, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What a shell starts in the background ignores SIGINT, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def send_when_there(number: int, process: "subprocess.Popen[str]", path: Path) -> tuple[str, str]:
    """Send the process a signal as soon as the file exists; what it printed until its end."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert process.poll() is None, f"ended before {path} was there: {process.communicate()[1]}"
        assert time.monotonic() < limit, f"{path} did not come"
        time.sleep(0.002)
    process.send_signal(number)
    return process.communicate(timeout=PATIENCE_SECONDS)


def forget(runs: Path, first: str) -> None:
    """Remove a stage and those after it."""
    for name in [*FROM_SCRATCH.names][[*FROM_SCRATCH.names].index(first) :]:
        shutil.rmtree(stage_folder(runs, name))


def stage_folder(runs: Path, name: str) -> Path:
    return runs / "tiny" / f"{[*FROM_SCRATCH.names].index(name) + 1}-{name}"


def partial_folder(runs: Path, name: str) -> Path:
    folder = stage_folder(runs, name)
    return folder.with_name(f".{folder.name}.partial")


def test_training_killed_with_a_checkpoint_resumes_and_ends_in_the_same_weights(
    start: Starter,
    tiny_runs: Path,
    tiny_recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = partial_folder(tmp_path, "train") / ".scratch" / "train.npz"
    process = start(tmp_path, "train")
    send_when_there(signal.SIGKILL, process, checkpoint)
    assert process.returncode == -signal.SIGKILL
    assert not stage_folder(tmp_path, "train").exists()
    assert main(["train", str(tiny_recipe), "--runs", str(tmp_path)]) == 0
    assert "train: resumed at step" in capsys.readouterr().err
    for network in (GENERATOR, DISCRIMINATOR):
        whole, resumed = (
            load_network(stage_folder(runs, "train") / network).get_weights()
            for runs in (tiny_runs, tmp_path)
        )
        for one, other in zip(whole, resumed, strict=True):
            np.testing.assert_array_equal(one, other)
    tables = [
        (stage_folder(runs, "train") / "history.csv").read_bytes() for runs in (tiny_runs, tmp_path)
    ]
    assert tables[0] == tables[1]
    assert not partial_folder(tmp_path, "train").exists()


def test_interrupted_training_exits_130_checkpointed_and_says_how_to_go_on(
    start: Starter, tmp_path: Path
) -> None:
    checkpoint = partial_folder(tmp_path, "train") / ".scratch" / "train.npz"
    process = start(tmp_path, "run", "--train.steps", "1000000", "--json")
    out, err = send_when_there(signal.SIGINT, process, checkpoint)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines() == [
        "pocketgan: stopped. What was done is kept; the same command goes on from there."
    ]
    state = load_checkpoint(checkpoint)
    assert state is not None
    assert state.step >= 8
    assert not stage_folder(tmp_path, "train").exists()


# Stage to be killed, and the file whose coming gives the sign.
KILLS = (
    ("train", ".scratch/train.npz"),
    ("prune", ".scratch/prune.npz"),
    ("quantize", ".scratch/int8.npz"),
    ("quantize", ".scratch/int8-qat.npz"),
    ("convert", "float16.tflite"),
    ("convert", "int8-qat.tflite"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sign"), KILLS)
def test_killed_stage_resumes_and_ends_in_the_same_int8_file(
    name: str,
    sign: str,
    start: Starter,
    tiny_runs: Path,
    tiny_copy: Path,
    tiny_recipe: Path,
) -> None:
    forget(tiny_copy, name)
    earlier = {
        path: path.read_bytes() for path in tiny_copy.glob("tiny/[1-7]-*/**/*") if path.is_file()
    }
    process = start(tiny_copy, name)
    send_when_there(signal.SIGKILL, process, partial_folder(tiny_copy, name) / sign)
    assert process.returncode == -signal.SIGKILL
    assert not stage_folder(tiny_copy, name).exists()
    assert all(path.read_bytes() == content for path, content in earlier.items())
    for stage in ("train", "prune", "quantize", "convert"):
        assert main([stage, str(tiny_recipe), "--runs", str(tiny_copy), "--quiet"]) == 0
    whole, resumed = (
        (stage_folder(runs, "convert") / "int8.tflite").read_bytes()
        for runs in (tiny_runs, tiny_copy)
    )
    assert whole == resumed
    listed = [
        {path.name for path in stage_folder(r, "convert").iterdir()} for r in (tiny_runs, tiny_copy)
    ]
    assert listed[0] == listed[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sign"), [("evaluate", "../.5-evaluate.partial"), ("benchmark", "log.txt")]
)
def test_killed_measurement_is_made_again(
    name: str, sign: str, start: Starter, tiny_copy: Path, tiny_recipe: Path
) -> None:
    forget(tiny_copy, name)
    process = start(tiny_copy, name)
    send_when_there(signal.SIGKILL, process, partial_folder(tiny_copy, name) / sign)
    assert process.returncode == -signal.SIGKILL
    assert main(["run", str(tiny_recipe), "--runs", str(tiny_copy), "--quiet"]) == 0
    assert not [*tiny_copy.rglob("*.partial")]
