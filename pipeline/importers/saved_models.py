"""SavedModels of any origin: their layers of tf_keras, or else what their signature draws."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tf_keras.protobuf import saved_metadata_pb2

from deploy.errors import PocketganError, printable
from pipeline.channel_order import COLOURS, TO_FIRST, TO_LAST, channels_first
from pipeline.importers import safety
from pipeline.importers.formats import SAVED_MODEL
from pipeline.importers.keras_files import COPY_AGAIN, UNSAFE, reason, refuse_unsafe
from pipeline.importers.known_layers import KNOWN
from pipeline.importers.layer_mapping import SourceLayer, functional
from pipeline.importers.loaded import LoadedGenerator, from_keras_model
from pipeline.importers.missing import StatedFacts
from pipeline.importers.model_input import ModelInput
from pipeline.importers.signatures import DEFAULT, Dimensions, chosen_signature

_KERAS_METADATA = "keras_metadata.pb"
_SERVED = ["serve"]
_SAVE_ANEW = "Save it again with `model.save('generator.keras')`, or with a single signature."


def load_saved_model(
    path: Path, custom: Mapping[str, Any], *, facts: StatedFacts, allow_unsafe: bool
) -> LoadedGenerator:
    """The tf_keras layers in the folder where they can be read, otherwise its signature.

    ``custom`` maps names to classes and functions of the user's; ``facts`` may name the signature.
    Raises PocketganError for what
    would run code (without ``allow_unsafe``), for damage, and where no single signature draws.
    """
    stored = _stored(path)
    if not allow_unsafe:
        _refuse_unsafe_operations(path, stored)
    is_default = facts.signature in (None, DEFAULT)
    model = _keras_model(path, custom, allow_unsafe=allow_unsafe) if is_default else None
    if model is not None and functional(model) is not None:
        return from_keras_model(model, f"SavedModel {path.name} of Keras 2", path)
    loaded = _load_signature(path, _tags(stored), facts)
    return replace(loaded, precision=_precision(stored))


def _keras_model(path: Path, custom: Mapping[str, Any], *, allow_unsafe: bool) -> Any | None:
    """The tf_keras model in the folder; None where there is none, or none that can be read."""
    if not (path / _KERAS_METADATA).is_file():
        return None
    if not allow_unsafe:
        refuse_unsafe(path, _configurations(path))
    try:
        with tf_keras.saving.custom_object_scope({**KNOWN, **custom}):
            return tf_keras.models.load_model(path, compile=False)
    except Exception:  # whatever a foreign file makes the reader raise; its graph is there still
        return None


def _configurations(path: Path) -> list[Any]:
    try:
        stored = saved_metadata_pb2.SavedMetadata.FromString((path / _KERAS_METADATA).read_bytes())
        return [json.loads(node.metadata) for node in stored.nodes if node.metadata]
    except (DecodeError, ValueError, RecursionError) as error:
        raise PocketganError(f"{path / _KERAS_METADATA} is damaged.", COPY_AGAIN) from error


def _stored(path: Path) -> Any:
    """The folder's graphs, not loaded; PocketganError where they are damaged."""
    try:
        return saved_model_pb2.SavedModel.FromString((path / SAVED_MODEL).read_bytes())
    except DecodeError as error:
        raise PocketganError(f"{path / SAVED_MODEL} is damaged.", COPY_AGAIN) from error


def _tags(stored: Any) -> list[str] | None:
    """Which of several graphs draws, as TensorFlow 1 may save; None where there is one."""
    sets = [list(meta.meta_info_def.tags) for meta in stored.meta_graphs]
    if len(sets) < 2:
        return None
    return _SERVED if _SERVED in sets else min(sets, key=len)


def _precision(stored: Any) -> str:
    """The coarsest type in which its graphs compute."""
    graphs = [meta.graph_def for meta in stored.meta_graphs]
    types = {node.attr["T"].type for node in _nodes(graphs) if "T" in node.attr}
    halves = (tf.bfloat16, tf.float16)
    return next((half.name for half in halves if half.as_datatype_enum in types), "float32")


def _nodes(graphs: Sequence[Any]) -> list[Any]:
    """Of graphs, those within their functions too."""
    functions = (each for graph in graphs for each in graph.library.function)
    return [node for graph in graphs for node in graph.node] + [
        node for each in functions for node in each.node_def
    ]


def _refuse_unsafe_operations(path: Path, stored: Any) -> None:
    """PocketganError for operations that run Python or touch files."""
    _refuse_unsafe_graphs(path, [meta.graph_def for meta in stored.meta_graphs])


