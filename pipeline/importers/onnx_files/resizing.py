"""Resize and Upsample, where TensorFlow takes the same pixels with the same weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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


class _Side(NamedTuple):
    """Height or width, before and after."""

    source: int
    output: int
    scale: float
    """By which places are reckoned; ``output`` is rounded down where that is no whole number."""


def resize(builder: Builder, node: Node, value: Value) -> Any:
    """The resized tensor: of UpSampling2D for whole factors, of Resizing for others.

    ONNX has eight ways to say which pixel is between which; UnmappedLayerError for those that give
    others than TensorFlow's, for these sizes.
    """
    sides = _sides(builder, node, value.layout.shape)
    nearest = node.attributes.get("mode", b"nearest") == b"nearest"
    if not (_is_nearest if nearest else _is_bilinear)(node, sides):
        raise UnmappedLayerError(
            f"operation '{node.name}' ({node.op}) takes other pixels than TensorFlow would"
        )
    settings: dict[str, Any] = {"interpolation": "nearest" if nearest else "bilinear"}
    if any(side.output % side.source for side in sides):
        settings |= {"height": sides[0].output, "width": sides[1].output}
        return builder.apply(L.Resizing, value.tensor, node.name, **settings)
    settings["size"] = tuple(side.output // side.source for side in sides)
    return builder.apply(L.UpSampling2D, value.tensor, node.name, **settings)


def _is_nearest(node: Node, sides: Sequence[_Side]) -> bool:
    """Whether TensorFlow's nearest pixels are those of the operation."""
    old = _is_old(node)
    rounding = node.attributes.get("nearest_mode", b"floor" if old else b"round_prefer_floor")
    return all(
        np.array_equal(
            _sources(side, _coordinates(node), rounding),
            _sources(_whole(side), b"tf_half_pixel_for_nn", b"floor"),
        )
        for side in sides
    )


def _is_bilinear(node: Node, sides: Sequence[_Side]) -> bool:
    """Whether it interpolates linearly between the centers of pixels, as TensorFlow does."""
    coordinates = _coordinates(node)
    half_pixel = coordinates == b"half_pixel" or (
        coordinates == b"pytorch_half_pixel" and all(side.output > 1 for side in sides)
    )
    is_linear = node.attributes["mode"] == b"linear" and not node.attributes.get("antialias")
    return is_linear and half_pixel and all(side == _whole(side) for side in sides)


def _whole(side: _Side) -> _Side:
    """As TensorFlow resizes, which knows sizes only."""
    return side._replace(scale=side.output / side.source)


def _is_old(node: Node) -> bool:
    """Whether it is of opset 10 or before: Upsample, or Resize without a region."""
    return len(node.inputs) <= 2


def _coordinates(node: Node) -> bytes:
    default = b"asymmetric" if _is_old(node) else b"half_pixel"
    coordinates: bytes = node.attributes.get("coordinate_transformation_mode", default)
    return coordinates


def _sides(builder: Builder, node: Node, shape: tuple[int, ...]) -> tuple[_Side, _Side]:
    """Height and width; UnmappedLayerError where they are computed, or others are resized too."""
    scales = builder.graph.setting(node, "scales", 1 if _is_old(node) else 2)
    sizes = builder.graph.setting(node, "sizes", 3)
    axes = [int(axis) % MAP_RANK for axis in node.attributes.get("axes", range(MAP_RANK))]
    sides = [_Side(length, length, 1.0) for length in shape]
    if sizes is not None and len(sizes):
        for axis, size in zip(axes, sizes, strict=True):
            sides[axis] = _whole(_Side(shape[axis], int(size), 1.0))
    elif scales is not None and len(scales):
        for axis, scale in zip(axes, scales, strict=True):
            sides[axis] = _scaled(shape[axis], np.float32(scale))
    else:
        raise UnmappedLayerError(f"the sizes of operation '{node.name}' ({node.op}) are computed")
    batch, channels, height, width = sides
    policy = node.attributes.get("keep_aspect_ratio_policy", b"stretch")
    if any(side.output != side.source for side in (batch, channels)) or policy != b"stretch":
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) resizes more than maps")
    return height, width


def _scaled(source: int, scale: np.float32) -> _Side:
    """A side times a factor, in float32 as onnxruntime reckons."""
    length = np.float32(source) * scale
    side = _Side(source, int(length), float(scale))
    return _whole(side) if length == side.output else side


def _sources(side: _Side, coordinates: bytes, rounding: bytes) -> np.ndarray:
    """The source pixel of each pixel, as ONNX defines it."""
    source, output, scale = side
    places = np.arange(output, dtype=np.float64)
    if coordinates in (b"half_pixel", b"pytorch_half_pixel"):
        places = (places + 0.5) / scale - 0.5
    elif coordinates == b"tf_half_pixel_for_nn":
        places = (places + 0.5) / scale
    elif coordinates == b"align_corners":
        places = places * (source - 1) / max(output - 1, 1)
    else:
        places = places / scale
    if coordinates not in _COORDINATES or rounding not in _ROUNDINGS:
        return np.full(output, -1)
    sources: np.ndarray = np.clip(_ROUNDINGS[rounding](places), 0, source - 1)
    return sources


_COORDINATES = (
    *(b"half_pixel", b"pytorch_half_pixel", b"tf_half_pixel_for_nn"),
    *(b"align_corners", b"asymmetric"),
)
