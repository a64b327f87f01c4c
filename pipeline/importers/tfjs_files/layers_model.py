"""Layers models of TensorFlow.js: a configuration of Keras, and weights by name.

The topology is what its converter copied out of a file of Keras 2 or 3, or what ``model.save`` of
TensorFlow.js wrote in the same words.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tf_keras

from deploy.errors import PocketganError, printable
from pipeline.importers.keras_files import KerasFile
from pipeline.importers.tfjs_files.model_json import ModelJson

_CONVERT_AGAIN = "Convert the model again: its weights and its layers must come from one model."
_OF_KERAS_2 = "2"
_SHORTER: tuple[Callable[[Sequence[str]], Sequence[str]], ...] = (
    lambda parts: parts,
    lambda parts: parts[-2:],  # without the names of models around the layer
    # Without that of the cell of a recurrent layer.
    lambda parts: (*parts[:-2], parts[-1]) if len(parts) > 2 else parts,
)
"""Ways to shorten a weight's name, split at its slashes, until file and layers agree on it."""


@dataclass(frozen=True)
class LayersModel(KerasFile):
    """A layers model, not built yet."""

    weights: Mapping[str, np.ndarray]
    """By the names in model.json."""

    def _read(self, library: Any, custom: dict[str, Any], *, safe: bool) -> Any:
        if self.is_of_keras_3:
            model = keras.models.model_from_json(json.dumps(self.config), custom)
        else:
            model = tf_keras.models.model_from_config(self.config, custom)
        self._fill(model.weights)
        return model

    def _fill(self, variables: Iterable[Any]) -> None:
        """Give each variable its numbers; PocketganError where model.json has others."""
        by_name = {
            str(getattr(each, "path", each.name)).removesuffix(":0"): each for each in variables
        }
        names = _pairs(by_name, self.weights)
        if len(names) < max(len(by_name), len(self.weights)):
            without = [f"'{name}' has none" for name in by_name if name not in names]
            unused = set(self.weights) - set(names.values())
            without += [f"'{printable(name)}' belongs to no layer" for name in sorted(unused)]
            raise PocketganError(
                f"{self.path}: its weights are not those of its layers: {', '.join(without[:4])}.",
                _CONVERT_AGAIN,
            )
        for name, variable in by_name.items():
            values = self.weights[names[name]]
            if values.shape != tuple(variable.shape):
                raise PocketganError(
                    f"{self.path}: the weights '{name}' have the shape {list(values.shape)}, and "
                    f"its layer has {list(variable.shape)}.",
                    _CONVERT_AGAIN,
                )
            variable.assign(values)


def open_layers_model(model: ModelJson, weights: Mapping[str, np.ndarray]) -> LayersModel:
    """The layers model that a model.json with these ``weights`` is."""
    topology = model.topology
    config = topology.get("model_config", topology)
    version = str(topology.get("keras_version", _OF_KERAS_2))
    # What TensorFlow.js itself saves, it calls "tfjs-layers 4.22.0".
    of_keras = re.match(r"\d", version) is not None
    return LayersModel(model.path, config, version if of_keras else _OF_KERAS_2, weights)


def origin_of(model: ModelJson) -> str:
    """Where a layers model comes from, in words."""
    version = printable(str(model.topology.get("keras_version", _OF_KERAS_2)))
    writer = version if version.startswith("tfjs") else f"Keras {version}"
    return f"TensorFlow.js layers model {model.title}, written by {writer}"


def _pairs(ours: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """Name of a variable → name in the file."""
    pairs: dict[str, str] = {}
    for shorten in _SHORTER:
        of_file = _unique(shorten, set(theirs) - set(pairs.values()))
        of_layers = _unique(shorten, set(ours) - set(pairs))
        pairs |= {name: of_file[key] for key, name in of_layers.items() if key in of_file}
    return pairs


def _unique(
    shorten: Callable[[Sequence[str]], Sequence[str]], names: Iterable[str]
) -> dict[tuple[str, ...], str]:
    """Shortened name → name, where it is the only one of it."""
    longer: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        longer.setdefault(tuple(shorten(name.split("/"))), []).append(name)
    return {key: same[0] for key, same in longer.items() if len(same) == 1}
