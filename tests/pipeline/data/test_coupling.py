import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.data.coupling import SECOND_DOMAINS, coupled, edges
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", SECOND_DOMAINS)
def test_a_picture_stands_beside_itself_in_another_domain(name: str) -> None:
    both = coupled(PICTURES, name)
    assert (both.shape, both.dtype) == ((4, 6, 10, 3), np.uint8)
    np.testing.assert_array_equal(both[:, :, :5], PICTURES)
    np.testing.assert_array_equal(both[:, :, 5:], SECOND_DOMAINS[name].apply(PICTURES))
    assert (both[:, :, 5:] != PICTURES).mean() > 0.5


def test_a_negative_of_a_negative_is_the_picture() -> None:
    twice = SECOND_DOMAINS["negative"].apply(SECOND_DOMAINS["negative"].apply(PICTURES))
    np.testing.assert_array_equal(twice, PICTURES)


def test_edges_are_lines_one_pixel_wide_around_what_is_bright() -> None:
    dot = np.zeros([1, 5, 6, 1], np.uint8)
    dot[:, 2, 2:4] = 255
    lines = np.zeros_like(dot)
    lines[:, 1:4, 1:5] = 255
    np.testing.assert_array_equal(edges(dot), lines - dot)


def test_data_of_a_recipe_is_coupled_in_both_parts(tmp_path: Path) -> None:
    recipe = load_recipe({"name": "both", "data": {"coupled": "negative"}})
    data = Run(recipe, tmp_path).dataset
    assert recipe.data.shape == data.train.shape[1:] == data.test.shape[1:] == (28, 56, 1)
    for part in (data.train, data.test):
        np.testing.assert_array_equal(part[:, :, :28], 255 - part[:, :, 28:])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--data.coupled", "negatives"], "there is no second domain 'negatives'"),
        (["--data.coupled", "edges", "--data.degrade", "half"], "two domains are drawn of latents"),
    ],
)
def test_what_cannot_be_coupled_is_refused(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "digits", "--runs", str(tmp_path), *more]) == 2
    assert message in capsys.readouterr().err


def test_second_domains_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["second domains"].keys() == SECOND_DOMAINS.keys()
