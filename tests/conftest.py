"""For every test: TensorFlow must load with the legacy Keras, which `pipeline` asks for."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import pipeline  # noqa: F401


@pytest.fixture(scope="session")
def foreign() -> Any:
    """The module tests/foreign/generators.py: builders of generators as others write them."""
    path = Path(__file__).parent / "foreign" / "generators.py"
    spec = importlib.util.spec_from_file_location("foreign_generators", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
