"""For every test: TensorFlow is set up as a stage sets it up, whatever test ran before."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.jobs import FIGURES, Measurement
from pipeline.atomic import exclusive
from pipeline.tensorflow_setup import configure_tensorflow, load_tensorflow
from tests.deploy.subject import SUBJECT

configure_tensorflow()
load_tensorflow()

from pipeline.determinism import prepare  # noqa: E402  it needs TensorFlow

prepare(seed=0)

MadeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A function that gives the folder of that name, for looking at only.

    Whoever asks first fills it, of all workers of pytest-xdist; the others wait for it.
    """
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def give(name: str, fill: Callable[[Path], None]) -> Path:
        full = shared / f"{name}.full"
        with exclusive(shared / name):
            if not full.exists():
                fill(shared / name)
                full.touch()
        return shared / name

    return give


@pytest.fixture(scope="session")
def foreign() -> Any:
    """The module tests/foreign/generators.py: builders of generators as others write them."""
    return _module("generators")


@pytest.fixture(scope="session")
def foreign_inputs() -> Any:
    """Name → builder of a generator that reads more than one thing: tests/foreign/inputs.py."""
    return _module("inputs").MODELS


def _module(name: str) -> Any:
    """Of the folder that is no package: what is in there is other people's."""
    path = Path(__file__).parent / "foreign" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"foreign_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def measured() -> Callable[..., Measurement]:
    """Make a measurement; keywords are its figures, all others are absent."""

    def make(target: str, variant: str, **figures: Any) -> Measurement:
        absent = dict.fromkeys(set(FIGURES) - figures.keys(), "not here")
        return Measurement.model_validate(
            {
                **SUBJECT,
                "target": target,
                "variant": variant,
                "absent": {} if "error" in figures else absent,
                **figures,
            }
        )

    return make
