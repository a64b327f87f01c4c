"""Write every variant as a .tflite file, with its provenance inside, and check what was written."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline import guard, progress
from pipeline.artifacts import (
    GENERATOR,
    STUDENT_FACTS,
    load_network,
    load_quantized,
    write_other_size,
    write_variant,
)
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.graph import resized
from pipeline.determinism import prepare
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.networks.pixels import TRANSLATED, PixelRange, pixel_range
from pipeline.networks.registry import build_translator
from pipeline.search.sizes import refusal_of_latents
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages.first_file import remove_first_file
from pipeline.stages.inputs import batched_inputs, generator_inputs, translator_shape
from pipeline.stages.parting import first_difference
from pipeline.stages.provenance import with_provenance
from pipeline.stages.quantize import BASES
from pipeline.tflite import convert as tflite
from pipeline.tflite.count import refuse_float
from pipeline.tflite.model import Subgraph, Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw
from pipeline.training.randomness import Purpose
from pipeline.variants import SHIPPED

COMPARED = 512
"""Inputs on which a fake-quantized model is held against its file."""
LOOKED_AT = 16
"""Of them those on which it is looked for where the two part."""
ALLOWED_STEPS = 2
_MOVING = ("DEPTH_TO_SPACE", "RESHAPE")
"""Operations that may stand behind it, and only move numbers."""
_STRETCHING = {"TANH": 1.0, "LOGISTIC": 0.25}
"""Operation at a generator's end → its steepest slope."""
ENOUGH_WITHIN = 0.999
_OF_LAYERS = "Save the teacher as a functional or sequential model of Keras's own layers."


@dataclass(frozen=True)
class Conversion:
    """A file to be written: its variant, black and white in what it draws, how its bytes are made.

    ``convert`` raises UnconvertedError where the variant shall be left out.
    """

    variant: str
    pixels: PixelRange
    convert: Callable[[], bytes]


class UnconvertedError(Exception):
    """A foreign generator that the converter cannot write in that form: its variant is left out."""


def _check_sizes(ctx: StageContext) -> None:
    """PocketganError for a size that no network can have, before anything is trained."""
    sizes = ctx.recipe.convert.shapes
    if not sizes:
        return
    shape = translator_shape(ctx)
    if shape is None:
        raise refusal_of_latents()
    generator = build_translator(ctx.recipe.generator, shape)
    for height_and_width in sizes.values():
        resized(generator, height_and_width)


@stage(
    "convert",
    needs=("train", "prune", "quantize"),
    settings=("data", "generator", "convert"),
    reads_pictures=True,
    check=_check_sizes,
)
def convert(ctx: StageContext) -> Outcome:
    """Write float32, float16, dynamic-range, int8-ptq, pruned-float32, int8-qat and int8.

    Raises PocketganError as ``_write_all`` does.
    """
    prepare(ctx.recipe.seed)
    aware = {variant: load_quantized(ctx.inputs["quantize"], variant) for variant in BASES}
    return _write_all(ctx, _conversions(ctx, aware), aware)


def _conversions(ctx: StageContext, aware: Mapping[str, tf_keras.Model]) -> list[Conversion]:
    settings = ctx.recipe.convert
    batch = settings.batch
    dense, pruned = (
        fold_batch_norm(load_network(ctx.inputs[name] / GENERATOR)) for name in ("train", "prune")
    )
    calibration = generator_inputs(ctx, Purpose.CALIBRATION, settings.calibration * batch)
    converters: dict[str, Callable[[], bytes]] = {
        "float32": lambda: tflite.to_float32(dense, batch),
        "float16": lambda: tflite.to_float16(dense, batch),
        "dynamic-range": lambda: tflite.to_dynamic_range(dense, batch),
        "int8-ptq": lambda: tflite.to_int8_post_training(dense, calibration, batch),
        "pruned-float32": lambda: tflite.to_float32(pruned, batch),
        "int8-qat": lambda: tflite.to_int8_trained(aware["int8-qat"], batch),
        "int8": lambda: tflite.to_int8_trained(aware["int8"], batch),
    }
    if settings.int16x8:
        converters["int16x8"] = lambda: tflite.to_int16x8(dense, calibration, batch)
    pixels = TRANSLATED if translator_shape(ctx) else pixel_range(dense)
    return [Conversion(name, pixels, converter) for name, converter in converters.items()]


