"""Write every variant as a .tflite file, with its provenance inside, and check what was written."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.atomic import write_bytes
from pipeline.compression.fold import fold_batch_norm
from pipeline.determinism import prepare
from pipeline.networks.pixels import PixelRange, pixel_range
from pipeline.run import Outcome, StageContext
from pipeline.stages import networks
from pipeline.stages.provenance import with_provenance
from pipeline.stages.quantize import bases, load_aware
from pipeline.stages.student import student_pixels
from pipeline.tflite import convert as lite
from pipeline.tflite.draw import draw
from pipeline.tflite.model import Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.refuse import refuse_float
from pipeline.training.randomness import Purpose

COMPARED = 512
"""Latents on which a fake-quantized model is held against its file."""
ALLOWED_STEPS = 2
ENOUGH_WITHIN = 0.999


@dataclass(frozen=True)
class Variant:
    """A file to be written: its name, black and white in what it draws, how its bytes are made."""

    name: str
    pixels: PixelRange
    make: Callable[[], bytes]


def convert(ctx: StageContext) -> Outcome:
    """Write every variant of this run's path; the last of the required ones is the one to ship.

    Raises PocketganError where an int8 variant holds a float operation, or where a file draws
    otherwise than the fake-quantized model that it was made from.
    """
    prepare(ctx.recipe.seed)
    aware = {name: load_aware(ctx.inputs["quantize"], name) for name in bases(ctx.inputs)}
    shown = networks.inputs(ctx, Purpose.CONTROL, networks.whole_batches(ctx, COMPARED))
    steps: dict[str, dict[str, float]] = {}
    events: list[str] = []
    for variant in progress.track(_variants(ctx, aware), "convert"):
        name = variant.name
        try:
            made = variant.make()
        except UnconvertedError as error:
            events.append(f"{name} is missing: {error}")
            continue
        content = with_provenance(made, ctx, name, variant.pixels)
        if name.startswith("int8"):
            refuse_float(read_model(content), name)
        if name in aware:
            steps[name] = _compare(name, aware[name], content, shown)
        write_bytes(ctx.folder / f"{name}.tflite", content)
    return Outcome({"steps": steps}, events)


class UnconvertedError(Exception):
    """A foreign generator that the converter cannot write in that form: its variant is left out."""


def _variants(ctx: StageContext, aware: dict[str, tf_keras.Model]) -> list[Variant]:
    if "student" in ctx.inputs:
        return _of_student(ctx, aware)
    return _of_dense(ctx, aware)


def _of_dense(ctx: StageContext, aware: dict[str, tf_keras.Model]) -> list[Variant]:
    """float32, float16, dynamic-range, int8-ptq, pruned-float32, int8-qat and int8."""
    settings = ctx.recipe.convert
    batch = settings.batch
    dense, pruned = (
        fold_batch_norm(networks.load(ctx.inputs[stage] / networks.GENERATOR))
        for stage in ("train", "prune")
    )
    seen = networks.inputs(ctx, Purpose.CALIBRATION, settings.calibration * batch)
    makers: dict[str, Callable[[], bytes]] = {
        "float32": lambda: lite.to_float32(dense, batch),
        "float16": lambda: lite.to_float16(dense, batch),
        "dynamic-range": lambda: lite.to_dynamic_range(dense, batch),
        "int8-ptq": lambda: lite.to_int8_post_training(dense, seen, batch),
        "pruned-float32": lambda: lite.to_float32(pruned, batch),
        "int8-qat": lambda: lite.to_int8_trained(aware["int8-qat"], batch),
        "int8": lambda: lite.to_int8_trained(aware["int8"], batch),
    }
    if settings.int16x8:
        makers["int16x8"] = lambda: lite.to_int16x8(dense, seen, batch)
    pixels = pixel_range(dense)
    return [Variant(name, pixels, make) for name, make in makers.items()]


def _of_student(ctx: StageContext, aware: dict[str, tf_keras.Model]) -> list[Variant]:
    """The teacher in float32 and, rounded after its training, in int8; the student in both."""
    settings = ctx.recipe.convert
    batch = settings.batch
    teacher = networks.teacher(ctx)
    given = teacher.folded
    student = fold_batch_norm(networks.load(ctx.inputs["student"] / networks.GENERATOR))
    seen = networks.inputs(ctx, Purpose.CALIBRATION, settings.calibration * batch)
    pixels = student_pixels(ctx.inputs["student"])

    def rounded_teacher() -> bytes:
        try:
            content = lite.to_int8_post_training(given, seen, batch)
            refuse_float(read_model(content), "int8-ptq")
        except Exception as error:  # whatever the converter says of a foreign layer
            raise UnconvertedError(" ".join(str(error).split())[:200]) from error
        return content

    return [
        Variant("float32", teacher.pixels, lambda: lite.to_float32(given, batch)),
        Variant("int8-ptq", teacher.pixels, rounded_teacher),
        Variant("student-float32", pixels, lambda: lite.to_float32(student, batch)),
        Variant("int8", pixels, lambda: lite.to_int8_student(aware["int8"], batch)),
    ]


def _compare(
    name: str, aware: tf_keras.Model, content: bytes, shown: np.ndarray
) -> dict[str, float]:
    """Same latents through the fake-quantized model and its file: how many output steps apart.

    They are put on the steps of the file's input first. Pixels of 8 bits in -1..1 lie half-way
    between two of those, and which one is taken is a matter of the last bit of a sum.
    """
    graph = read_model(content).subgraphs[0]
    (port,), (way_in,) = graph.outputs, graph.inputs
    shown = _on_steps(shown, way_in)
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


def _on_steps(values: np.ndarray, port: Tensor) -> np.ndarray:
    """The values that an int8 port can hold, nearest to ``values``."""
    (scale,), (zero,) = port.scales, port.zero_points
    steps = np.clip(np.rint(values / scale) + zero, -128, 127)
    return np.asarray((steps - zero) * scale, np.float32)
