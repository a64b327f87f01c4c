from pathlib import Path

import tensorflow as tf

from deploy.agreement import Opinion
from tools.experiments import second_opinion


def test_both_measure_each_file_and_our_clock_is_told(tmp_path: Path) -> None:
    file = tmp_path / "tanh.tflite"
    tanh = tf.function(tf.tanh, input_signature=[tf.TensorSpec((1, 1024))])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([tanh.get_concrete_function()])
    file.write_bytes(converter.convert())
    measurement = second_opinion.measure([file], threads=1, rounds=2)
    assert [(m.target, m.rounds, m.error) for m in measurement] == [
        ("local", 2, None),
        ("litert-benchmark", 2, None),
    ]
    assert second_opinion.overheads(measurement)[str(file)] > 0


def test_only_a_file_that_takes_long_enough_gets_a_verdict() -> None:
    assert second_opinion.describe(Opinion("a", 1, 0.05, 0.1), 0.0)["agrees"] is None
    assert second_opinion.describe(Opinion("a", 1, 0.5, 1.0), 0.0)["agrees"] is False
    assert second_opinion.describe(Opinion("a", 1, 0.99, 1.0), 0.0)["agrees"] is True