@stage(
    "convert",
    needs=("teacher", "search", "student", "quantize"),
    settings=("data", "generator", "teacher", "convert"),
    reads_pictures=True,
)
def convert_student(ctx: StageContext) -> Outcome:
    """Write the teacher in float32 and int8, if it can be; the student in both.

    Raises PocketganError as ``_write_all`` does.
    """
    prepare(ctx.recipe.seed)
    aware = {SHIPPED: load_quantized(ctx.inputs["quantize"], SHIPPED)}
    outcome = _write_all(ctx, _student_conversions(ctx, aware[SHIPPED]), aware)
    remove_first_file(ctx)
    return outcome


def _student_conversions(ctx: StageContext, aware: tf_keras.Model) -> list[Conversion]:
    settings = ctx.recipe.convert
    batch = settings.batch
    teacher = read_saved_teacher(ctx.inputs["teacher"])
    student = fold_batch_norm(load_network(ctx.inputs["student"] / GENERATOR))
    calibration = generator_inputs(ctx, Purpose.CALIBRATION, settings.calibration * batch)
    pixels = STUDENT_FACTS.read(ctx.inputs["student"]).pixels

    def rounded_teacher() -> bytes:
        content = tflite.to_int8_post_training(teacher.folded, calibration, batch)
        refuse_float(read_model(content), "int8-ptq")
        return content

    def as_it_is(variant: str, convert: Callable[[], bytes]) -> Conversion:
        return Conversion(variant, teacher.pixels, partial(_foreign, ctx, variant, convert))

    return [
        as_it_is("float32", lambda: tflite.to_float32(teacher.folded, batch)),
        as_it_is("int8-ptq", rounded_teacher),
        Conversion("student-float32", pixels, lambda: tflite.to_float32(student, batch)),
        Conversion(SHIPPED, pixels, lambda: tflite.to_int8_student(aware, batch)),
    ]


def _foreign(ctx: StageContext, variant: str, convert: Callable[[], bytes]) -> bytes:
    """The teacher's file; UnconvertedError where TFLite has no form of it."""
    path = ctx.recipe.teacher.file or ctx.inputs["teacher"]
    try:
        with guard.step(f"converted to {variant}", path, _OF_LAYERS):
            return convert()
    except PocketganError as error:
        raise UnconvertedError(error.problem) from error
    except Exception as error:  # whatever the converter says of a foreign layer
        raise UnconvertedError(tflite.why_unconverted(error)) from error


def _write_all(
    ctx: StageContext, conversions: Sequence[Conversion], aware: Mapping[str, tf_keras.Model]
) -> Outcome:
    """Write each variant; those of ``aware`` are held against their fake-quantized models.

    A file that draws otherwise than its model is written all the same, since a training lies
    behind it: a gate tells. Raises PocketganError where an int8 variant holds a float operation.
    """
    inputs = batched_inputs(ctx, Purpose.CONTROL, COMPARED)
    steps: dict[str, dict[str, float]] = {}
    events: list[str] = []
    for conversion in progress.track(conversions, "convert"):
        variant = conversion.variant
        try:
            bare = conversion.convert()
        except UnconvertedError as error:
            events.append(f"{variant} is missing: {error}")
            continue
        content = with_provenance(bare, ctx, variant, conversion.pixels)
        if variant.startswith("int8"):
            refuse_float(read_model(content), variant)
        if variant in aware:
            steps[variant] = _compare(aware[variant], content, inputs)
            if steps[variant]["within_bound"] < ENOUGH_WITHIN:
                layer = _parting_layer(aware[variant], content, inputs)
                events.append(_parted(variant, steps[variant], layer))
        write_variant(content, ctx.folder, variant)
    pixels = conversions[-1].pixels
    events += [_write_size(ctx, size, pixels) for size in ctx.recipe.convert.shapes]
    return Outcome({"steps": steps}, list(filter(None, events)))


