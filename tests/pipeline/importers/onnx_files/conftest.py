"""ONNX files, as exporters write them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


class OnnxWriter:
    """Writes a graph operation by operation: each method gives the name of what it adds."""

    def __init__(self, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, *shape: int | str, dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, values: Any, dtype: Any = None) -> str:
        """An initializer; integers are int64, as sizes are."""
        array = np.asarray(values)
        array = array.astype(dtype or (np.int64 if array.dtype.kind == "i" else np.float32))
        self.initializers.append(numpy_helper.from_array(array, f"w{len(self.initializers)}"))
        return self.initializers[-1].name

    def weight(self, *shape: int, scale: float = 0.3) -> str:
        return self.constant(self.random.normal(0, scale, shape))

    def positive(self, *shape: int) -> str:
        return self.constant(self.random.uniform(0.5, 1.5, shape))

    def op(self, kind: str, *inputs: str, domain: str = "", **settings: Any) -> str:
        name = f"/body/{len(self.nodes)}/{kind}"
        node = helper.make_node(
            kind, inputs, [f"{name}_output_0"], name=name, domain=domain, **settings
        )
        self.nodes.append(node)
        return node.output[0]

    def conv(self, x: str, into: int, out: int, kernel: int = 3, **settings: Any) -> str:
        settings = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, **settings}
        per_group = into // settings.get("group", 1)
        scale = (per_group * kernel**2) ** -0.5
        weights = self.weight(out, per_group, kernel, kernel, scale=scale), self.weight(out)
        return self.op("Conv", x, *weights, **settings)

    def linear(self, x: str, into: int, out: int, bias: str = "") -> str:
        weights = self.weight(out, into, scale=into**-0.5), bias or self.weight(out)
        return self.op("Gemm", x, *weights, transB=1)

    def up(self, x: str, into: int, out: int, kernel: int = 4, **settings: Any) -> str:
        """A transposed convolution with PyTorch's usual settings, without bias."""
        settings = {"strides": [2, 2], "pads": [1] * 4, "kernel_shape": [kernel] * 2, **settings}
        per_group = out // settings.get("group", 1)
        scale = 2 / kernel * into**-0.5
        weight = self.weight(into, per_group, kernel, kernel, scale=scale)
        return self.op("ConvTranspose", x, weight, **settings)

    def norm(self, x: str, channels: int) -> str:
        weights = [self.positive(channels), self.weight(channels), self.weight(channels)]
        return self.op("BatchNormalization", x, *weights, self.positive(channels), epsilon=1e-5)

    def model(
        self, output: str | Sequence[str], *, opset: int = 17, shape: Shape | None = None
    ) -> onnx.ModelProto:
        outputs = [output] if isinstance(output, str) else output
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs]
        graph = helper.make_graph(
            self.nodes, "main_graph", self.inputs, infos, initializer=self.initializers
        )
        domains = {"": opset} | {node.domain: 1 for node in self.nodes if node.domain}
        opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="pytorch")


@pytest.fixture
def writer() -> OnnxWriter:
    return OnnxWriter()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a model into a file."""

    def save(model: onnx.ModelProto, name: str = "generator.onnx") -> Path:
        (tmp_path / name).write_bytes(model.SerializeToString())
        return tmp_path / name

    return save


@pytest.fixture
def drawn() -> Callable[..., np.ndarray]:
    """A function that lets onnxruntime draw, ``batch`` at a time, channels as in the file."""

    def draw(path: Path, *inputs: np.ndarray, batch: int = 1) -> np.ndarray:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options)
        names = [each.name for each in session.get_inputs()]
        rows = [
            session.run(None, {n: x[i : i + batch] for n, x in zip(names, inputs, strict=True)})[0]
            for i in range(0, len(inputs[0]), batch)
        ]
        return np.concatenate(rows)

    return draw
