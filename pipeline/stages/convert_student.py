"""Write the teacher and its student as .tflite files, and check what was written."""

from collections.abc import Mapping

import tf_keras

from pipeline.artifacts import (
    GENERATOR,
    load_network,
    load_quantized,
    read_student_facts,
)
from pipeline.compression.fold import fold_batch_norm
from pipeline.determinism import prepare
from pipeline.importers.teacher import read_saved_teacher
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages.convert import COMPARED, Conversion, UnconvertedError, write_all
from pipeline.stages.inputs import teacher_inputs, whole_batches
from pipeline.stages.provenance import with_student_provenance
from pipeline.tflite import convert as tflite
from pipeline.tflite.float_ops import refuse_float
from pipeline.tflite.read import read_model
from pipeline.training.randomness import Purpose
from pipeline.variants import SHIPPED


@stage(
    "convert",
    needs=("teacher", "search", "student", "quantize"),
    settings=("data", "generator", "teacher", "convert"),
    reads_pictures=True,
)
def convert_student(ctx: StageContext) -> Outcome:
    """Write the teacher in float32 and, if it can be, int8; the student in both.

    Raises PocketganError as ``write_all`` does.
    """
    prepare(ctx.recipe.seed)
    aware = {SHIPPED: load_quantized(ctx.inputs["quantize"], SHIPPED)}
    inputs = teacher_inputs(ctx, Purpose.CONTROL, whole_batches(ctx, COMPARED))
    return write_all(
        ctx,
        _conversions(ctx, aware),
        aware=aware,
        inputs=inputs,
        add_provenance=with_student_provenance,
    )


def _conversions(ctx: StageContext, aware: Mapping[str, tf_keras.Model]) -> list[Conversion]:
    settings = ctx.recipe.convert
    batch = settings.batch
    teacher = read_saved_teacher(ctx.inputs["teacher"])
    folded = teacher.folded
    student = fold_batch_norm(load_network(ctx.inputs["student"] / GENERATOR))
    calibration = teacher_inputs(ctx, Purpose.CALIBRATION, settings.calibration * batch)
    pixels = read_student_facts(ctx.inputs["student"]).pixels

    def rounded_teacher() -> bytes:
        try:
            content = tflite.to_int8_post_training(folded, calibration, batch)
            refuse_float(read_model(content), "int8-ptq")
        except Exception as error:  # whatever the converter says of a foreign layer
            raise UnconvertedError(" ".join(str(error).split())[:200]) from error
        return content

    return [
        Conversion("float32", teacher.pixels, lambda: tflite.to_float32(folded, batch)),
        Conversion("int8-ptq", teacher.pixels, rounded_teacher),
        Conversion("student-float32", pixels, lambda: tflite.to_float32(student, batch)),
        Conversion(SHIPPED, pixels, lambda: tflite.to_int8_student(aware[SHIPPED], batch)),
    ]
