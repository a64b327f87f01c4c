"""How windows that slide over a map are padded in ONNX, and how TensorFlow says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import tf_keras

from pipeline.importers.layer_mapping import UnmappedLayerError
from pipeline.importers.onnx_files.builder import Builder, Crop
from pipeline.importers.onnx_files.graph import Node

L = tf_keras.layers


@dataclass(frozen=True, kw_only=True)
class Window:
    """The settings of a convolution or pooling; each holds that of rows, then of columns."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]

    @classmethod
    def of(cls, node: Node, kernel: Sequence[int]) -> Self:
        """The window of an operation."""

        def pair(name: str) -> tuple[int, int]:
            first, second = node.attributes.get(name, (1, 1))
            return int(first), int(second)

        height, width = kernel
        return cls(kernel=(height, width), strides=pair("strides"), dilations=pair("dilations"))

    @property
    def spans(self) -> list[int]:
        """Rows and columns from its first weight to its last."""
        return [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]


def padded(
    builder: Builder, tensor: Any, *, node: Node, window: Window, zeros: bool = True
) -> tuple[str, Any]:
    """The padding of a layer, "same" or "valid", and the tensor, padded before where neither is it.

    Raises UnmappedLayerError where that would have to be done, and not with ``zeros``.
    """
    sides = tensor.shape[1:3]
    same = [
        max((-(-side // stride) - 1) * stride + span - side, 0)
        for side, span, stride in zip(sides, window.spans, window.strides, strict=True)
    ]
    upper = [(total // 2, total - total // 2) for total in same]
    mode = node.attributes.get("auto_pad", b"NOTSET").decode()
    pads = node.attributes.get("pads", (0, 0, 0, 0))
    if mode == "SAME_UPPER":
        wanted = upper
    elif mode == "SAME_LOWER":
        wanted = [(behind, before) for before, behind in upper]
    else:
        wanted = [(pads[0], pads[2]), (pads[1], pads[3])] if mode == "NOTSET" else [(0, 0)] * 2
    if wanted == [(0, 0), (0, 0)]:
        return "valid", tensor
    if wanted == upper:
        return "same", tensor
    if not zeros or min(map(min, wanted)) < 0:
        raise UnmappedLayerError(f"the padding of operation '{node.name}' ({node.op}) has no layer")
    pad = builder.apply(L.ZeroPadding2D, tensor, f"{node.name}_padding", padding=tuple(wanted))
    return "valid", pad


def cropped(node: Node, sides: Sequence[int], window: Window) -> tuple[str, Crop | None, list[int]]:
    """The padding of a Conv2DTranspose, what to cut off then, and the sides that remain."""
    added = node.attributes.get("output_padding", (0, 0))
    demanded, mode = (
        node.attributes.get("output_shape"),
        node.attributes.get("auto_pad", b"").decode(),
    )
    pads, outputs, crop, is_same = node.attributes.get("pads", (0, 0, 0, 0)), [], [], True
    for axis, (side, span, stride) in enumerate(
        zip(sides, window.kernel, window.strides, strict=True)
    ):
        full = (side - 1) * stride + span + added[axis]
        if demanded is not None or mode.startswith("SAME"):
            output = demanded[-2 + axis] if demanded is not None else side * stride
            total = full - output
            before = total // 2 if mode == "SAME_UPPER" else total - total // 2
        else:
            before = pads[axis]
            output = full - before - pads[axis + 2]
        valid = side * stride + max(span - stride, 0)
        crop.append((before, valid - before - output))
        outputs.append(output)
        is_same &= output == side * stride and before == max(span - stride, 0) // 2
    if is_same:
        return "same", None, outputs
    if min(map(min, crop)) < 0:
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) draws borders of its own")
    return "valid", (crop[0], crop[1]) if crop != [(0, 0), (0, 0)] else None, outputs
