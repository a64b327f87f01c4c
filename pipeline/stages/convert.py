"""Write every variant as a .tflite file, with its provenance inside, and check what was written."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.adversarial.randomness import Purpose
from pipeline.atomic import write_bytes
from pipeline.compression.fold import fold_batch_norm
from pipeline.determinism import prepare
from pipeline.lite import convert as lite
from pipeline.lite.draw import draw
from pipeline.lite.metadata import PROVENANCE, write_metadata
from pipeline.lite.read import read_model
from pipeline.lite.refuse import refuse_float
from pipeline.networks.pixels import pixel_range
from pipeline.recipe import Recipe
from pipeline.recipe_file import as_dict
from pipeline.run import STAGES, Outcome, Workbench
from pipeline.stages import networks
from pipeline.stages.quantize import BASES, load_aware

COMPARED = 512
"""Latents on which a fake-quantized model is held against its file."""
ALLOWED_STEPS = 2
ENOUGH_WITHIN = 0.999


def convert(bench: Workbench) -> Outcome:
    """Write float32, float16, dynamic-range, int8-ptq, pruned-float32, int8-qat and int8.

    Raises PocketganError where an int8 variant holds a float operation, or where a file draws
    otherwise than the fake-quantized model that it was made from.
    """
    prepare(bench.recipe.seed)
    dense, pruned = (
        fold_batch_norm(networks.load(bench.inputs[stage] / networks.GENERATOR))
        for stage in ("train", "prune")
    )
    aware = {name: load_aware(bench.inputs["quantize"], name) for name in BASES}
    shown = networks.inputs(bench, Purpose.CONTROL, networks.whole_batches(bench, COMPARED))
    steps: dict[str, dict[str, float]] = {}
    for name, make in progress.track(list(_variants(bench, dense, pruned, aware)), "convert"):
        content = write_metadata(make(), PROVENANCE, _provenance(bench, name, dense))
        if name.startswith("int8"):
            refuse_float(read_model(content), name)
        if name in aware:
            steps[name] = _compare(name, aware[name], content, shown)
        write_bytes(bench.folder / f"{name}.tflite", content)
    return Outcome({"steps": steps})


def _variants(
    bench: Workbench,
    dense: tf_keras.Model,
    pruned: tf_keras.Model,
    aware: dict[str, tf_keras.Model],
) -> list[tuple[str, Callable[[], bytes]]]:
    """Name → how its bytes are made; the last of the required ones is the one to ship."""
    settings = bench.recipe.convert
    batch = settings.batch
    seen = networks.inputs(bench, Purpose.CALIBRATION, settings.calibration * batch)
    variants: list[tuple[str, Callable[[], bytes]]] = [
        ("float32", lambda: lite.to_float32(dense, batch)),
        ("float16", lambda: lite.to_float16(dense, batch)),
        ("dynamic-range", lambda: lite.to_dynamic_range(dense, batch)),
        ("int8-ptq", lambda: lite.to_int8_post_training(dense, seen, batch)),
        ("pruned-float32", lambda: lite.to_float32(pruned, batch)),
        ("int8-qat", lambda: lite.to_int8_trained(aware["int8-qat"], batch)),
        ("int8", lambda: lite.to_int8_trained(aware["int8"], batch)),
    ]
    if settings.int16x8:
        variants.append(("int16x8", lambda: lite.to_int16x8(dense, seen, batch)))
    return variants


def _provenance(bench: Workbench, variant: str, dense: tf_keras.Model) -> bytes:
    """What the file says of itself: JSON, UTF-8."""
    record = bench.run.record("train")
    facts: dict[str, Any] = {
        "pocketgan": record.versions if record else {},
        "recipe": bench.recipe.name,
        "recipe_sha256": _recipe_sha256(bench.recipe),
        "seed": bench.recipe.seed,
        "variant": variant,
        "latent": bench.recipe.generator.latent,
        "classes": dense.input_shape[-1] - bench.recipe.generator.latent,
        "prior": "normal",
        "pixels": pixel_range(dense),
    }
    return json.dumps(facts, sort_keys=True).encode()


def _recipe_sha256(recipe: Recipe) -> str:
    """Of what the file follows from: the sections of later stages may change without a new file."""
    stages = (*STAGES["convert"].needs, "convert")
    sections = {section for stage in stages for section in STAGES[stage].sections}
    deciding = {name: value for name, value in as_dict(recipe).items() if name in sections}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def _compare(
    name: str, aware: tf_keras.Model, content: bytes, shown: np.ndarray
) -> dict[str, float]:
    """Same latents through the fake-quantized model and its file: how many output steps apart."""
    (port,) = read_model(content).subgraphs[0].outputs
    model = aware(shown, training=False).numpy()
    apart = np.abs(draw(content, shown) - model) / port.scales[0]
    measured = {
        "within_1": float(np.mean(apart < 1.5)),
        "within_2": float(np.mean(apart < ALLOWED_STEPS + 0.5)),
        "largest": float(np.rint(apart.max())),
    }
    if measured["within_2"] < ENOUGH_WITHIN:
        raise PocketganError(
            f"variant {name} draws otherwise than the model it was made from: only "
            f"{measured['within_2']:.2%} of the pixels are within {ALLOWED_STEPS} steps.",
            "Ranges of the training did not reach the file; quantize again, or report the layer.",
        )
    return measured
