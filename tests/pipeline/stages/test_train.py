import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.artifacts import DISCRIMINATOR, GENERATOR, load_network
from pipeline.cli import main
from pipeline.recipe.reading import load_recipe, shipped_recipes
from pipeline.run import Run
from pipeline.stage import Record, StageContext
from pipeline.stages.train import train
from pipeline.training.history import COLUMNS


def test_trained_networks_are_read_back_with_the_parameters_on_record(
    tiny: Run, record: Callable[[str], Record]
) -> None:
    metrics = record("train").metrics
    for file, name in ((GENERATOR, "generator"), (DISCRIMINATOR, "discriminator")):
        network = load_network(tiny.path("train") / file)
        assert network.count_params() == metrics[f"{name}_parameters"]
        assert all(np.isfinite(weights).all() for weights in network.get_weights())
    assert metrics["steps"] == 24


def test_history_has_a_row_for_every_look(tiny: Run) -> None:
    with (tiny.path("train") / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [8, 16, 24]
    assert tuple(rows[0]) == COLUMNS
    assert all(np.isfinite([float(value) for value in row.values()]).all() for row in rows)


def test_film_is_a_strip_with_time_going_down_and_an_animation(tiny: Run) -> None:
    with Image.open(tiny.path("train") / "film.png") as strip:
        assert strip.size == (12 * 28, 3 * 28)
        rows = np.split(np.asarray(strip), 3)
    assert not np.array_equal(rows[0], rows[-1])
    with Image.open(tiny.path("train") / "film.gif") as animation:
        assert animation.size == (2 * 8 * 28, 2 * 8 * 28)
        assert getattr(animation, "n_frames", 1) == 3


PAIRS = ("--data.degrade", "half", "--generator.name", "residual")
DOMAINS = ("--data.source", "domains", "--generator.name", "resnet")
WITHOUT_EFFECT = {
    "latents": ("--translation.perceptual", "5", "a generator that reads latents"),
    "pairs": (*PAIRS, "--translation.cycle", "5", "with pairs"),
    "classes of pairs": (*PAIRS, "--generator.conditional", "true", "with pairs"),
    "features of pairs": (*PAIRS, "--train.feature_matching", "1", "with pairs"),
    "domains": (*DOMAINS, "--translation.shift", "2", "without pairs"),
    "squares of domains": (*DOMAINS, "--translation.l2", "9", "without pairs"),
    "information": ("--train.information", "0.5", "without codes"),
    "codes of domains": (*DOMAINS, "--generator.codes.discrete", "3", "without pairs"),
    "variety": (
        *("--discriminator.name", "projected", "--discriminator.minibatch_deviation", "true"),
        "by the projected discriminator",
    ),
    "labels": ("--train.loss", "hinge", "--train.label_smoothing", "0.1", "by the loss hinge"),
}


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_setting_that_would_change_nothing_is_refused_and_passes_as_the_remedy_says(
    name: str, ctx: Callable[..., StageContext]
) -> None:
    *options, key, value, kind = WITHOUT_EFFECT[name]
    check = train.check or pytest.fail("nothing is checked")
    wanted = rf"{key[2:]}: .* would change nothing in a training .*{kind}\."
    with pytest.raises(PocketganError, match=wanted) as refused:
        check(ctx(*options, key, value))
    off = "false" if value == "true" else "0"
    assert refused.value.remedy.endswith(f"set it to {off}.")
    check(ctx(*options, key, off))


@pytest.mark.parametrize("name", ["mirror", "shift"])
def test_two_domains_side_by_side_are_not_mixed(
    name: str, ctx: Callable[..., StageContext]
) -> None:
    check = train.check or pytest.fail("nothing is checked")
    coupled = ("--data.coupled", "edges", "--generator.name", "cogan", "--train.augment")
    wanted = rf"train\.augment: {name} would .* side by side"
    with pytest.raises(PocketganError, match=wanted) as refused:
        check(ctx(*coupled, f"[cutout, {name}]"))
    assert refused.value.remedy == "Set train.augment to [cutout]."
    check(ctx(*coupled, "[cutout]"))


def test_domains_without_pairs_need_their_discriminators(ctx: Callable[..., StageContext]) -> None:
    check = train.check or pytest.fail("nothing is checked")
    with pytest.raises(PocketganError, match=r"translation\.adversarial: without pairs"):
        check(ctx(*DOMAINS, "--translation.adversarial", "0"))
    check(ctx(*DOMAINS, "--translation.adversarial", "0.1"))
    check(ctx(*PAIRS, "--translation.adversarial", "0"))


GROWING = ("--generator.name", "progressive", "--discriminator.name", "progressive")


@pytest.mark.parametrize("steps", [2, 12, 2000])
def test_growth_that_leaves_no_steps_for_whole_pictures_is_refused(
    steps: int, ctx: Callable[..., StageContext]
) -> None:
    check = train.check or pytest.fail("nothing is checked")
    growing = (*GROWING, "--train.steps", str(steps), "--train.growth")
    with pytest.raises(PocketganError, match=rf"train\.growth: 1 of {steps:,} steps") as refused:
        check(ctx(*growing, "1"))
    most = re.search(r"train\.growth (?:to )?([\d.]*\d)", refused.value.remedy)
    assert most is not None
    check(ctx(*growing, most[1]))
    if steps > 2:
        with pytest.raises(PocketganError, match=r"train\.growth"):
            check(ctx(*growing, str(float(most[1]) + 0.01)))


@pytest.mark.parametrize("name", shipped_recipes())
def test_recipes_that_ship_have_nothing_without_effect(name: str, tmp_path: Path) -> None:
    run = Run(load_recipe(name), tmp_path)
    check = train.check or pytest.fail("nothing is checked")
    check(run.context(train, tmp_path))


@pytest.mark.parametrize("key", ["train.augment", "train.loss"])
def test_rule_that_does_not_exist_is_refused_before_anything_runs(
    key: str, tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "[nonsense]" if key == "train.augment" else "nonsense"
    arguments = ["--runs", str(tmp_path), f"--{key}", value, "--quiet"]
    assert main(["run", str(tiny_recipe), *arguments]) == 2
    assert "nonsense" in capsys.readouterr().err
    assert not (tmp_path / "tiny").exists()
