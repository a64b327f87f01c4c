"""The discriminator of a foreign generator, where its owner kept it."""

from pathlib import Path

import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.generator import Teacher
from pipeline.importers.layer_mapping import NoTwinError
from pipeline.importers.open import open_generator
from pipeline.importers.rebuild import Rebuilding

_WITHOUT = "Leave --discriminator out: a fresh one will be trained."


def load_discriminator(
    path: Path, teacher: Teacher, custom: Path | None = None, allow_unsafe: bool = False
) -> tf_keras.Model:
    """Pictures (and one-hot classes) → logits [N, 1], built of tf_keras layers.

    A sigmoid at the end is taken off: the game wants the logit. Raises PocketganError for whatever
    does not look at this teacher's pictures.
    """
    live = open_generator(path, custom, allow_unsafe)
    picture = tuple(teacher.model.output_shape[1:])
    wanted = [picture, (teacher.classes,)] if teacher.classes else [picture]
    found = [tuple(port.shape) for port in live.ports]
    if found != wanted:
        raise PocketganError(
            f"{path} reads {found}; a discriminator of this generator reads {wanted}.", _WITHOUT
        )
    if live.functional is None:
        raise PocketganError(f"{path} is code, and no graph of layers.", _WITHOUT)
    rebuilding = Rebuilding()
    inputs = [tf_keras.Input(shape) for shape in wanted]
    try:
        outputs = rebuilding.outputs(live.functional, inputs)
    except NoTwinError as error:
        raise PocketganError(f"{path}: {error}.", _WITHOUT) from error
    if len(outputs) != 1 or tuple(outputs[0].shape[1:]) != (1,):
        raise PocketganError(
            f"{path} gives {[tuple(o.shape[1:]) for o in outputs]}, and not one number a picture.",
            _WITHOUT,
        )
    logit = _without_sigmoid(outputs[0])
    rebuilding.copy_weights()
    return tf_keras.Model(inputs if len(inputs) > 1 else inputs[0], logit, name="discriminator")


def _without_sigmoid(output: object) -> object:
    """What goes into a sigmoid that stands at the end; the output itself where none does."""
    layer = output._keras_history.layer  # type: ignore[attr-defined]
    function = getattr(getattr(layer, "activation", None), "__name__", "")
    is_layer = isinstance(layer, tf_keras.layers.Activation)
    return layer.input if is_layer and function == "sigmoid" else output
