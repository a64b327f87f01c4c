"""Resize and Upsample, where TensorFlow takes the same pixels with the same weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tf_keras

from pipeline.importers.layer_mapping import UnmappedLayerError
from pipeline.importers.onnx_files.builder import Builder, Value
from pipeline.importers.onnx_files.graph import Node
from pipeline.importers.onnx_files.layout import MAP_RANK

L = tf_keras.layers
_ROUNDINGS: Mapping[bytes, Callable[[np.ndarray], np.ndarray]] = {
    b"floor": np.floor,
    b"ceil": np.ceil,
    b"round_prefer_floor": lambda places: np.ceil(places - 0.5),
    b"round_prefer_ceil": lambda places: np.floor(places + 0.5),
}


def resize(builder: Builder, node: Node, value: Value) -> Any:
    """The resized tensor: of UpSampling2D for whole factors, of Resizing for others.

    ONNX has eight ways to say which pixel is between which; UnmappedLayerError for those that give
    others than TensorFlow's, for these sizes.
    """
    sides = tuple(value.tensor.shape[1:3])
    outputs = _output_sides(builder, node, value.layout.shape)
    pairs = list(zip(sides, outputs, strict=True))
    nearest = node.attributes.get("mode", b"nearest") == b"nearest"
    if not (_is_nearest if nearest else _is_bilinear)(node, pairs):
        raise UnmappedLayerError(
            f"operation '{node.name}' ({node.op}) takes other pixels than TensorFlow would"
        )
    settings: dict[str, Any] = {"interpolation": "nearest" if nearest else "bilinear"}
    if any(output % side for side, output in pairs):
        settings |= {"height": outputs[0], "width": outputs[1]}
        return builder.apply(L.Resizing, value.tensor, node.name, **settings)
    settings["size"] = tuple(output // side for side, output in pairs)
    return builder.apply(L.UpSampling2D, value.tensor, node.name, **settings)


def _is_nearest(node: Node, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether TensorFlow's nearest pixels are those of the operation."""
    old = _is_old(node)
    rounding = node.attributes.get("nearest_mode", b"floor" if old else b"round_prefer_floor")
    return all(
        np.array_equal(
            _sources(*pair, _coordinates(node), rounding),
            _sources(*pair, b"tf_half_pixel_for_nn", b"floor"),
        )
        for pair in pairs
    )


def _is_bilinear(node: Node, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether it interpolates linearly between the centers of pixels, as TensorFlow does."""
    coordinates = _coordinates(node)
    half_pixel = coordinates == b"half_pixel" or (
        coordinates == b"pytorch_half_pixel" and all(output > 1 for _, output in pairs)
    )
    return (
        node.attributes["mode"] == b"linear" and half_pixel and not node.attributes.get("antialias")
    )


def _is_old(node: Node) -> bool:
    """Whether it is of opset 10 or before: Upsample, or Resize without a region."""
    return len(node.inputs) <= 2


def _coordinates(node: Node) -> bytes:
    default = b"asymmetric" if _is_old(node) else b"half_pixel"
    coordinates: bytes = node.attributes.get("coordinate_transformation_mode", default)
    return coordinates


def _output_sides(builder: Builder, node: Node, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width; UnmappedLayerError where they are computed, or others are resized too."""
    scales = builder.graph.setting(node, "scales", 1 if _is_old(node) else 2)
    sizes = builder.graph.setting(node, "sizes", 3)
    axes = [int(axis) % MAP_RANK for axis in node.attributes.get("axes", range(MAP_RANK))]
    outputs = list(shape)
    if sizes is not None and len(sizes):
        values = [int(size) for size in sizes]
    elif scales is not None and len(scales):
        values = [int(np.floor(shape[axis] * s)) for axis, s in zip(axes, scales, strict=True)]
    else:
        raise UnmappedLayerError(f"the sizes of operation '{node.name}' ({node.op}) are computed")
    for axis, output in zip(axes, values, strict=True):
        outputs[axis] = output
    policy = node.attributes.get("keep_aspect_ratio_policy", b"stretch")
    if tuple(outputs[:2]) != shape[:2] or policy != b"stretch":
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) resizes more than maps")
    return outputs[2], outputs[3]


def _sources(side: int, output: int, coordinates: bytes, rounding: bytes) -> np.ndarray:
    """The source pixel of each pixel, as ONNX defines it."""
    places, scale = np.arange(output, dtype=np.float64), output / side
    if coordinates in (b"half_pixel", b"pytorch_half_pixel"):
        places = (places + 0.5) / scale - 0.5
    elif coordinates == b"tf_half_pixel_for_nn":
        places = (places + 0.5) / scale
    elif coordinates == b"align_corners":
        places = places * (side - 1) / max(output - 1, 1)
    else:
        places = places / scale
    if coordinates not in _COORDINATES or rounding not in _ROUNDINGS:
        return np.full(output, -1)
    sources: np.ndarray = np.clip(_ROUNDINGS[rounding](places), 0, side - 1)
    return sources


_COORDINATES = (
    *(b"half_pixel", b"pytorch_half_pixel", b"tf_half_pixel_for_nn"),
    *(b"align_corners", b"asymmetric"),
)
