import pytest

from deploy.errors import PocketganError
from pipeline.recipe.mistakes import mistakes_of
from pipeline.recipe.reading import load_recipe, shipped_recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_no_shipped_recipe_has_a_mistake(name: str) -> None:
    assert not list(mistakes_of(load_recipe(name)))


def test_recipe_refuses_data_that_a_source_cannot_give() -> None:
    with pytest.raises(PocketganError, match=r"command line: data\.degrade: .* 'rain'"):
        load_recipe("digits", ["--data.degrade", "rain"])
