"""Which reader opens a generator: by what lies there."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import guard
from pipeline.importers import keras_files
from pipeline.importers.formats import Format, GeneratorSource, format_of
from pipeline.importers.input_signs import refuse_unknown
from pipeline.importers.loaded import (
    LoadedGenerator,
    from_keras_model,
    refuse_broken,
    with_output,
)
from pipeline.importers.missing import StatedFacts
from pipeline.importers.model_input import fix_size
from pipeline.importers.saved_models import load_saved_model
from pipeline.importers.signatures import chosen_signature
from pipeline.importers.tfjs_files.loading import load_tfjs
from pipeline.importers.tflite_files import load_tflite

_OF_SIGNATURES = (Format.SAVED_MODEL, Format.TFLITE)
_DAMAGED = "Save the generator again, or copy it again and compare the sizes."


def open_generator(
    source: GeneratorSource,
    custom: Path | None,
    *,
    facts: StatedFacts | None = None,
    allow_unsafe: bool,
) -> LoadedGenerator:
    """The model, loaded but not tried out.

    ``custom`` is the user's file of layers; ``facts`` what a person says beside the file. Raises
    PocketganError for whatever is no model, is damaged or broken, needs layers that nobody knows,
    has no input or output of a name in ``facts``, or would run code when loaded (unless
    ``allow_unsafe``).
    """
    facts = facts or StatedFacts()
    file_format = format_of(source.file)
    objects = keras_files.load_custom(custom) if custom else {}
    if file_format not in _OF_SIGNATURES:
        chosen_signature(source.path, {}, facts)
    with guard.step("loaded", source.path, _DAMAGED):
        if file_format is Format.ONNX:
            from pipeline.importers.onnx_files.loading import load_onnx  # it takes its time

            loaded = load_onnx(source.file, facts)
        elif file_format is Format.TFLITE:
            loaded = load_tflite(source.file, facts)
        else:
            loaded = _load_keras(
                source, file_format, objects=objects, facts=facts, allow_unsafe=allow_unsafe
            )
    refuse_broken(source.path, loaded)
    refuse_unknown(source.path, [*(each.name for each in loaded.inputs), *loaded.fixed], facts)
    inputs = fix_size(source.path, loaded.inputs, facts.input_size)
    return with_output(source.path, replace(loaded, inputs=inputs), facts.output)


def _load_keras(
    source: GeneratorSource,
    file_format: Format,
    *,
    objects: Mapping[str, Any],
    facts: StatedFacts,
    allow_unsafe: bool,
) -> LoadedGenerator:
    """Of the formats that may name layers of the user's."""
    file = source.file
    if file_format is Format.SAVED_MODEL:
        return load_saved_model(file, objects, facts=facts, allow_unsafe=allow_unsafe)
    if file_format is Format.TFJS:
        return load_tfjs(file, objects, allow_unsafe=allow_unsafe)
    stored = keras_files.open_file(file, file_format)
    origin = source.origin or f"{file_format.value} {file.name}, written by Keras {stored.version}"
    model = stored.load(objects, allow_unsafe=allow_unsafe)
    notes = (
        f"its class {name} is taken for the graph of layers in the file (if it overrides call, "
        "give it with --custom)"
        for name in stored.graph_classes(objects)
    )
    return replace(from_keras_model(model, origin, source.path), notes=tuple(notes))
