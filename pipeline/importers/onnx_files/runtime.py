"""ONNX models drawn by onnxruntime, with channels last and any number of inputs at once."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime

from pipeline.importers.foreign import in_batches
from pipeline.importers.model_input import is_shared
from pipeline.importers.onnx_files.signature import (
    FileShape,
    Orders,
    channel_orders,
    from_onnx,
    to_onnx,
)

_THREADS = 2
"""Of each operation: as many as TensorFlow has, since a sum is cut into a piece a thread."""
_FATAL = 4
_WHOLE_NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_TYPES: dict[str, np.dtype] = {
    "tensor(float)": np.dtype("float32"),
    "tensor(float16)": np.dtype("float16"),
    "tensor(double)": np.dtype("float64"),
    **{f"tensor({name})": np.dtype(name) for name in _WHOLE_NUMBERS},
    "tensor(bool)": np.dtype("bool"),
    "tensor(string)": np.dtype("object"),
}


@dataclass(frozen=True)
class Port:
    """A tensor that goes in, or comes out."""

    name: str
    shape: FileShape
    """As in the file, the batch first."""
    dtype: np.dtype
    channels_first: bool | None
    """What an operation beside it says of its maps; None where none does."""


class OnnxRuntime:
    """Draws the ONNX model in ``content``; onnxruntime's own errors where it cannot."""

    def __init__(self, content: bytes) -> None:
        self._session = open_session(content)
        orders = channel_orders(onnx.ModelProto.FromString(content))
        self.inputs = tuple(port_of(each, orders) for each in self._session.get_inputs())
        self.outputs = tuple(port_of(each, orders) for each in self._session.get_outputs())
        batches = {port.shape[0] for port in self.inputs if port.shape}
        self._batch = next((batch for batch in batches if batch is not None), None)
        """The only number of inputs that it takes at once; None where any will do."""
        shapes = [port.shape for port in self.inputs]
        self._shared = [is_shared(shape, shapes) for shape in shapes]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """All outputs for arrays [N, …] in the order of the inputs; floats are float32."""
        count = len(arrays[0])
        if self._batch is None:
            try:
                outputs = self._run(*arrays)
            except Exception:  # onnxruntime raises several kinds, none of them public
                if count == 1:
                    raise
                outputs = []
            if outputs and outputs[0].shape[:1] == (count,):
                return outputs
            self._batch = 1  # free at its ends only, as exporters leave it
        return in_batches(self._run, arrays, self._batch, shared=self._shared)

    def _run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        feed = {
            port.name: np.asarray(
                to_onnx(array, port.shape, port.channels_first), port.dtype, order="C"
            )
            for port, array in zip(self.inputs, arrays, strict=True)
        }
        return [
            from_onnx(
                each.astype(np.float32) if each.dtype.kind == "f" else each, port.channels_first
            )
            for port, each in zip(self.outputs, self._session.run(None, feed), strict=True)
        ]


def open_session(content: bytes) -> onnxruntime.InferenceSession:
    """One that is quiet, on the CPU; onnxruntime's own errors where it cannot run the model."""
    onnxruntime.set_default_logger_severity(_FATAL)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = _THREADS, 1
    options.log_severity_level = _FATAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def port_of(stored: onnxruntime.NodeArg, orders: Orders | None = None) -> Port:
    """What onnxruntime says of an input or output, and ``orders`` of its maps."""
    shape = tuple(side if isinstance(side, int) else None for side in stored.shape)
    dtype = _TYPES.get(stored.type, np.dtype("float32"))
    return Port(stored.name, shape, dtype, (orders or {}).get(stored.name))
