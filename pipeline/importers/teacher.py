"""A teacher: a trained generator of any origin, loaded."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError, one_line
from pipeline import guard
from pipeline.compression.fold import fold_batch_norm
from pipeline.data.reading import TILES, WHOLE
from pipeline.importers import pixel_range
from pipeline.importers.formats import GeneratorSource
from pipeline.importers.input_adapter import InputAdapter, adapt_inputs, random_inputs
from pipeline.importers.layer_mapping import GraphRebuilder, SourceLayer, UnmappedLayerError
from pipeline.importers.loaded import (
    TRIAL_INPUTS,
    LoadedGenerator,
    difference,
    try_out,
)
from pipeline.importers.merging import merged
from pipeline.importers.opaque import OpaqueGenerator, freeze_generator
from pipeline.importers.opening import open_generator
from pipeline.networks.pixels import PixelRange

_DOES_NOT_DRAW = (
    "Let it draw a batch with the library that wrote it, on this machine: mend what fails there."
)
_WITHOUT = "Leave --discriminator out: a fresh one will be trained."


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A generator as everything else wants it, whatever it was before."""

    model: tf_keras.Model
    """For inference only. One input: latents float32 [N, latent + classes], the class one-hot at
    the end, or pictures float32 [N, H, W, C]. One output: pictures float32 [N, H', W', C']."""
    latent: int
    """0 for a generator that reads pictures."""
    classes: int
    """0 for an unconditional generator."""
    pixels: PixelRange
    """Black and white in what it draws."""
    input_pixels: PixelRange | None
    """Black and white in the pictures that it reads; None where it reads latents."""
    origin: str
    """Where it comes from, in words."""
    notes: tuple[str, ...] = ()
    """What was rewritten while loading, in words."""
    layers: tuple[SourceLayer, ...] = ()
    """The layers of the file, in order, and what became of each."""
    opaque: OpaqueGenerator | None = None
    """What draws an opaque teacher, of which nothing else is known; else None."""

    @property
    def is_opaque(self) -> bool:
        """Whether it is one layer that draws, and no graph of layers that could be slimmed."""
        return self.opaque is not None

    @cached_property
    def folded(self) -> tf_keras.Model:
        """The model with its batch norm in its kernels, where it has layers.

        It is what .tflite files are made of. Raises PocketganError where another runtime draws it.
        """
        if self.opaque is not None and self.opaque.program is not None:
            raise self.opaque.program.unconverted()
        return self.model if self.is_opaque else fold_batch_norm(self.model)

    def cut(self, wanted: str) -> str:
        """How photos become its inputs: as ``wanted``, or where that is "auto" as suits it.

        Tiles where it enlarges, since shrinking a photo would sharpen it; else whole pictures.
        """
        if wanted != "auto":
            return wanted
        return TILES if self.model.output_shape[1] > self.model.input_shape[1] else WHOLE

    def random_inputs(self, count: int, seed: int = 1) -> np.ndarray:
        """Inputs float32 [count, …]: the normal prior and any class, or noise, black to white."""
        return random_inputs(
            count,
            self.latent,
            shape=self.model.input_shape[1:],
            classes=self.classes,
            pixels=self.input_pixels or (0.0, 1.0),
            seed=seed,
        )


def load_teacher(
    source: Path | GeneratorSource,
    *,
    classes: int | None = None,
    pixels: PixelRange | None = None,
    input_pixels: PixelRange | None = None,
    input_size: tuple[int, int] | None = None,
    allow_unsafe: bool = False,
    custom: Path | None = None,
) -> Teacher:
    """A generator from a file of Keras 2 or 3, a SavedModel, a model of TensorFlow.js, or a run.

    Layers of Keras 3 become those of tf_keras, and the outputs are compared; where tf_keras lacks
    a layer, the forward function as a whole becomes an opaque layer. ``classes`` is the number of
    classes at the end of the latent vector, ``pixels`` and ``input_pixels`` are black and white
    where the model does not say. ``input_size`` is the height and width of the pictures that a
    generator reads which takes any. ``custom`` is a Python file of the user's that defines layers;
    it is run. With ``allow_unsafe`` so is code within the model.

    Raises PocketganError, with a remedy, for whatever is no generator of pictures, and for files
    that would run code.
    """
    if isinstance(source, Path):
        source = GeneratorSource(path=source, file=source)
    path = source.path
    loaded = open_generator(source, custom, input_size=input_size, allow_unsafe=allow_unsafe)
    if classes is None and source.latent is not None:
        classes = int(loaded.inputs[0].shape[0] or 0) - source.latent
    adapter = adapt_inputs(path, loaded.inputs, classes)
    with guard.step("drawn with", path, _DOES_NOT_DRAW):
        try_out(path, loaded, adapter)
    network = _network(path, loaded, adapter)
    chosen = partial(pixel_range.chosen_range, path)
    reads = network.reads or source.input_pixels
    return Teacher(
        model=network.model,
        latent=adapter.latent,
        classes=adapter.classes,
        input_pixels=None if adapter.latent else chosen("input", reads, input_pixels),
        pixels=chosen("output", network.draws, pixels),
        origin=loaded.origin,
        notes=tuple(filter(None, (adapter.note, *network.notes))),
        layers=network.layers,
        opaque=network.opaque,
    )


