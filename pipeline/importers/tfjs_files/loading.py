"""A generator out of a model of TensorFlow.js of either kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.importers.loaded import LoadedGenerator, from_keras_model
from pipeline.importers.tfjs_files import model_json
from pipeline.importers.tfjs_files.graph_model import load_graph_model
from pipeline.importers.tfjs_files.layers_model import open_layers_model, origin_of


def load_tfjs(path: Path, custom: Mapping[str, Any], *, allow_unsafe: bool) -> LoadedGenerator:
    """The generator in a model.json, or in the folder of one.

    ``custom`` maps names to classes and functions of the user's. Raises PocketganError for damage,
    for files outside the folder, and for what would run code (without ``allow_unsafe``).
    """
    model = model_json.read(path)
    weights = model_json.read_weights(model)
    if model.is_graph:
        return load_graph_model(model, weights, allow_unsafe=allow_unsafe)
    layers = open_layers_model(model, weights).load(custom, allow_unsafe=allow_unsafe)
    return from_keras_model(layers, origin_of(model), path)
