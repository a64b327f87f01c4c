import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import find_variants, read_directions
from pipeline.cli import main
from pipeline.run import Run
from pipeline.stages import directions
from pipeline.variants import SHIPPED

ASKED = ("--evaluate.directions", "2", "--quiet")


Evaluate = Callable[[Path], Path]


@pytest.fixture(scope="module")
def evaluate(tiny_recipe: Path) -> Evaluate:
    """A function that asks a finished run for directions, and gives the stage's folder."""

    def evaluate_again(runs: Path) -> Path:
        assert main(["evaluate", str(tiny_recipe), "--runs", str(runs), *ASKED]) == 0
        return runs / "tiny" / "5-evaluate"

    return evaluate_again


@pytest.fixture(scope="module")
def evaluated(
    evaluate: Evaluate, tiny_runs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return evaluate(Path(shutil.copytree(tiny_runs, tmp_path_factory.mktemp("asked") / "runs")))


def test_directions_of_both_methods_are_measured_and_walked(evaluated: Path) -> None:
    contents, walks = read_directions(evaluated) or pytest.fail("nothing was written")
    names = ["weights 1", "weights 2", "activations 1", "activations 2"]
    assert [each.name for each in contents.directions] == names == [*walks]
    assert {walk.shape for walk in walks.values()} == {(3, 2, 9, 28, 28, 1)}
    assert (contents.found_in, contents.reach) == ("float32", 2)
    for each in contents.directions:
        assert np.linalg.norm(each.vector) == pytest.approx(1, abs=1e-4)
        assert len(each.vector) == 8
        assert each.pixels.chance < each.pixels.agreement <= 1
    assert contents.directions[0].effect > contents.random_effect


def test_the_record_tells_how_far_they_agree(evaluated: Path) -> None:
    contents, _ = read_directions(evaluated) or pytest.fail("nothing was written")
    figure = json.loads((evaluated / "stage.json").read_text())["metrics"]["direction_agreement"]
    agreements = [each.pixels.agreement for each in contents.directions]
    assert figure == pytest.approx(np.mean(agreements), abs=1e-4)


def test_where_the_baseline_has_no_file_what_ships_is_read(
    evaluate: Evaluate, evaluated: Path, tiny_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_shipped(folder: Path) -> dict[str, Path]:
        return {SHIPPED: find_variants(folder)[SHIPPED]}

    monkeypatch.setattr(directions, "find_variants", only_shipped)
    contents, walks = read_directions(evaluate(tiny_copy)) or pytest.fail("nothing was written")
    assert contents.found_in == SHIPPED
    assert {walk.shape[1] for walk in walks.values()} == {2}
    of_baseline, _ = read_directions(evaluated) or pytest.fail("nothing was written")
    assert contents.directions[0].vector != of_baseline.directions[0].vector
    assert contents.random_agreement == of_baseline.random_agreement


def test_nothing_is_looked_for_unasked(tiny: Run) -> None:
    assert read_directions(tiny.path("evaluate")) is None


def test_generators_of_pictures_have_none(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    translator = ["--data.degrade", "blur", "--data.image_size", "32", "--generator.name", "unet"]
    more = [*translator, "--runs", str(tmp_path), *ASKED]
    assert main(["run", str(tiny_recipe), *more]) == 2
    message = capsys.readouterr().err
    assert "evaluate.directions: this generator reads pictures" in message
    assert not any(path for path in tmp_path.glob("tiny/*") if path.is_dir())
