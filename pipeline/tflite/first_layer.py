"""The first layer of a generator's file: what it makes of the latents, before anything bends."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.tflite.model import Op, Subgraph, Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import prefixes
from pipeline.tflite.runtime import draw

_WEIGHTED = ("FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_2D")
_MOVING = ("RESHAPE", "QUANTIZE", "DEQUANTIZE", "EXPAND_DIMS", "SQUEEZE", "CAST")
_BENDING = ("RELU", "LEAKY_RELU", "PRELU", "ELU", "GELU", "TANH", "LOGISTIC", "HARD_SWISH")


@dataclass(frozen=True)
class FirstLayer:
    """``weights``: float32 [outputs, latent + classes], of several layers where nothing stands
    between them. ``content``: a file that ends behind their activation.
    """

    weights: np.ndarray
    content: bytes

    def activations(self, latents: np.ndarray) -> np.ndarray:
        """What it makes of inputs float32 [N, latent + classes]: float32 [N, outputs]."""
        values = draw(self.content, latents)
        return values.reshape(len(values), -1)


def first_layer(file: Path) -> FirstLayer:
    """The first layer of the generator of latents in a file.

    Raises PocketganError where something else than weights is the first that a latent meets.
    """
    model = read_model(file)
    graph = model.subgraphs[0]
    tensor = _moved(graph, graph.inputs[0])
    weights = np.eye(graph.inputs[0].shape[-1], dtype=np.float32)
    last: Op | None = None
    while (op := _layer_behind(graph, tensor, last)) is not None:
        weights = _matrix(graph, op, tensor) @ weights
        last, tensor = op, _moved(graph, op.outputs[0])
    if last is None:
        readers = ", ".join(op.label for op in _readers(graph, tensor)) or "nothing"
        raise PocketganError(
            f"{file}: its latents meet {readers} first, and no weights.",
            "Directions can be found in generators whose first layer is Dense or a convolution.",
        )
    bent = [op for op in _readers(graph, last.outputs[0]) if op.name in _BENDING]
    drawing = [op for op in graph.ops if not graph.unpacks_constant(op)]
    until = drawing.index(bent[0] if bent else last) + 1
    return FirstLayer(weights, prefixes(model.content, until)[-1].content)


def _readers(graph: Subgraph, tensor: Tensor) -> Sequence[Op]:
    return [op for op in graph.ops if tensor in op.inputs]


def _moved(graph: Subgraph, tensor: Tensor) -> Tensor:
    """Where the numbers of a tensor come to stand that are only moved."""
    readers = _readers(graph, tensor)
    if len(readers) != 1 or readers[0].name not in _MOVING:
        return tensor
    return _moved(graph, readers[0].outputs[0])


def _layer_behind(graph: Subgraph, tensor: Tensor, last: Op | None) -> Op | None:
    """The one layer that makes something of all numbers of ``tensor`` alike, or None."""
    readers = _readers(graph, tensor)
    if len(readers) != 1 or readers[0].name not in _WEIGHTED:
        return None
    bent = last is not None and last.fused_activation != "none"
    kernel = _kernel(graph, readers[0], tensor)
    of_one = tensor.size // graph.inputs[0].shape[0]
    if bent or kernel is None or kernel.shape[-1] != of_one:
        return None
    return readers[0] if _uses_all(readers[0], kernel) else None


def _kernel(graph: Subgraph, op: Op, tensor: Tensor) -> Tensor | None:
    constants = (graph.constant(each) for each in op.inputs if each is not tensor)
    return next((each for each in constants if each and len(each.shape) > 1), None)


def _uses_all(op: Op, kernel: Tensor) -> bool:
    """Whether each number of the kernel is once what an output makes of an input."""
    return op.name == "FULLY_CONNECTED" or op.outputs[0].shape[1:3] == kernel.shape[1:3]


def _matrix(graph: Subgraph, op: Op, tensor: Tensor) -> np.ndarray:
    """float32 [outputs, inputs]."""
    kernel = _kernel(graph, op, tensor)
    assert kernel is not None
    return kernel.real().reshape(-1, kernel.shape[-1])
