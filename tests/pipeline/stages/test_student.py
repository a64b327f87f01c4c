from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.networks.translators import TranslatorShape
from pipeline.recipe.reading import load_recipe
from pipeline.stages import student

PIXELS = (-1.0, 1.0)
SHAPE = TranslatorShape(source=(16, 16, 1), image=(16, 16, 1), source_pixels=PIXELS, pixels=PIXELS)


@pytest.mark.parametrize(
    ("adversarial", "matching", "is_asked"),
    [(0.0, 0.0, False), (0.5, 0.0, True), (0.0, 1.0, True)],
)
def test_student_for_pictures_has_a_discriminator_where_a_loss_asks_one(
    adversarial: float, matching: float, is_asked: bool, tmp_path: Path
) -> None:
    weights = {"student.adversarial": adversarial, "student.matching": matching}
    recipe = load_recipe("digits", weights | {"discriminator.width": 2})
    ctx: Any = SimpleNamespace(recipe=recipe, inputs={"teacher": tmp_path})
    builder: Any = SimpleNamespace(teacher=SimpleNamespace(latent=0), translator_shape=SHAPE)
    assert (student._discriminator(ctx, builder) is not None) == is_asked
