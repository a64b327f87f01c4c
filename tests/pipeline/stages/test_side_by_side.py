"""What stages leave does not depend on how many workers made it, nor on one that died."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import PAIRS, REFERENCE, read_distillation_set
from pipeline.cli import main
from pipeline.plans import FROM_TEACHER
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.search import work
from pipeline.stages import file_pictures

PATIENCE = 600.0


def small_run(runs: Path, workers: int | None = None) -> Run:
    return Run(load_recipe(str(runs / "small" / "recipe.yaml")), runs, workers=workers)


def choice_of(runs: Path) -> bytes:
    return (FROM_TEACHER.folder(runs / "small", "search") / "choice.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_choice_of_a_search_is_the_same_with_any_number_of_workers(
    count: int, small_runs: Path, small_copy: Path
) -> None:
    run = small_run(small_copy, count)
    shutil.rmtree(run.path("search"))
    run.make("search")
    assert choice_of(small_copy) == choice_of(small_runs)


@pytest.mark.slow
def test_search_whose_worker_was_killed_is_one_message_and_goes_on(
    small_runs: Path, small_copy: Path, compress_arguments: Callable[[Path], list[str]]
) -> None:
    shutil.rmtree(FROM_TEACHER.folder(small_copy / "small", "search"))
    arguments = [*compress_arguments(small_copy), "--workers", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        workers = first_workers(process, 2)
        os.kill(workers[0], signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    problem, remedy = err.strip().splitlines()[-2:]
    assert problem.startswith("pocketgan: student ")
    assert "the system killed it" in problem
    assert "the same command goes on" in remedy
    assert not any(map(is_there, workers))
    small_run(small_copy).make("search")
    assert choice_of(small_copy) == choice_of(small_runs)


def first_workers(process: "subprocess.Popen[str]", count: int) -> list[int]:
    """The workers of a command, as soon as there are so many."""
    limit = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        workers = [
            pid
            for child in children(process.pid)
            for pid in children(child)
            if b"spawn_main" in command_of(pid)
        ]
        if len(workers) >= count:
            return workers
        time.sleep(0.01)


def children(parent: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                yield int(stat.parent.name)
        except OSError:
            continue


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_there(pid: int) -> bool:
    return b"spawn_main" in command_of(pid)


@pytest.mark.slow
def test_files_that_draw_side_by_side_have_the_same_figures(
    tiny_runs: Path, tiny_copy: Path, tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_pictures, "WORTHWHILE", 0)
    folder = tiny_copy / "tiny" / "5-evaluate"
    shutil.rmtree(folder)
    arguments = ["evaluate", str(tiny_recipe), "--runs", str(tiny_copy), "--workers", "2"]
    assert main([*arguments, "--quiet"]) == 0
    assert not (folder / ".scratch").exists()
    for name in ("quality.json", "samples.npz"):
        before = (tiny_runs / "tiny" / "5-evaluate" / name).read_bytes()
        assert (folder / name).read_bytes() == before


@pytest.mark.slow
def test_teacher_that_draws_in_workers_draws_the_same_with_any_number(
    small_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "HEAVY", 0)
    monkeypatch.setattr("pipeline.search.pairs.PIECE", 64)
    pictures: list[dict[str, Any]] = []
    for count in (1, 2):
        run = small_run(small_copy, count)
        shutil.rmtree(run.path("teacher"))
        run.make("teacher")
        pictures.append(
            {part: read_distillation_set(run.path("teacher"), part) for part in (PAIRS, REFERENCE)}
        )
    for part, one in pictures[0].items():
        np.testing.assert_array_equal(one.inputs, pictures[1][part].inputs)
        np.testing.assert_array_equal(one.pictures, pictures[1][part].pictures)


@pytest.mark.slow
def test_roundings_side_by_side_give_the_same_weights(
    tiny_runs: Path, tiny_copy: Path, tiny_recipe: Path
) -> None:
    folder = tiny_copy / "tiny" / "3-quantize"
    shutil.rmtree(folder)
    arguments = ["quantize", str(tiny_recipe), "--runs", str(tiny_copy), "--workers", "2"]
    assert main([*arguments, "--quiet"]) == 0
    for name in ("int8.weights.npz", "int8-qat.weights.npz", "history-int8.csv"):
        before = (tiny_runs / "tiny" / "3-quantize" / name).read_bytes()
        assert (folder / name).read_bytes() == before, name
