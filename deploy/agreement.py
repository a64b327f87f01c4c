"""Whether two targets draw the same picture of the same input."""

import base64
import math
import zlib

import numpy as np

from deploy.jobs import Agreement, Measurement, Output


def compare(measurement: Measurement, reference: Measurement) -> Agreement | None:
    """How far ``measurement``'s outputs lie from those of ``reference``, of the same inputs.

    None where either kept no outputs, or outputs of other kinds: nothing can be said then. Where
    one kept fewer inputs' outputs, those are compared.
    """
    if not measurement.outputs or not reference.outputs:
        return None
    ours, theirs = measurement.outputs, reference.outputs
    if [_kind(output) for output in ours] != [_kind(output) for output in theirs]:
        return None
    apart = np.concatenate([_distances(a, b) for a, b in zip(ours, theirs, strict=True)])
    integers = all(np.dtype(output.dtype).kind in "iu" for output in ours)
    return Agreement(
        reference=reference.target,
        equal=not apart.any(),
        largest=float(apart.max(initial=0.0)),
        share=float(np.mean(apart != 0)) if apart.size else 0.0,
        within_one=float(np.mean(apart <= 1)) if integers and apart.size else None,
    )


def _kind(output: Output) -> tuple[str, tuple[int, ...]]:
    return output.dtype, output.shape[1:]


def _distances(ours: Output, theirs: Output) -> np.ndarray:
    """Absolute differences, float64 [values]; a NaN on one side only is infinitely far."""
    a, b = decode(ours), decode(theirs)
    both = min(len(a), len(b))
    a, b = a[:both].astype(np.float64).ravel(), b[:both].astype(np.float64).ravel()
    apart = np.abs(a - b)
    apart[np.isnan(a) & np.isnan(b)] = 0.0
    apart[np.isnan(apart)] = np.finfo(np.float64).max
    return apart


def decode(output: Output) -> np.ndarray:
    """The values of ``output``, in its own dtype and shape.

    Raises:
        ValueError: the data is not what dtype and shape promise.
    """
    packed = base64.b64decode(output.data, validate=True)
    dtype = np.dtype(output.dtype).newbyteorder("<")
    size = math.prod(output.shape) * dtype.itemsize
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(packed, size + 1)  # never more than promised, whoever packed it
    return np.frombuffer(raw, dtype).reshape(output.shape)
