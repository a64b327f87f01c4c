from pathlib import Path

import pytest

from pipeline.bundles.finished import open_run
from pipeline.bundles.story import _CONVERTED, steps
from pipeline.variants import VARIANTS

PARTS = {
    "float32": ("GAN", "float32"),
    "int8-ptq": ("GAN", "after the training"),
    "pruned-float32": ("GAN", "set to zero", "float32"),
    "int8-qat": ("GAN", "fine-tuned with int8", "all int8"),
    "int8": ("GAN", "set to zero", "fine-tuned with int8", "all int8"),
}


@pytest.mark.parametrize("variant", PARTS)
def test_a_variant_tells_the_stages_it_went_through_and_no_other(
    variant: str, tiny_runs: Path
) -> None:
    told = steps(open_run("tiny", tiny_runs), variant)
    assert len(told) == len(PARTS[variant])
    for sentence, part in zip(told, PARTS[variant], strict=True):
        assert part in sentence


def test_figures_are_those_of_the_recipe(tiny_runs: Path) -> None:
    told = " ".join(steps(open_run("tiny", tiny_runs), "int8"))
    for figure in ("24 steps of 16 pictures", "(16 steps, up to 80% of a kernel)", "(8 steps)"):
        assert figure in told


def test_every_variant_can_be_told() -> None:
    assert set(_CONVERTED) == set(VARIANTS)