@dataclass(frozen=True, kw_only=True)
class _Network:
    """A generator of layers of tf_keras, or of one opaque layer, and what could be read off it."""

    model: tf_keras.Model
    layers: tuple[SourceLayer, ...]
    notes: tuple[str, ...]
    reads: PixelRange | None = None
    draws: PixelRange | None
    opaque: OpaqueGenerator | None = None


def _network(path: Path, loaded: LoadedGenerator, adapter: InputAdapter) -> _Network:
    """Rebuilt of layers; where that cannot be, the forward function as a whole."""
    try:
        model, layers = _rebuild(path, loaded, adapter)
    except UnmappedLayerError as error:
        with guard.step("frozen", path, _DOES_NOT_DRAW):
            model, opaque, last_operation = freeze_generator(path, loaded, adapter)
        return _Network(
            model=model,
            layers=loaded.layers,
            notes=(f"opaque, known by what it draws only: {error}",),
            draws=pixel_range.OPERATION_RANGES.get(last_operation),
            opaque=opaque,
        )
    return _Network(
        model=model,
        layers=layers,
        notes=tuple(f"{layer.name}: {layer.note}" for layer in layers if layer.note),
        reads=pixel_range.input_range(model),
        draws=pixel_range.output_range(model),
    )


def _rebuild(
    path: Path, loaded: LoadedGenerator, adapter: InputAdapter
) -> tuple[tf_keras.Model, tuple[SourceLayer, ...]]:
    """The generator of layers of tf_keras; UnmappedLayerError where that cannot be."""
    if loaded.functional is None:
        raise UnmappedLayerError(loaded.why_opaque)
    with guard.step("rebuilt", path, _DOES_NOT_DRAW):
        return _rebuilt(loaded, adapter)


def _rebuilt(
    loaded: LoadedGenerator, adapter: InputAdapter
) -> tuple[tf_keras.Model, tuple[SourceLayer, ...]]:
    port = tf_keras.Input(adapter.shape, name="latent" if adapter.latent else "pictures")
    own_inputs = adapter.split(port)
    before = tf_keras.Model(port, own_inputs)
    rebuilder = GraphRebuilder(layer.name for layer in before.layers)
    try:
        (output,) = rebuilder.outputs(loaded.functional, own_inputs)
        model = tf_keras.Model(port, output, name="teacher")
        rebuilder.copy_weights()
        model = merged(model)
    except (ValueError, TypeError, AttributeError, tf.errors.OpError) as error:
        raise UnmappedLayerError(
            f"it cannot be rebuilt of tf_keras layers ({one_line(error, 200)})"
        ) from error
    inputs = adapter.random_inputs(TRIAL_INPUTS)
    pictures = np.asarray(model(inputs, training=False))
    apart = difference(loaded, adapter.source_inputs(inputs), pictures)
    if apart is not None:
        raise UnmappedLayerError(f"rebuilt of tf_keras layers it draws otherwise (by {apart:.2g})")
    return model, tuple(rebuilder.source_layers)


def load_discriminator(
    path: Path, teacher: Teacher, *, custom: Path | None = None, allow_unsafe: bool = False
) -> tf_keras.Model:
    """A discriminator: pictures (and one-hot classes) → logits [N, 1], of tf_keras layers.

    A sigmoid at the end is taken off: training wants the logit. Raises PocketganError for whatever
    does not read this teacher's pictures.
    """
    loaded = open_generator(
        GeneratorSource(path=path, file=path), custom, allow_unsafe=allow_unsafe
    )
    picture = tuple(teacher.model.output_shape[1:])
    wanted = [picture, (teacher.classes,)] if teacher.classes else [picture]
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
