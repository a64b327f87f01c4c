from collections.abc import Callable

import numpy as np
import pytest

from pipeline.artifacts import DISCRIMINATOR, GENERATOR, load_network
from pipeline.compression.prune import kernel_sparsity
from pipeline.run import Run
from pipeline.stage import Record
from pipeline.tflite import count
from pipeline.tflite.read import read_model


def test_pruned_layers_have_the_zeros_that_were_asked_for(
    tiny: Run, record: Callable[[str], Record]
) -> None:
    shares = record("prune").metrics["shares"]
    assert shares == {"project": 0.8, "upsample": 0.8}
    pruned = load_network(tiny.path("prune") / GENERATOR)
    for layer in ("project", "upsample", "pixels"):
        kernel = pruned.get_layer(layer).get_weights()[0]
        assert np.mean(kernel == 0) == pytest.approx(shares.get(layer, 0.0), abs=0.03), layer


def test_zeros_on_record_are_those_of_the_network_and_of_its_file(
    tiny: Run, record: Callable[[str], Record]
) -> None:
    share = record("prune").metrics["zeros"]
    pruned = load_network(tiny.path("prune") / GENERATOR)
    assert share == pytest.approx(kernel_sparsity(pruned), abs=1e-6)
    file = read_model(tiny.path("convert") / "pruned-float32.tflite")
    assert count.zero_share(count.kernels(file)) == pytest.approx(share, abs=1e-6)
    assert kernel_sparsity(load_network(tiny.path("train") / GENERATOR)) == 0


def test_discriminator_goes_on_learning_while_the_generator_is_pruned(tiny: Run) -> None:
    before, after = (
        load_network(tiny.path(stage) / DISCRIMINATOR).get_weights() for stage in ("train", "prune")
    )
    assert not all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
