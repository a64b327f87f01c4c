"""A live generator as one tf_keras model with one input: of layers, or opaque."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers import pictures
from pipeline.importers.input_adapter import Entry
from pipeline.importers.layer_mapping import NoTwinError
from pipeline.importers.loaded import Live, SourceLayer
from pipeline.importers.opaque import Frozen, Opaque, freeze
from pipeline.importers.rebuild import Rebuilding
from pipeline.networks.pixels import PixelRange

TRIED = 4
"""Inputs on which a model is held against itself and against what it was made from."""
TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest difference, as a share of the largest value, by the type that the source computes in:
sums in any order, of numbers of that precision."""


@dataclass(frozen=True)
class Built:
    """The model, and what became of the layers of the file."""

    model: tf_keras.Model
    layers: tuple[SourceLayer, ...]
    notes: tuple[str, ...]
    pixels: PixelRange | None
    """What the last layers or operations can give; None where they do not say."""
    input_pixels: PixelRange | None = None
    """What the first layer, where it rescales pictures, says of them."""
    frozen: Frozen | None = None
    """The graph of an opaque model; None for one of layers."""


def build(path: Path, live: Live, way_in: Entry) -> Built:
    """Of layers where each has a twin in tf_keras, otherwise opaque.

    Raises PocketganError where the generator cannot be turned into a fixed graph either.
    """
    if live.functional is None:
        return _opaque(path, live, way_in, "it is no graph of layers but code")
    try:
        return _of_layers(live, way_in)
    except NoTwinError as error:
        return _opaque(path, live, way_in, str(error))


def _of_layers(live: Live, way_in: Entry) -> Built:
    rebuilding = Rebuilding()
    port = tf_keras.Input(way_in.shape, name="latent" if way_in.latent else "pictures")
    (output,) = rebuilding.outputs(live.functional, way_in.split(port))
    model = tf_keras.Model(port, output, name="teacher")
    rebuilding.copy_weights()
    given = way_in.random(TRIED)
    (wanted,) = live.compute(*_split(way_in, given))
    drawn = model(given, training=False)
    if not _alike(np.asarray(wanted), np.asarray(drawn), TOLERANCE[live.precision]):
        apart = float(np.max(np.abs(np.asarray(wanted, np.float32) - drawn)))
        raise NoTwinError(f"rebuilt of tf_keras layers it draws otherwise (by {apart:.2g})")
    rows = tuple(rebuilding.rows)
    return Built(
        model,
        rows,
        tuple(f"{row.name}: {row.note}" for row in rows if row.note),
        pictures.output_range(model),
        None if way_in.latent else pictures.input_range(model),
    )


def _opaque(path: Path, live: Live, way_in: Entry, reason: str) -> Built:
    """The forward function as one layer."""
    try:
        inner = freeze(
            lambda *tensors: live.compute(*tensors)[0],
            [
                tf.TensorSpec([live.batch, *port.shape], port.dtype, name=port.name)
                for port in live.ports
            ],
        )
        port = tf_keras.Input(way_in.shape)
        drawing = Opaque(inner, live.batch)(way_in.split(port))
        whole = tf_keras.Model(port, tf.cast(drawing, tf.float32))
        frozen = freeze(whole, [tf.TensorSpec([None, *way_in.shape], tf.float32, name="given")])
        model = opaque_model(frozen, way_in.shape)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise PocketganError(
            f"{path} cannot be turned into a fixed graph: {' '.join(str(error).split())[:300]}",
            "Save it as a functional Keras model, or with a signature [None, ...] → pictures.",
        ) from error
    given = way_in.random(live.batch or TRIED)
    (wanted,) = live.compute(*_split(way_in, given))
    if not _alike(np.asarray(wanted), model(given, training=False).numpy()):
        raise PocketganError(
            f"{path} draws otherwise as a fixed graph.",
            "It keeps a state, or depends on the batch: save it without.",
        )
    return Built(
        model,
        live.layers,
        (f"opaque, known by what it draws only: {reason}",),
        pictures.range_of_operation(inner.last_operation()),
        frozen=frozen,
    )


def opaque_model(frozen: Frozen, shape: tuple[int, ...]) -> tf_keras.Model:
    """A model around a frozen graph whose one input has ``shape``, the batch left out."""
    port = tf_keras.Input(shape, name="given")
    return tf_keras.Model(port, Opaque(frozen, name="opaque")(port), name="teacher")


def _alike(one: np.ndarray, other: np.ndarray, tolerance: float = TOLERANCE["float32"]) -> bool:
    one, other = one.astype(np.float32), other.astype(np.float32)
    limit = tolerance * max(1.0, float(np.max(np.abs(one), initial=0)))
    return one.shape == other.shape and bool(np.max(np.abs(one - other), initial=0) <= limit)


def try_out(path: Path, live: Live, way_in: Entry) -> None:
    """Let it draw twice; PocketganError if it fails, differs, or gives no pictures."""
    given = _split(way_in, way_in.random(live.batch or TRIED))
    try:
        first, second = ([np.asarray(v) for v in live.compute(*given)] for _ in range(2))
    except Exception as error:  # whatever a foreign model raises
        raise PocketganError(
            f"{path} does not draw: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            "Call it once on a batch, as it is saved, and mend what fails there.",
        ) from error
    shapes = [(None, *values.shape[1:]) for values in first]
    pictures.check_pictures(
        str(path), shapes, [values.dtype.name for values in first], not way_in.latent
    )
    if not np.isfinite(first[0].astype(np.float32)).all():
        raise PocketganError(
            f"{path} draws numbers that are not finite.", "Give an earlier checkpoint."
        )
    if not _alike(first[0], second[0]):
        raise PocketganError(
            f"{path} draws another picture from the same input each time: a layer of it is random "
            "at inference too, such as noise injection.",
            "Give the noise a fixed value, or make it part of the latent vector.",
        )


def _split(way_in: Entry, given: np.ndarray) -> list[tf.Tensor]:
    """The one input → the generator's own inputs."""
    port = tf_keras.Input(way_in.shape)
    outputs = tf_keras.Model(port, way_in.split(port))(given, training=False)
    return list(tf.nest.flatten(outputs))
