"""What a stage may take the training's pairs for."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.recipe.reading import load_recipe
from pipeline.stages.inputs import examples

INPUTS, DRAWN = np.zeros((4, 8, 8, 3), np.uint8), np.ones((4, 16, 16, 3), np.uint8)


def context(source: dict[str, str], *, aligned: bool) -> SimpleNamespace:
    """A run that trains a generator on data of which this is known."""
    return SimpleNamespace(
        stage=SimpleNamespace(needs=("convert",)),
        recipe=load_recipe({"name": "any", "data": {"folder": "any", **source}}),
        dataset=SimpleNamespace(train_inputs=INPUTS, train=DRAWN, aligned=aligned),
    )


def test_examples_of_a_translator_are_the_pairs_of_its_training() -> None:
    found = examples(context({"source": "folder", "degrade": "half"}, aligned=True))
    assert found is not None
    assert found[0] is INPUTS
    assert found[1] is DRAWN


@pytest.mark.parametrize("source", [{"source": "domains", "inputs": "other"}, {"source": "folder"}])
def test_two_domains_and_latents_have_no_examples(source: dict[str, str]) -> None:
    assert examples(context(source, aligned=False)) is None
