"""A teacher's discriminator, of layers of tf_keras."""

from pathlib import Path
from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.formats import GeneratorSource
from pipeline.importers.layer_mapping import GraphRebuilder, UnmappedLayerError
from pipeline.importers.opening import open_generator
from pipeline.importers.teacher import Teacher
from pipeline.networks.codes import has_code_head

_WITHOUT = "Leave --discriminator out: a fresh one will be trained."


def load_discriminator(
    path: Path, teacher: Teacher, *, custom: Path | None = None, allow_unsafe: bool = False
) -> tf_keras.Model:
    """A discriminator: pictures (and one-hot classes) → logits [N, 1], of tf_keras layers.

    A sigmoid at the end is taken off: training wants the logit. So is a head that reads codes; what
    has one is not told the class. Raises PocketganError for whatever does not read this teacher's
    pictures.
    """
    loaded = open_generator(
        GeneratorSource(path=path, file=path), custom, allow_unsafe=allow_unsafe
    )
    picture = tuple(teacher.model.output_shape[1:])
    head = has_code_head(loaded.functional)
    wanted = [picture, (teacher.classes,)] if teacher.classes and not head else [picture]
    shapes = [tuple(each.shape) for each in loaded.inputs]
    if shapes != wanted:
        raise PocketganError(
            f"{path} reads {shapes}; a discriminator of this generator reads {wanted}.", _WITHOUT
        )
    if loaded.functional is None:
        raise PocketganError(f"{path} is code, and no graph of layers.", _WITHOUT)
    rebuilder = GraphRebuilder()
    inputs = [tf_keras.Input(shape) for shape in wanted]
    try:
        outputs = rebuilder.outputs(loaded.functional, inputs)
    except UnmappedLayerError as error:
        raise PocketganError(f"{path}: {error}.", _WITHOUT) from error
    if head:
        outputs = outputs[:1]
    if len(outputs) != 1 or tuple(outputs[0].shape[1:]) != (1,):
        raise PocketganError(
            f"{path} gives {[tuple(o.shape[1:]) for o in outputs]}, and not one number a picture.",
            _WITHOUT,
        )
    logit = _without_sigmoid(outputs[0])
    rebuilder.copy_weights()
    return tf_keras.Model(inputs if len(inputs) > 1 else inputs[0], logit, name="discriminator")


def _without_sigmoid(output: Any) -> Any:
    """What goes into a sigmoid that stands at the end; the output itself where none does."""
    layer = output._keras_history.layer
    function = getattr(getattr(layer, "activation", None), "__name__", "")
    is_layer = isinstance(layer, tf_keras.layers.Activation)
    return layer.input if is_layer and function == "sigmoid" else output
