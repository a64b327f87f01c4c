"""Generators that another runtime draws: nothing of them is converted, they only have to draw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError

Draw = Callable[..., list[np.ndarray]]
"""Arrays in the order of the inputs, channels last → all outputs, channels last."""


def in_batches(
    draw: Draw, arrays: Sequence[np.ndarray], batch: int, *, shared: Sequence[bool]
) -> list[np.ndarray]:
    """All outputs of ``draw``, which takes ``batch`` inputs at once, for arrays [N, …].

    The last batch is filled up with its last input, whose further pictures are left out. Arrays
    that are ``shared`` go into every batch as they are.
    """
    count = next(len(each) for each, same in zip(arrays, shared, strict=True) if not same)
    lacking = -count % batch
    filled = [
        each if is_shared else np.concatenate([each, np.repeat(each[-1:], lacking, 0)])
        for each, is_shared in zip(arrays, shared, strict=True)
    ]
    starts = range(0, count + lacking, batch)
    batches = [
        draw(
            *(
                each if is_shared else each[start : start + batch]
                for each, is_shared in zip(filled, shared, strict=True)
            )
        )
        for start in starts
    ]
    return [_joined(outputs, batch, count) for outputs in zip(*batches, strict=True)]


def _joined(outputs: Sequence[np.ndarray], batch: int, count: int) -> np.ndarray:
    """One output of all batches: ``count`` rows where it has a row for each input, else all."""
    if not outputs[0].shape:
        return outputs[0]  # one number for all
    rows = np.concatenate(outputs)
    return rows[:count] if len(rows) == batch * len(outputs) else rows


def _onnxruntime(content: bytes) -> Draw:
    from pipeline.importers.onnx_files.runtime import OnnxRuntime

    return OnnxRuntime(content)


def _tflite(content: bytes) -> Draw:
    from pipeline.importers.tflite_files import LiteProgram

    return LiteProgram(content)


def _onnx_macs(content: bytes) -> int | None:
    from pipeline.importers.onnx_files.counting import multiply_accumulates

    return multiply_accumulates(content)


def _tflite_macs(content: bytes) -> int | None:
    from pipeline.tflite.read import read_model
    from pipeline.tflite.work import work

    model = read_model(content)
    total, pictures = work(model).total, model.outputs[0].shape
    return total // pictures[0] if total and pictures and pictures[0] > 0 else total


RUNTIMES: dict[str, Callable[[bytes], Draw]] = {"onnxruntime": _onnxruntime, "tflite": _tflite}
"""Name of a runtime → what makes a file's bytes draw; each is imported when it is needed."""
_COUNTING: dict[str, Callable[[bytes], int | None]] = {
    "onnxruntime": _onnx_macs,
    "tflite": _tflite_macs,
}


@dataclass(frozen=True, kw_only=True)
class ForeignProgram:
    """A file's bytes, and the runtime that draws with them."""

    runtime: str
    """One of ``RUNTIMES``."""
    content: bytes
    last_operations: tuple[str, ...] = ()
    """What computes each of its outputs at the end, by TensorFlow's name for it."""
    output: int = 0
    """Which of its outputs is the picture."""

    @property
    def last_operation(self) -> str:
        """What computes its pictures; empty where that is not known."""
        return self.last_operations[self.output] if self.last_operations else ""

    def load(self) -> Draw:
        """Make it ready to draw; whatever its runtime raises where it cannot."""
        return RUNTIMES[self.runtime](self.content)

    def multiply_accumulates(self) -> int | None:
        """Of one picture; None where that is not to be known, or whatever its runtime raises."""
        return _COUNTING[self.runtime](self.content)

    def unconverted(self) -> PocketganError:
        """The error for who wants a .tflite file of it."""
        return PocketganError(
            f"it is drawn by {self.runtime}, and no TensorFlow could write it anew.",
            "Let a student learn from it: `pocketgan compress` needs its pictures only.",
        )


class Foreign(tf_keras.layers.Layer):  # type: ignore[misc]
    """What a program reads → its pictures float32 [N, *shape]. Without gradients."""

    def __init__(self, program: ForeignProgram, shape: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self._draw, self._shape, self._output = program.load(), shape, program.output

    def call(self, inputs: Any) -> Any:
        """Let the runtime draw."""

        def draw(*arrays: np.ndarray) -> np.ndarray:
            return np.asarray(self._draw(*arrays)[self._output], np.float32)

        pictures = tf.numpy_function(draw, tf.nest.flatten(inputs), tf.float32, stateful=False)
        return tf.ensure_shape(pictures, [None, *self._shape])
