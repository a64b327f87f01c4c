"""Generators of other people, as the importers' tests have them."""

from tests.pipeline.importers.conftest import custom, files

__all__ = ["custom", "files"]