def _write_size(ctx: StageContext, size: str, pixels: PixelRange) -> str:
    """Write the shipped variant for another size of picture; why not, where it cannot be."""
    try:
        aware = load_quantized(ctx.inputs["quantize"], SHIPPED, ctx.recipe.convert.shapes[size])
    except PocketganError as error:
        return f"no file for {size}: {error.problem}"
    content = tflite.to_int8_student(aware, ctx.recipe.convert.batch)
    refuse_float(read_model(content), f"{SHIPPED} of {size}")
    write_other_size(with_provenance(content, ctx, SHIPPED, pixels), ctx.folder, SHIPPED, size)
    return ""


def _compare(aware: tf_keras.Model, content: bytes, inputs: np.ndarray) -> dict[str, float]:
    """Same inputs through the fake-quantized model and its file: how many output steps apart.

    They are put on the steps of the file's input first. Pixels of 8 bits in -1..1 lie half-way
    between two of those, and which one is taken is a matter of the last bit of a sum.
    """
    graph = read_model(content).subgraphs[0]
    (output,), (source,) = graph.outputs, graph.inputs
    inputs = _on_steps(inputs, source)
    of_model, of_file = aware(inputs, training=False).numpy(), draw(content, inputs)
    apart = np.abs(of_file - of_model) / output.scales[0]
    bound = _bound(graph)
    if np.mean(apart < bound + 0.5) < ENOUGH_WITHIN:
        plain = draw(content, inputs, plain=True)
        bound = max(bound, _between_kernels(np.abs(of_file - plain) / output.scales[0]))
    return {
        "within_1": float(np.mean(apart < 1.5)),
        "within_2": float(np.mean(apart < 2.5)),
        "bound": bound,
        "within_bound": float(np.mean(apart < bound + 0.5)),
        "largest": float(np.rint(apart.max())),
    }


def _bound(graph: Subgraph) -> int:
    """Output steps that file and model may be apart: two of what the last kernel gives.

    A tanh behind it stretches one of its steps to more than three of the picture's.
    """
    last = next(op for op in reversed(graph.ops) if op.name not in _MOVING)
    if last.name not in _STRETCHING or last.inputs[0] is None:
        return ALLOWED_STEPS
    slope = _STRETCHING[last.name]
    stretch = slope * last.inputs[0].scales[0] / last.outputs[0].scales[0]
    return math.ceil(ALLOWED_STEPS * max(1.0, stretch))


def _between_kernels(apart: np.ndarray) -> int:
    """Output steps within which TFLite's two sets of kernels agree in nearly all pixels.

    In a deep network a tie that is broken otherwise grows from layer to layer: no model can be
    nearer to a file than its runtimes are to one another.
    """
    return math.ceil(float(np.quantile(np.rint(apart), ENOUGH_WITHIN)))


def _parting_layer(aware: tf_keras.Model, content: bytes, inputs: np.ndarray) -> str:
    """The layer where file and model part; empty where it is none alone."""
    (source,) = read_model(content).subgraphs[0].inputs
    return first_difference(aware, content, _on_steps(inputs[:LOOKED_AT], source))


def _parted(variant: str, steps: Mapping[str, float], layer: str) -> str:
    """In words, that and where file and model part."""
    where = f"; they part at layer {layer}" if layer else ""
    return (
        f"{variant} draws otherwise than the model it was made from: {steps['within_bound']:.2%} "
        f"of the pixels are within {steps['bound']:.0f} steps, the farthest "
        f"{steps['largest']:.0f} away"
        f"{where}"
    )


def _on_steps(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """The values that an int8 tensor can hold, nearest to ``values``."""
    (scale,), (zero,) = tensor.scales, tensor.zero_points
    steps = np.clip(np.rint(values / scale) + zero, -128, 127)
    return np.asarray((steps - zero) * scale, np.float32)