def refuse_unsafe_graph(path: Path) -> None:
    """The same of a file with a GraphDef."""
    _refuse_unsafe_graphs(path, [tf.compat.v1.GraphDef.FromString(path.read_bytes())])


def _refuse_unsafe_graphs(path: Path, graphs: Sequence[Any]) -> None:
    unsafe = safety.unsafe_operations(node.op for node in _nodes(graphs))
    if unsafe:
        raise PocketganError(
            f"{path} would run code or touch files when it draws: {', '.join(unsafe)}.", UNSAFE
        )


def _load_signature(path: Path, tags: list[str] | None, facts: StatedFacts) -> LoadedGenerator:
    """What the folder's signature computes; PocketganError where there is no single one."""
    try:
        restored = tf.saved_model.load(str(path), tags)
    except Exception as error:  # whatever a foreign file makes the reader raise
        raise PocketganError(f"{path} cannot be loaded: {reason(error)}", _SAVE_ANEW) from error
    function = _signature(path, restored.signatures, facts)
    specs = dict(function.structured_input_signature[1])
    _refuse_without_batch(path, specs)
    shapes = [_channels_last(spec.shape) for spec in specs.values()]
    inputs = tuple(
        ModelInput.declared(name, shape, among=shapes, dtype=spec.dtype.name)
        for (name, spec), shape in zip(specs.items(), shapes, strict=True)
    )
    batches = {
        spec.shape[0] for each, spec in zip(inputs, specs.values(), strict=True) if each.has_batch
    }
    if len(batches) > 1:
        raise PocketganError(f"{path}: its inputs have different batch sizes.", _SAVE_ANEW)

    def compute(*tensors: Any) -> list[Any]:
        _alive = restored  # a signature does not keep its own variables
        own = [
            tf.transpose(tensor, TO_FIRST) if _is_first(spec.shape) else tensor
            for tensor, spec in zip(tensors, specs.values(), strict=True)
        ]
        outputs = function(**dict(zip(specs, own, strict=True))).values()
        return [tf.transpose(each, TO_LAST) if _is_first(each.shape) else each for each in outputs]

    weights = tuple((variable.name, variable.numpy()) for variable in function.variables)
    return LoadedGenerator(
        origin=f"SavedModel {path.name}",
        inputs=inputs,
        compute=compute,
        weights=weights,
        layers=(
            SourceLayer(
                name="the whole graph",
                type="SavedModel",
                shape=tuple(next(iter(function.structured_outputs.values())).shape),
                weights=sum(values.size for _, values in weights),
            ),
        ),
        batch=next(iter(batches)),
        outputs=tuple(function.structured_outputs),
    )


def _is_first(shape: tf.TensorShape) -> bool:
    """Of maps as converters from PyTorch leave them; Keras has its channels last."""
    return shape.rank is not None and channels_first(tuple(shape), unless_clear=False)


def _channels_last(shape: tf.TensorShape) -> tuple[int | None, ...]:
    """With its channels behind the map."""
    return tuple(shape[axis] for axis in TO_LAST) if _is_first(shape) else tuple(shape)


def _refuse_without_batch(path: Path, specs: Mapping[str, tf.TensorSpec]) -> None:
    without = all(spec.shape.rank == 0 for spec in specs.values())
    for name, spec in specs.items():
        is_one_picture = spec.shape.rank == 3 and spec.shape[-1] in COLOURS
        if spec.shape.rank is None or without or is_one_picture:
            raise PocketganError(
                f"{path}: its input '{printable(name)}' has no batch: its shape is {spec.shape}.",
                "Save it with a signature of shapes such as tf.TensorSpec([None, 100]): latents, "
                "or pictures [None, H, W, C]; in TensorFlow 1 tf.placeholder(tf.float32, "
                "[None, 100]).",
            )


def _signature(path: Path, signatures: Mapping[str, Any], facts: StatedFacts) -> Any:
    """The function that draws; TensorFlow's default one where ``facts`` name none."""
    if not signatures:
        raise PocketganError(
            f"{path} has no signature that could draw.",
            "Save it with tf.saved_model.save(module, folder, signatures=module.draw), in "
            "TensorFlow 1 with tf.saved_model.simple_save(session, folder, {'z': z}, "
            "{'picture': picture}).",
        )
    if facts.signature is None and DEFAULT in signatures:
        return signatures[DEFAULT]
    dimensions = {
        name: Dimensions(
            [spec.shape.rank for spec in signatures[name].structured_input_signature[1].values()],
            [spec.shape.rank for spec in signatures[name].structured_outputs.values()],
        )
        for name in sorted(signatures)
    }
    return signatures[chosen_signature(path, dimensions, facts) or DEFAULT]
