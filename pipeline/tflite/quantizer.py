"""Rounds a float32 .tflite to int8 with LiteRT's quantizer: a program of its own.

python -I pipeline/tflite/quantizer.py SHAPES < float32.tflite > int8.tflite

``SHAPES`` are those of the inputs, as JSON. LiteRT's quantizer and TensorFlow's cannot live in one
process. The ranges come of random inputs: what is drawn is worth nothing.
"""

import json
import sys

import numpy as np
from ai_edge_litert import _pywrap_tensorflow_lite_calibration_wrapper as calibration

RUNS = 2


def main() -> None:
    """Quantize standard input."""
    shapes = json.loads(sys.argv[1])
    draw = np.random.default_rng(0)
    int8, int32 = np.dtype("int8").num, np.dtype("int32").num
    allow_float, per_tensor = True, False
    content = sys.stdin.buffer.read()  # the quantizer reads it where it lies
    quantizer = calibration.CalibrationWrapper(content, [], [])
    quantizer.Prepare(shapes)
    for _ in range(RUNS):
        quantizer.FeedTensor([draw.standard_normal(shape, np.float32) for shape in shapes])
    types = (int8, int8, allow_float, int8, int32, per_tensor, per_tensor)
    sys.stdout.buffer.write(quantizer.QuantizeModel(*types))


if __name__ == "__main__":
    main()
