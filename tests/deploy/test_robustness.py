"""Damaged, hostile and impossible files: each gets an answer, and the others keep theirs."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import describe_file
from deploy.targets.local import Local
from tools import mutate

QUICK = MeasuringPlan(rounds=1, runs=2, warmup=0)


def test_damaged_files_are_answered_and_the_good_one_keeps_its_output(int8_file: Path) -> None:
    result = mutate.tally(int8_file, count=25, seed=1)
    assert result.counts.total() == 25
    assert result.passed, result.table().markdown()
    assert {way for _, way in result.counts} >= {"runs", "refused"}


@pytest.mark.slow
def test_1000_damaged_files_are_answered_and_the_good_one_keeps_its_output(
    float_file: Path,
) -> None:
    result = mutate.tally(float_file, count=1000, seed=2)
    assert result.passed, result.table().markdown()


def test_damage_is_of_every_kind_and_repeats_by_seed(int8_file: Path) -> None:
    content = int8_file.read_bytes()
    one, again = (
        [next(damaged) for _ in range(60)]
        for damaged in (mutate.mutants(content, 3), mutate.mutants(content, 3))
    )
    assert one == again
    assert len({kind for kind, _ in one}) == 6
    assert all(damaged != content for _, damaged in one)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, "runs"),
        ("ValueError: The model is not a valid Flatbuffer buffer", "refused"),
        ("the agent was ended by SIGSEGV (the runtime crashed on this file)", "SIGSEGV"),
        ("no answer within 20 s", "time limit"),
        ("the agent gave no measurement (exit code 1): KeyError", "not named"),
    ],
)
def test_kinds_of_answers_are_told_apart(error: str | None, kind: str, int8_file: Path) -> None:
    (good,) = measure({"good": int8_file}, [Local()], plan=QUICK)
    assert mutate.kind_of(good.model_copy(update={"error": error})) == kind


def test_crash_of_the_agent_names_the_signal_and_spares_the_others(
    int8_file: Path, float_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crashing = tmp_path / "agent.py"
    crashing.write_text(
        "import os, signal, sys\n"
        "text = sys.stdin.read()\n"
        'if \'"variant":"bad"\' in text: os.kill(os.getpid(), signal.SIGSEGV)\n'
        "import subprocess\n"
        "from deploy.targets.local import COMMAND\n"
        "sys.exit(subprocess.run(COMMAND, input=text, text=True).returncode)\n"
    )
    alone = measure({"good": int8_file}, [Local()], plan=QUICK)
    monkeypatch.setattr("deploy.targets.local.COMMAND", (sys.executable, str(crashing)))
    bad, good = measure({"bad": float_file, "good": int8_file}, [Local()], plan=QUICK)
    assert bad.error == "the agent was ended by SIGSEGV (the runtime crashed on this file)"
    assert good.error is None
    assert good.output_sha256 == alone[0].output_sha256


@pytest.mark.parametrize(
    "name",
    [
        "new\nline.tflite",
        "'single' \"double\" `back`.tflite",
        "--threads.tflite",
        "-",
        "$(exit 1); false.tflite",
        "%s{0}.tflite",
        "\N{GRINNING FACE} ü.tflite",
        "x" * 248 + ".tflite",
    ],
    ids=["newline", "quotes", "option", "dash", "shell", "format", "unicode", "255 bytes"],
)
def test_hostile_name_is_only_a_name(name: str, float_file: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(float_file.read_bytes())
    (measurement,) = measure({name: path}, [Local()], plan=QUICK)
    assert measurement.error is None
    assert measurement.variant == name


def test_empty_file_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "empty.tflite"
    path.touch()
    (measurement,) = measure({"empty": path}, [Local()], plan=QUICK)
    assert measurement.error
    assert measurement.bytes == 0


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_circle(path: Path) -> None:
    path.symlink_to(path)


def make_dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def make_giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room: no block of it is written


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (make_folder, "is not a file"),
        (make_pipe, "is not a file"),
        (make_device, "is not a file"),
        (make_circle, "cannot find"),
        (make_dangling, "cannot read"),
        (make_giant, "larger than 2 GB"),
    ],
)
def test_what_is_no_file_is_refused_at_once(
    make: Callable[[Path], None], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.tflite"
    make(path)
    with pytest.raises(PocketganError, match=problem) as caught:
        describe_file(path)
    assert str(path) in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["zero\0byte", "y" * 256, "a" * 5000])
def test_name_that_no_file_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="cannot"):
        describe_file(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read_is_refused(float_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "locked.tflite"
    path.write_bytes(float_file.read_bytes())
    path.chmod(0)
    with pytest.raises(PocketganError, match="Permission denied"):
        describe_file(path)
