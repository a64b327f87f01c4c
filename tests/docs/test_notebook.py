"""Every example of docs/notebook.md runs and gives what it says."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"


def test_examples_of_the_notebook_page_run_as_they_stand() -> None:
    results = doctest.testfile(str(PAGE), module_relative=False)
    assert results.attempted > 30
    assert results.failed == 0
