from collections.abc import Callable

import pytest

from pipeline.recipe.plain import LATER_KEYS, as_dict, leaves, to_yaml
from pipeline.recipe.reading import load_recipe


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("--prune.last_layer", "null", "--prune.layers", "{project: 0.3}"),
        ("--data.source", "folder", "--data.folder", "bilder/höhe"),
        ("--train.augment", "[shift, cutout]", "--train.discriminator_weights.drop", "0.1"),
    ],
)
def test_written_recipe_reads_back_the_same(
    overrides: tuple[str, ...], recipe: Callable[..., str]
) -> None:
    first = load_recipe("digits", overrides)
    assert load_recipe(recipe(to_yaml(first))) == first


def test_recipe_as_dict_holds_plain_values_only() -> None:
    values = as_dict(load_recipe("digits", ["--data.folder", "x"]))
    assert type(values["train"]["steps"]) is int
    assert type(values["train"]["generator_rate"]) is float
    assert values["data"]["folder"] == "x"


def test_recipe_as_dict_leaves_out_what_older_versions_did_not_know_and_is_not_asked_for() -> None:
    values = as_dict(load_recipe("digits", ["--data.degrade", "half"]))["data"]
    assert values["degrade"] == "half"
    assert not {f"data.{key}" for key in values} & {*LATER_KEYS} - {"data.degrade"}
    assert "cut: whole" in to_yaml(load_recipe("digits"))
    old = as_dict(load_recipe("digits"))
    assert "judge" not in old["evaluate"]
    assert not {
        f"{section}.{key}" for section in ("generator", "train") for key in old[section]
    } & {*LATER_KEYS}


def test_leaves_get_dotted_keys_and_lists_stay_whole() -> None:
    tree = {"train": {"steps": 10, "loss": {"name": "hinge"}}, "gates": ["a", "b"], "slim": {}}
    assert dict(leaves(tree)) == {
        "train.steps": 10,
        "train.loss.name": "hinge",
        "gates": ["a", "b"],
        "slim": {},
    }
