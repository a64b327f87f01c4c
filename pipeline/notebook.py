"""The parts of pocketgan for notebooks and scripts: docs/notebook.md shows each at work.

Call ``pipeline.tensorflow_setup.configure_tensorflow()`` first, before TensorFlow is imported.
"""

from deploy.harness import MeasuringPlan, measure
from deploy.targets import find_target
from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.prune import Pruning, kernel_sparsity, layer_sparsity
from pipeline.compression.slimming import channel_groups, importance_by_norm, slim
from pipeline.metrics.judge import Judge, train_judge
from pipeline.metrics.quality import RealImages
from pipeline.metrics.quality import measure as judge_quality
from pipeline.tflite.convert import to_float32, to_int8_post_training, to_int8_trained
from pipeline.tflite.inspect import describe
from pipeline.tflite.runtime import draw

__all__ = [
    "Judge",
    "MeasuringPlan",
    "Pruning",
    "RealImages",
    "channel_groups",
    "describe",
    "draw",
    "find_target",
    "fold_batch_norm",
    "importance_by_norm",
    "judge_quality",
    "kernel_sparsity",
    "layer_sparsity",
    "measure",
    "quantization_aware",
    "round_biases",
    "slim",
    "to_float32",
    "to_int8_post_training",
    "to_int8_trained",
    "train_judge",
]
