"""What a subclassed model reads, and how it is called: its code does not say, its file may."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from deploy.errors import PocketganError
from pipeline.importers.model_input import ModelInput

ONE_CALL = (
    "Save the model of one call: z, label = keras.Input((100,)), keras.Input((1,)); "
    "keras.Model([z, label], model(z, label)).save('generator.keras'), with the shapes it reads."
)


def inputs_of_code(model: Any, path: Path) -> tuple[tuple[ModelInput, ...], Callable[..., Any]]:
    """The inputs of a subclassed model, as it was called before saving, and how they are given."""
    by_argument = {
        name.removesuffix("_shape"): shape
        for name, shape in (getattr(model, "_build_shapes_dict", None) or {}).items()
    }
    (only,) = by_argument.values() if len(by_argument) == 1 else (by_argument or None,)
    shapes = only or getattr(model, "_build_input_shape", None)

    def arguments(*tensors: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if len(by_argument) > 1:
            return (), dict(zip(by_argument, tensors, strict=True))
        if isinstance(shapes, Mapping):
            return (dict(zip(shapes, tensors, strict=True)),), {}
        return (tensors[0] if len(tensors) == 1 else list(tensors),), {}

    def call(*tensors: Any) -> Any:
        positional, named = arguments(*tensors)
        return model(*positional, **named, training=False)

    if isinstance(shapes, Mapping):
        by_name = dict(shapes)
    else:
        several = isinstance(shapes, tuple | list) and not _is_shape(shapes)
        each = shapes if several and shapes else [shapes]
        by_name = {f"input_{number}": shape for number, shape in enumerate(each, start=1)}
    needed = _required_arguments(model)
    if len(needed) > max(1, len(by_argument)):
        raise PocketganError(
            f"{path} is code that is called with {' and '.join(needed)}, and the shape of one of "
            "them is stored.",
            ONE_CALL,
        )
    if not all(map(_is_shape, by_name.values())):
        raise PocketganError(
            f"{path} is code without a stored input shape.",
            "Call it once on a batch of latents before it is saved, or save keras.Model(x, "
            "model(x)) for an x = keras.Input((LATENT,)).",
        )
    inputs = tuple(
        ModelInput(name=name, shape=tuple(shape)[1:], dtype="float32")
        for name, shape in by_name.items()
    )
    return inputs, call


def _required_arguments(model: Any) -> list[str]:
    """Of its ``call``: those without a default."""
    return [
        parameter.name
        for parameter in inspect.signature(model.call).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and parameter.default is parameter.empty
        and parameter.name not in ("training", "mask")
    ]


def _is_shape(value: Any) -> bool:
    """Whether a value is a shape with a batch."""
    sizes = tuple(value) if isinstance(value, tuple | list | tf.TensorShape) else ()
    return bool(sizes) and all(size is None or isinstance(size, int) for size in sizes)
