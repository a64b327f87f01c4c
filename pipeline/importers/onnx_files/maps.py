"""Operations that make other maps: resizing, padding, slicing, pooling, joining."""

from collections.abc import Callable, Mapping

from pipeline.importers.onnx_files.builder import Builder, Value
from pipeline.importers.onnx_files.graph import Node

MAPS: Mapping[str, Callable[[Builder, Node], Value]] = {}
