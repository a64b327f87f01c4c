from pathlib import Path

import pytest

from deploy.errors import PocketganError
from tools.experiments.finished_run import open_run


def test_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="no recipe"):
        open_run(tmp_path)


def test_renamed_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: another\n")
    with pytest.raises(PocketganError, match="'another'"):
        open_run(tmp_path)


def test_run_that_is_not_evaluated_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("name: mine\n")
    with pytest.raises(PocketganError, match="evaluate is not up to date"):
        open_run(folder)
