import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from pipeline.artifacts import find_variants, load_quantized
from pipeline.run import Run
from pipeline.stage import Record
from pipeline.stages.convert import (
    ENOUGH_WITHIN,
    _between_kernels,
    _bound,
    _compare,
    _parted,
    _parting_layer,
)
from pipeline.stages.parting import first_difference
from pipeline.tflite.count import op_counts
from pipeline.tflite.model import Subgraph
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, read_metadata
from pipeline.training.randomness import Prior, Purpose, latents
from pipeline.variants import VARIANTS

REQUIRED = [name for name in VARIANTS if name not in ("int16x8", "student-float32")]


def test_every_required_variant_is_written(tiny: Run) -> None:
    assert [*find_variants(tiny.path("convert"))] == REQUIRED


@pytest.mark.parametrize("name", REQUIRED)
def test_file_has_a_fixed_batch_named_ports_and_no_shape_operations(name: str, tiny: Run) -> None:
    model = read_model(tiny.path("convert") / f"{name}.tflite")
    (signature,) = model.signatures
    assert {port: tensor.shape for port, tensor in signature.inputs.items()} == {"latent": (1, 8)}
    assert {port: tensor.shape for port, tensor in signature.outputs.items()} == {
        "image": (1, 28, 28, 1)
    }
    wanted = "int8" if name.startswith("int8") else "float32"
    assert {tensor.dtype for tensor in (*model.inputs, *model.outputs)} == {wanted}
    assert not {"SHAPE", "STRIDED_SLICE", "PACK"} & op_counts(model).keys()


@pytest.mark.parametrize("name", REQUIRED)
def test_file_says_where_it_came_from(name: str, tiny: Run) -> None:
    stored = read_metadata((tiny.path("convert") / f"{name}.tflite").read_bytes(), PROVENANCE)
    assert stored is not None
    facts = json.loads(stored)
    assert (facts["variant"], facts["recipe"], facts["seed"]) == (name, "tiny", 1)
    assert (facts["latent"], facts["classes"], facts["pixels"]) == (8, 0, [-1.0, 1.0])
    assert facts["pocketgan"]["pocketgan"]
    assert len(facts["recipe_sha256"]) == 64


def test_files_are_held_against_their_models_on_record(record: Callable[[str], Record]) -> None:
    steps = record("convert").metrics["steps"]
    assert set(steps) == {"int8", "int8-qat"}
    for measured in steps.values():
        assert 0.999 <= measured["within_2"] <= 1
        assert measured["within_1"] <= measured["within_2"]


def test_file_that_draws_otherwise_than_its_model_is_told_with_the_layer(tiny: Run) -> None:
    unpruned = load_quantized(tiny.path("quantize"), "int8-qat")
    content = (tiny.path("convert") / "int8.tflite").read_bytes()
    inputs = latents(1, Purpose.CONTROL, count=32, prior=Prior(8))
    layer = _parting_layer(unpruned, content, inputs)
    told = _parted("int8", _compare(unpruned, content, inputs), layer)
    assert told.startswith("int8 draws otherwise than the model it was made from: ")
    assert told.endswith("they part at layer project")


def test_file_and_its_own_model_part_nowhere(tiny: Run) -> None:
    aware = load_quantized(tiny.path("quantize"), "int8")
    content = (tiny.path("convert") / "int8.tflite").read_bytes()
    assert (
        first_difference(aware, content, latents(1, Purpose.CONTROL, count=8, prior=Prior(8))) == ""
    )


@pytest.mark.parametrize(
    ("names", "bound"),
    [
        (["CONV_2D", "TANH"], 7),
        (["CONV_2D", "TANH", "DEPTH_TO_SPACE"], 7),
        (["TANH", "CONV_2D"], 2),
        (["CONV_2D"], 2),
    ],
)
def test_only_a_tanh_at_the_end_stretches_what_file_and_model_may_differ_by(
    names: list[str], bound: int
) -> None:
    wide, narrow = SimpleNamespace(scales=(6.6 / 255,)), SimpleNamespace(scales=(1 / 128,))
    ops = [SimpleNamespace(name=name, inputs=(wide,), outputs=(narrow,)) for name in names]
    assert _bound(cast(Subgraph, SimpleNamespace(ops=ops))) == bound


def test_file_may_be_as_far_from_its_model_as_the_runtimes_kernels_are_apart() -> None:
    apart = np.zeros(100_000)
    assert _between_kernels(apart) == 0
    apart[:50] = 40.0
    assert _between_kernels(apart) == 0
    apart[:500] = 9.2
    assert _between_kernels(apart) == 9


def test_model_of_other_weights_is_outside_of_any_bound(tiny: Run) -> None:
    aware = load_quantized(tiny.path("quantize"), "int8")
    kernel = next(one for one in aware.trainable_variables if one.shape.rank > 1)
    kernel.assign(-kernel)
    content = (tiny.path("convert") / "int8.tflite").read_bytes()
    steps = _compare(aware, content, latents(1, Purpose.CONTROL, count=8, prior=Prior(8)))
    assert steps["within_bound"] < ENOUGH_WITHIN
