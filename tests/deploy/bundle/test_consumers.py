"""Consumers that know nothing of pocketgan: the docs' example, and code/generator.py."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.bundle import files
from deploy.errors import PocketganError
from deploy.targets.installing import Environment
from deploy.targets.local import TfliteRuntime

Put = Callable[[dict[str, bytes], Path], Path]

DOCS = Path(__file__).parents[3] / "docs" / "bundle.md"
CLEAN = Environment(
    name="bundle-consumer",
    packages=("ai-edge-litert==2.3.0", "numpy==2.4.6"),
    module="ai_edge_litert.interpreter",
    pythons=("3.11", "3.12", "3.13"),
)
DRAW = ["code/generator.py", "generator.tflite", "0", "8"]


@pytest.fixture(scope="session")
def example() -> str:
    (problems,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(problems)


@pytest.fixture
def downloaded(parts: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder with nothing but bundle.zip."""
    (tmp_path / "bundle.zip").write_bytes(files.pack(parts))
    return tmp_path


@pytest.fixture(scope="session")
def clean_python() -> str:
    """A Python with a TFLite runtime and numpy, and without TensorFlow and pocketgan."""
    try:
        CLEAN.install(lambda _: None)
    except PocketganError as error:
        pytest.skip(error.problem)
    python = str(CLEAN.python)
    for absent in ("tensorflow", "pipeline", "deploy", "pydantic"):
        done = subprocess.run([python, "-I", "-c", f"import {absent}"], capture_output=True)
        assert done.returncode == 1
    return python


def _says_equal(python: str, example: str, folder: Path) -> bool:
    command = [python, "-I", "-c", example]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout == "True\n"


def test_example_of_the_docs_draws_the_golden_outputs(example: str, downloaded: Path) -> None:
    assert len([line for line in example.splitlines() if line]) == 10
    assert _says_equal(sys.executable, example, downloaded)


def test_example_notices_other_outputs(
    example: str, parts: dict[str, bytes], tmp_path: Path
) -> None:
    other = {**parts, "golden/outputs.bin": b"\1" * len(parts["golden/outputs.bin"])}
    (tmp_path / "bundle.zip").write_bytes(files.pack(other))
    assert not _says_equal(sys.executable, example, tmp_path)


@pytest.mark.slow
def test_example_runs_where_there_is_nothing_but_a_runtime(
    example: str, downloaded: Path, clean_python: str
) -> None:
    assert _says_equal(clean_python, example, downloaded)


@pytest.mark.slow
def test_generator_py_draws_the_same_where_there_is_nothing_but_a_runtime(
    unpacked: Path, clean_python: str
) -> None:
    here, there = (
        subprocess.run([python, *DRAW], cwd=unpacked, capture_output=True, check=True).stdout
        for python in (sys.executable, clean_python)
    )
    assert here == there


def test_generator_py_draws_through_tflite_runtime_too(unpacked: Path) -> None:
    if not TfliteRuntime.environment.ready:
        pytest.skip(TfliteRuntime().availability().remedy)
    here, there = (
        subprocess.run([python, *DRAW], cwd=unpacked, capture_output=True, check=True).stdout
        for python in (sys.executable, str(TfliteRuntime.environment.python))
    )
    assert len(here) == len(there)
    apart = [abs(a - b) for a, b in zip(here, there, strict=True)]
    assert max(apart) <= 8
