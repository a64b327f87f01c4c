import numpy as np

from pipeline.compression.fake_quantization import quantization_aware
from pipeline.compression.fold import fold_batch_norm
from pipeline.networks.settings import StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.training.distillation_set import DistillationSet
from tools.experiments.rounding_costs import costs

PIXELS = (0.0, 255.0)
SHAPE = TranslatorShape(source=(8, 8, 3), image=(8, 8, 3), source_pixels=PIXELS, pixels=PIXELS)


def test_each_rounding_is_left_out_once_and_with_none_the_student_is_its_float_self() -> None:
    student = build_translator_student(StudentSettings("residual", 0, (4, 4), 0), SHAPE)
    noise = np.random.default_rng(1).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    pairs = DistillationSet(noise, noise, 0, PIXELS)
    # An untrained student repeats its input: all that is between them are roundings.
    aware = quantization_aware(fold_batch_norm(student), pairs.readable())
    rows = costs(aware, pairs, PIXELS)
    assert set(rows) >= {"nothing", "output of enlarged", "kernel of pixels", "everything"}
    assert rows["everything"] == 99.0
    assert costs(aware, pairs, PIXELS) == rows
