import subprocess
import sys

import numpy as np
import pytest

from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import seed_pair

PICTURES = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
INPUTS = np.arange(20, dtype=np.float32)[:, None] * np.ones((1, 5), np.float32)


def test_pairs_stay_together_and_pictures_are_in_the_students_range() -> None:
    inputs, classes, pictures = (
        DistillationSet(INPUTS, PICTURES).on_device((-1.0, 1.0)).sample(seed_pair(1, 1, 0), 50)
    )
    assert inputs.shape == (50, 5)
    assert classes.shape == (50, 0)
    np.testing.assert_allclose(
        pictures.numpy()[:, 0, 0, 0], inputs.numpy()[:, 0] / 127.5 - 1, atol=1e-6
    )
    assert len(np.unique(inputs.numpy()[:, 0])) > 10


def test_classes_are_the_end_of_the_inputs() -> None:
    inputs, classes, _ = (
        DistillationSet(INPUTS, PICTURES, 2).on_device((0.0, 1.0)).sample(seed_pair(1, 1, 0), 4)
    )
    np.testing.assert_array_equal(classes.numpy(), inputs.numpy()[:, -2:])


def test_same_seed_draws_the_same() -> None:
    tensors = DistillationSet(INPUTS, PICTURES).on_device((0.0, 1.0))
    first, again, other = (tensors.sample(seed_pair(1, 1, n), 8)[0].numpy() for n in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pairs_without_a_picture_for_each_input_are_refused() -> None:
    assert len(DistillationSet(INPUTS, PICTURES)) == 20
    with pytest.raises(ValueError, match="20 inputs for 19 pictures"):
        DistillationSet(INPUTS, PICTURES[:-1])


def test_reading_a_recipe_and_opening_a_run_do_without_tensorflow() -> None:
    code = "import sys, pipeline.cli, pipeline.run; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
