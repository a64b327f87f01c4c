"""Runs that a bundle can be made of, or not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import main

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask:
    """A function that runs a command: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, " ".join(err.split())

    return run


@pytest.fixture(scope="session")
def conditional_runs(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs that holds the finished, class-conditional run ``told``."""
    runs = tmp_path_factory.mktemp("conditional")
    more = ["--name", "told", "--generator.conditional", "true", "--convert.int16x8", "true"]
    assert main(["run", str(tiny_recipe), "--runs", str(runs), "--quiet", *more]) == 0
    return runs


@pytest.fixture
def failed(tiny_recipe: Path, tiny_copy: Path) -> Path:
    """A folder of runs with a run ``tiny`` whose report has a failed gate."""
    more = ["--runs", str(tiny_copy), "--report.gates", "[zeros >= 0.99]", "--quiet"]
    assert main(["report", str(tiny_recipe), *more]) == 3
    return tiny_copy


@pytest.fixture
def unfinished(tiny_copy: Path) -> Path:
    """A folder of runs with a run ``tiny`` that stopped before it was judged."""
    for stage in ("5-evaluate", "7-report"):
        shutil.rmtree(tiny_copy / "tiny" / stage)
    return tiny_copy


@pytest.fixture
def model_of() -> Callable[[Path], dict[str, object]]:
    """A function that reads a bundle's model.json."""
    return lambda folder: json.loads((folder / "model.json").read_text())  # type: ignore[no-any-return]
