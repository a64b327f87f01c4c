"""A recipe with a teacher: what `compress` refuses, `run` refuses before anything is made."""

import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import pytest
import yaml

from deploy.targets.local import Local
from deploy.targets.target import Availability
from pipeline.cli import main
from pipeline.commands.compress_options import in_recipe
from pipeline.commands.run import NOTES, make_stage
from pipeline.plans import FROM_TEACHER

L = keras.layers


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., str]:
    """A function that writes a recipe for a teacher of latents, or another one, and names it."""

    def write(file: Path, budget: dict[str, Any], **teacher: Any) -> str:
        values = {"name": "theirs", "teacher": {"file": str(file), **teacher}, "budget": budget}
        (tmp_path / "theirs.yaml").write_text(yaml.safe_dump(values))
        return str(tmp_path / "theirs.yaml")

    return write


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """A function that runs a recipe and gives the message that it is refused with."""

    def run(*arguments: str) -> str:
        assert main(["run", *arguments, "--runs", str(tmp_path / "runs")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert not (tmp_path / "runs").exists()
        return " ".join(err.split())

    return run


def test_target_that_is_not_ready_is_refused_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., str]
) -> None:
    away = Availability("it is away", "pocketgan targets install it")
    monkeypatch.setattr(Local, "availability", lambda self: away)
    assert "target local: it is away Run: pocketgan targets install it" in refusal("digits")


def test_target_of_a_finished_benchmark_may_be_away(
    tiny_recipe: Path, tiny_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Local, "availability", lambda self: Availability("it is away"))
    assert main(["run", str(tiny_recipe), "--runs", str(tiny_copy)]) == 0


def test_target_that_there_is_not_is_refused_before_anything_is_trained(
    refusal: Callable[..., str],
) -> None:
    assert "no target is called 'nope'" in refusal("digits", "--benchmark.targets", "[nope]")
    shelf = "[targets:nowhere.yaml]"
    assert "nowhere.yaml" in refusal("digits", "--benchmark.targets", shelf)


def test_storage_where_nothing_is_searched_is_refused(
    tmp_path: Path, refusal: Callable[..., str]
) -> None:
    said = refusal("digits", "--storage", f"sqlite:///{tmp_path / 'storage.db'}")
    assert "recipe digits has no search" in said


def collapsed(k3: Callable[..., Path]) -> Path:
    paint = L.Conv2D(1, 3, padding="same", activation="tanh", kernel_initializer="zeros")
    return k3((8,), L.Dense(8 * 8 * 64), L.Reshape((8, 8, 64)), paint)


def linear(k3: Callable[..., Path]) -> Path:
    paint = L.Conv2D(1, 3, padding="same")
    return k3((8,), L.Dense(8 * 8 * 64), L.Reshape((8, 8, 64)), paint)


def test_what_the_dry_run_refuses_is_refused(
    k3: Callable[..., Path], recipe: Callable[..., str], refusal: Callable[..., str]
) -> None:
    assert "are all the same" in refusal(recipe(collapsed(k3), {"max_kb": 20}))


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({}, "--budget.max_gzip_kb 12"),
        ({"max_kb": 0.001}, "smaller than any student"),
        ({"max_kb": 20, "minutes": 3}, "Leave --budget.minutes out"),
    ],
)
def test_budget_that_compress_refuses_is_refused(
    budget: dict[str, Any],
    expected: str,
    k3: Callable[..., Path],
    recipe: Callable[..., str],
    refusal: Callable[..., str],
) -> None:
    assert expected in refusal(recipe(linear(k3), budget, pixels=[-1, 1]))


def test_what_is_missing_is_named_as_the_recipe_takes_it(
    k3: Callable[..., Path], recipe: Callable[..., str], refusal: Callable[..., str]
) -> None:
    path = recipe(linear(k3), {})
    message = refusal(path)
    options = shlex.split(message[message.index("Give ") + 5 : message.index(", or what is")])
    assert options == ["--teacher.pixels", "[-1,1]"]
    assert "no budget" in refusal(path, *options)


@pytest.mark.parametrize(
    ("remedy", "expected"),
    [
        ("Give --max-gzip-kb 12.", "Give --budget.max_gzip_kb 12."),
        ("Give --pixels -1 1.", "Give --teacher.pixels [-1,1]."),
        (
            "Give --input-size 256x256 --input-pixels 0 0.5, or",
            "Give --teacher.input_size 256x256 --teacher.input_pixels [0,0.5], or",
        ),
        ("Give --input 'a b=0.5'.", "Give --teacher.input+ 'a b=0.5'."),
        ("Give --on-white.", "Give --teacher.on_white true."),
        ("Say --student.steps 9, --json.", "Say --student.steps 9, --json."),
    ],
)
def test_options_of_compress_are_said_as_a_recipe_takes_them(remedy: str, expected: str) -> None:
    assert in_recipe(remedy) == expected


def test_what_was_noticed_of_the_pictures_is_told_when_the_teacher_has_read_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = [f"note {number}" for number in range(NOTES + 2)]
    record = SimpleNamespace(seconds=1.0, metrics={}, events=notes)
    run = SimpleNamespace(
        staleness=lambda name: "never made",
        record=lambda name: None,
        plan=FROM_TEACHER,
        make=lambda name: record,
    )
    make_stage(run, "teacher")  # type: ignore[arg-type]
    lines = capsys.readouterr().err
    assert f"note {NOTES - 1}\n" in lines
    assert f"note {NOTES}\n" not in lines
    assert "2 further notes stand in the report" in lines
    make_stage(run, "search")  # type: ignore[arg-type]
    assert "note" not in capsys.readouterr().err
