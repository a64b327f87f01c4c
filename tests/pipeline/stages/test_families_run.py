"""Families beside the DCGAN of the tiny run, from training to an all-int8 file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import read_directions
from pipeline.cli import main
from pipeline.finished_run import open_run
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model

FAMILIES = {
    "r3gan": (
        *("--generator.name", "r3gan", "--discriminator.name", "r3gan"),
        *("--train.loss", "relativistic", "--train.r1", "1", "--train.r2", "1"),
    ),
    "infogan": ("--generator.codes.discrete", "3", "--generator.codes.continuous", "2"),
    "madgan": ("--generator.codes.discrete", "3", "--train.multi_agent", "true"),
    "cogan": (
        *("--data.coupled", "edges", "--generator.name", "cogan", "--discriminator.name", "cogan"),
    ),
    "odd": (
        *("--data.image_size", "36", "--data.channels", "3"),
        *("--train.feature_matching", "1", "--discriminator.minibatch_deviation", "true"),
    ),
}
FIGURES = {
    "infogan": {"discrete_code", "continuous_code_1", "continuous_code_2"},
    "madgan": {"generators_told_apart"},
}
"""What is measured of codes, in the records of train and quantize."""
READ = set().union(*FIGURES.values())

LARGER_FAMILIES = {
    "cogan": FAMILIES["cogan"],
    "biggan": (
        *("--generator.name", "biggan", "--generator.conditional", "true"),
        *("--discriminator.name", "biggan", "--discriminator.spectral_norm", "true"),
        *("--train.loss", "hinge", "--train.generator_weights.orthogonal", "1e-4"),
    ),
    "progressive": (
        *("--generator.name", "progressive", "--discriminator.name", "progressive"),
        *("--train.growth", "0.6", "--generator.conditional", "true"),
    ),
    "stylegan": (
        *("--generator.name", "stylegan", "--generator.truncation", "0.7"),
        *("--discriminator.name", "stylegan"),
    ),
}
"""What learns and becomes an int8 file in seconds in ``training/test_learning.py``."""


QUICK = ("infogan", "cogan")
"""Both of what only stages know: codes that are measured, and pictures that are halved."""


@pytest.mark.parametrize(
    "family",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES],
)
def test_family_becomes_an_int8_file_through_the_stages(
    family: str, tiny_recipe: Path, tmp_path: Path
) -> None:
    more = ["--runs", str(tmp_path), "--name", family, "--quiet", *FAMILIES[family]]
    for stage in ("train", "prune", "quantize", "convert"):
        assert main([stage, str(tiny_recipe), *more]) == 0
    run = open_run(family, tmp_path)
    for variant in ("int8", "int8-qat", "int8-ptq"):
        assert not float_ops(read_model(run.variant(variant).read_bytes()))
    assert not run.records["convert"].events
    recovered = [
        run.records["train"].metrics,
        *(run.records["quantize"].metrics[variant] for variant in ("int8", "int8-qat")),
    ]
    assert all(READ & metrics.keys() == FIGURES.get(family, set()) for metrics in recovered)
    if family == "infogan":
        _codes_are_directions(tiny_recipe, more, run.stage("evaluate"))


def _codes_are_directions(recipe: Path, more: Sequence[str], folder: Path) -> None:
    assert main(["evaluate", str(recipe), *more, "--evaluate.directions", "1"]) == 0
    contents, walks = read_directions(folder) or pytest.fail("nothing was written")
    assert [each.name for each in contents.directions][:2] == ["code 1", "code 2"]
    assert contents.directions[1].vector == (0, 1, *[0] * 6)
    values = walks["discrete code"].astype(int)
    assert values.shape == (3, 2, 3, 28, 28, 1)
    assert np.abs(values[:, :, 0] - values[:, :, 1]).mean() > 0.5


STUDENT = (
    *("--max-gzip-kb", "5", "--search.trials", "2", "--search.steps", "6", "--search.blocks"),
    *("[slim]", "--student.imitate", "4", "--student.steps", "4", "--quantize.steps", "4"),
    *("--quantize.calibration", "32", "--convert.calibration", "32", "--teacher.lessons", "64"),
    *("--evaluate.samples", "64", "--evaluate.judge_steps", "20", "--benchmark.threads", "[1]"),
    *("--benchmark.runs", "8", "--benchmark.rounds", "1", "--benchmark.warmup", "0"),
)


@pytest.mark.slow
@pytest.mark.parametrize("family", LARGER_FAMILIES)
def test_family_gives_a_report_a_bundle_and_a_slim_student(
    family: str, tiny_recipe: Path, tmp_path: Path
) -> None:
    runs = ["--runs", str(tmp_path), "--quiet"]
    assert main(["run", str(tiny_recipe), *runs, "--name", family, *LARGER_FAMILIES[family]]) == 0
    assert main(["bundle", family, "--runs", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert main(["verify", str(tmp_path / "out")]) == 0
    teacher = str(tmp_path / family)
    assert main(["compress", teacher, *runs, "--name", "small", *STUDENT]) == 0
    for name in (family, "small"):
        run = open_run(name, tmp_path)
        assert not float_ops(read_model(run.variant("int8").read_bytes()))
        assert not run.records["convert"].events
