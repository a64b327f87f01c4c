"""The names that functions within model files use.

A Lambda layer is stored as the code of its function, without the modules that its author's notebook
imported: Keras looks its names up in a module of its own, which has few.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from keras.src.utils import python_utils
from tf_keras.src.layers.core import lambda_layer
from tf_keras.src.utils import generic_utils

_OF_LIBRARY = {keras: (python_utils,), tf_keras: (generic_utils, lambda_layer)}
"""Library → the modules in which it looks names up."""


def give_usual_names(library: Any, custom: Mapping[str, Any]) -> None:
    """Let functions of that ``library`` find what notebooks import, and what is ``custom``.

    For the rest of the process: they are called long after they were loaded.
    """
    usual = {
        "tf": tf,
        "tensorflow": tf,
        "np": np,
        "keras": library,
        "K": library.backend,
        "layers": library.layers,
        "ops": keras.ops,
    }
    for module in _OF_LIBRARY[library]:
        names = vars(module)
        names.update({name: value for name, value in usual.items() if name not in names})
        names.update({name: value for name, value in custom.items() if name not in names})
