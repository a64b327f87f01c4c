"""A Keras model as a graph of layers: who reads whose output, and building it anew."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import tf_keras

from deploy.errors import PocketganError

Call = Callable[[Any], Any]
MAP_RANK = 4
"""Dimensions of a batch of maps."""


def nodes(model: tf_keras.Model) -> Iterator[Any]:
    """Every use of a layer in the model, each after those whose output it reads."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


def followers(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> list[tf_keras.layers.Layer]:
    """The layers of the model that read the layer's output, once for each time they do."""
    outputs = _outputs(model, layer)
    return [
        node.layer
        for node in nodes(model)
        if not node.is_input and any(id(tensor) in outputs for tensor in node.keras_inputs)
    ]


def uses(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> int:
    """How often the model calls the layer."""
    return sum(node.layer is layer for node in nodes(model))


def leaves(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> bool:
    """Whether an output of the layer is one of the model."""
    return any(id(tensor) in _outputs(model, layer) for tensor in model.outputs)


def sources(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> list[tf_keras.layers.Layer]:
    """The layers of the model whose outputs the layer reads."""
    read = {
        id(before.layer)
        for node in nodes(model)
        if node.layer is layer
        for before in node.parent_nodes
    }
    return [other for other in model.layers if id(other) in read]


def rebuild(
    model: tf_keras.Model,
    replace: Callable[[tf_keras.layers.Layer], Call | None],
    on_input: Call = lambda tensor: tensor,
    size: tuple[int, int] | None = None,
) -> tf_keras.Model:
    """A new functional model in which every layer is what ``replace`` gives for it.

    ``replace`` returns something to call on the layer's input, or None to leave the layer out; it
    is asked once a layer, so that shared layers stay shared. ``on_input`` is put behind every
    input. ``size`` is another height and width of pictures that are read. No weights are copied.
    """
    inputs: dict[int, Any] = {}
    outputs: dict[int, Any] = {}
    calls: dict[int, Call | None] = {}
    for node in nodes(model):
        if node.is_input:
            batch, *shape = node.layer._batch_input_shape
            shape = shape if size is None else [*size, *shape[2:]]
            tensor = tf_keras.Input(shape, batch, name=node.layer.name)
            inputs[id(node.outputs)] = tensor
            outputs[id(node.outputs)] = on_input(tensor)
            continue
        arguments = [outputs[id(tensor)] for tensor in node.keras_inputs]
        if id(node.layer) not in calls:
            calls[id(node.layer)] = replace(node.layer)
        call = calls[id(node.layer)]
        argument = arguments if len(arguments) > 1 else arguments[0]
        outputs[id(node.outputs)] = argument if call is None else call(argument)
    return tf_keras.Model(
        [inputs[id(tensor)] for tensor in model.inputs],
        [outputs[id(tensor)] for tensor in model.outputs],
        name=model.name,
    )


def resized(model: tf_keras.Model, size: tuple[int, int]) -> tf_keras.Model:
    """The same network for pictures of another height and width, with the same weights.

    Raises PocketganError where a layer ties it to its size, or cannot divide that one.
    """
    try:
        other = rebuild(model, clone_layer, size=size)
        other.set_weights(model.get_weights())
    except (ValueError, TypeError) as error:
        first_sentence = " ".join(str(error).split()).partition(". ")[0]
        raise _unsized(model, size, first_sentence) from error
    scale = model.output_shape[1] / model.input_shape[1]
    if other.output_shape[1:3] != tuple(side * scale for side in size):
        height, width = other.output_shape[1:3]
        raise _unsized(model, size, f"it would draw {width}x{height}")
    return other


def divisor(model: tf_keras.Model) -> int:
    """Into how many parts a side of what it reads is parted by its smallest map."""
    height: int = model.input_shape[1]
    shapes = (layer.output_shape for layer in model.layers)
    smallest: int = min(shape[1] for shape in shapes if len(shape) == MAP_RANK)
    return height // smallest


def _unsized(model: tf_keras.Model, size: tuple[int, int], reason: str) -> PocketganError:
    return PocketganError(
        f"{model.name} cannot read pictures of {size[1]}x{size[0]}: {reason.rstrip('.')}.",
        f"Give multiples of {divisor(model)} as width and height, of a fully convolutional "
        "network.",
    )


def kernels(variables: Sequence[Any]) -> list[Any]:
    """The variables that multiply something: those with two or more dimensions."""
    return [variable for variable in variables if variable.shape.rank >= 2]


def check_layer_names(key: str, names: Iterable[str], layers: Sequence[str]) -> None:
    """PocketganError for one of the ``names`` under a recipe's ``key`` that is in no ``layers``."""
    for name in names:
        if name not in layers:
            raise PocketganError(
                f"{key}.{name}: the generator has no such layer with a kernel.",
                f"Its layers are: {', '.join(layers)}.",
            )


def clone_layer(layer: tf_keras.layers.Layer, **changes: Any) -> tf_keras.layers.Layer:
    """The same layer without its weights, some of its settings changed."""
    return layer.__class__.from_config({**layer.get_config(), **changes})


def _outputs(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> set[int]:
    """Identities of what the layer computes, a tensor each time it is used."""
    return {id(node.outputs) for node in nodes(model) if node.layer is layer}
