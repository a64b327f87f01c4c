"""Generators of other people, as the importers' tests have them."""

from tests.pipeline.importers.conftest import custom, files, k3

__all__ = ["custom", "files", "k3"]
