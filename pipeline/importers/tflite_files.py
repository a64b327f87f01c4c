"""A .tflite of any origin as a generator: nothing is known of it but what it draws.

Rounded inputs and outputs are float32 here: pictures in the numbers that their scales say.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from deploy.errors import PocketganError, one_line, printable
from pipeline.channel_order import TO_FIRST, TO_LAST, channels_first
from pipeline.importers.foreign import ForeignProgram, in_batches
from pipeline.importers.layer_mapping import SourceLayer
from pipeline.importers.loaded import LoadedGenerator
from pipeline.importers.missing import StatedFacts
from pipeline.importers.model_input import ModelInput, is_shared
from pipeline.importers.signatures import Dimensions, chosen_signature
from pipeline.tflite.entry import with_signature
from pipeline.tflite.model import LiteModel, Op, Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import decoded, encoded

RUNTIME = "tflite"
_THREADS = 2
_MOVE_NUMBERS = ("DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "CAST")
_OF_TENSORFLOW = {"TANH": "Tanh", "LOGISTIC": "Sigmoid"}


class LiteProgram:
    """Draws with the .tflite in ``content``; RuntimeError or ValueError where it cannot."""

    def __init__(self, content: bytes) -> None:
        self._interpreter = Interpreter(model_content=content, num_threads=_THREADS)
        self._interpreter.allocate_tensors()
        self.inputs: list[dict[str, Any]] = self._interpreter.get_input_details()
        self.outputs: list[dict[str, Any]] = self._interpreter.get_output_details()
        sizes = (int(port["shape"][0]) for port in self.inputs if len(port["shape"]) > 1)
        self._batch = next(sizes, 1)
        shapes = [_free_as_none(port) for port in self.inputs]
        self._shared = [is_shared(shape, shapes) for shape in shapes]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """All outputs float32 for arrays [N, …] in the order of the inputs, channels last."""
        return in_batches(self._one_batch, arrays, self._batch, shared=self._shared)

    def _one_batch(self, *arrays: np.ndarray) -> list[np.ndarray]:
        ordered = [
            array.transpose(TO_FIRST) if _channels_first(_free_as_none(port)) else array
            for port, array in zip(self.inputs, arrays, strict=True)
        ]
        shapes = [list(port["shape"]) for port in self._interpreter.get_input_details()]
        if shapes != [list(array.shape) for array in ordered]:
            for port, array in zip(self.inputs, ordered, strict=True):
                self._interpreter.resize_tensor_input(port["index"], array.shape)
            self._interpreter.allocate_tensors()
        for port, array in zip(self.inputs, ordered, strict=True):
            self._interpreter.set_tensor(port["index"], np.asarray(encoded(array, port), order="C"))
        self._interpreter.invoke()
        outputs = [
            decoded(self._interpreter.get_tensor(port["index"]), port) for port in self.outputs
        ]
        return [
            each.transpose(TO_LAST) if _channels_first(each.shape) else each for each in outputs
        ]


def load_tflite(path: Path, facts: StatedFacts) -> LoadedGenerator:
    """The generator in a .tflite: of several networks the one whose signature ``facts`` name.

    Raises PocketganError where it is damaged or does not run here.
    """
    model = read_model(path)
    dimensions = {
        signature.key: Dimensions(
            [len(tensor.shape) for tensor in signature.inputs.values()],
            [len(tensor.shape) for tensor in signature.outputs.values()],
        )
        for signature in model.signatures
    }
    name = chosen_signature(path, dimensions, facts)
    model = with_signature(model, name)
    try:
        runtime = LiteProgram(model.content)
    except (RuntimeError, ValueError) as error:
        raise PocketganError(
            f"{path} does not run here: {one_line(error, 300)}",
            "Convert it without operations of its own, and without those of TensorFlow (Flex).",
        ) from error
    by_tensor = _names(model, runtime)
    program = ForeignProgram(
        runtime=RUNTIME,
        content=model.content,
        last_operations=tuple(_last_operation(model, output) for output in model.outputs),
    )
    return LoadedGenerator(
        origin=f".tflite file {path.name}",
        inputs=_inputs(runtime, by_tensor),
        compute=lambda *tensors: list(runtime(*map(np.asarray, tensors))),
        weights=(),
        layers=tuple(map(_layer, model.subgraphs[0].ops)),
        why_opaque="it is a .tflite file, whose layers cannot be trained",
        program=program,
        outputs=tuple(by_tensor[port["index"]] for port in runtime.outputs),
    )


def _channels_first(shape: Sequence[int | None]) -> bool:
    """Of maps as PyTorch's converters leave them; operations of TFLite have their channels last."""
    return channels_first(shape, unless_clear=False)


def _names(model: LiteModel, runtime: LiteProgram) -> dict[int, str]:
    """Number of a tensor that goes in or comes out → its name, that in the signature if it has one.

    Converters call the tensors themselves serving_default_z:0 and StatefulPartitionedCall:0.
    """
    ports = [*runtime.inputs, *runtime.outputs]
    names = {port["index"]: printable(port["name"]) for port in ports}
    for signature in model.signatures:
        by_name = {**signature.inputs, **signature.outputs}
        of_tensor = {tensor.name: printable(name) for name, tensor in by_name.items()}
        names |= {p["index"]: of_tensor[p["name"]] for p in ports if p["name"] in of_tensor}
    return names


def _inputs(runtime: LiteProgram, names: Mapping[int, str]) -> tuple[ModelInput, ...]:
    """The inputs, with free sizes as None; a picture or latents of any type are float32."""
    shapes = [_shape(port) for port in runtime.inputs]
    inputs = []
    for port, shape in zip(runtime.inputs, shapes, strict=True):
        is_number = port["dtype"] in (np.int32, np.int64, np.bool_) and not port["quantization"][0]
        dtype = np.dtype(port["dtype"]).name if is_number else "float32"
        name = names[port["index"]]
        inputs.append(ModelInput.declared(name, shape, among=shapes, dtype=dtype))
    return tuple(inputs)


def _shape(port: dict[str, Any]) -> tuple[int | None, ...]:
    """With the batch, channels last."""
    shape = tuple(_free_as_none(port))
    return tuple(shape[axis] for axis in TO_LAST) if _channels_first(shape) else shape


def _free_as_none(port: dict[str, Any]) -> list[int | None]:
    return [None if side < 0 else int(side) for side in port["shape_signature"]]


def _layer(op: Op) -> SourceLayer:
    constants = [tensor for tensor in op.inputs if tensor is not None and tensor.is_constant]
    return SourceLayer(
        name=op.layer,
        type=op.label,
        shape=op.outputs[0].shape if op.outputs else (),
        weights=sum(int(np.prod(tensor.shape)) for tensor in constants),
    )


def _last_operation(model: LiteModel, output: Tensor) -> str:
    """What computes an output, before what only moves or rounds numbers."""
    producers: dict[Tensor, Op] = {
        output: op for op in model.subgraphs[0].ops for output in op.outputs
    }
    tensor: Tensor | None = output
    for _ in producers:
        op = producers.get(tensor) if tensor is not None else None
        if op is None or op.name not in _MOVE_NUMBERS:
            return _OF_TENSORFLOW.get(op.name, "") if op is not None else ""
        tensor = op.inputs[0]
    return ""
