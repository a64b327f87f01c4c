from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.pixels import PixelRange
from pipeline.recipe.reading import load_recipe
from pipeline.search.scorers import pixel_scorer
from pipeline.stages import distillation
from pipeline.training.distillation_set import DistillationSet

RANDOM = np.random.default_rng(1)
PICTURES = RANDOM.integers(0, 256, (16, 4, 4, 1), dtype=np.uint8)


@pytest.mark.parametrize("input_pixels", [None, (-1.0, 1.0)], ids=["latents", "pictures"])
def test_distillation_that_diverges_says_so_before_a_first_file_is_written(
    input_pixels: PixelRange | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = RANDOM.normal(size=(16, 4, 4, 1)).astype(np.float32)
    inputs = latents if input_pixels is None else PICTURES
    pairs = DistillationSet(inputs, PICTURES, 0, input_pixels)
    scorer = None if input_pixels is None else pixel_scorer(pairs)
    monkeypatch.setattr(distillation, "distance_to_teacher", lambda *_: scorer)
    ctx: Any = SimpleNamespace(
        recipe=load_recipe("digits", {"student.imitate": 4, "student.imitate_rate": 1e30}),
        scratch=tmp_path,
    )
    candidate: Any = SimpleNamespace(number=0, cost=SimpleNamespace(macs=1))
    picture = tf_keras.Input([4, 4, 1])
    hidden = tf_keras.layers.Conv2D(2, 3, padding="same")(picture)
    network = tf_keras.Model(picture, tf_keras.layers.Conv2D(1, 3, padding="same")(hidden))
    with pytest.raises(PocketganError, match="the distillation diverged") as refused:
        distillation.distill(ctx, network, pairs=pairs, pixels=(-1.0, 1.0), candidate=candidate)
    assert refused.value.remedy == "Give a student.imitate_rate below 1e+30."
