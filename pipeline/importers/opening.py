"""A generator of any format, loaded by what reads that format."""

from dataclasses import replace
from pathlib import Path

from pipeline.importers import keras_files
from pipeline.importers.formats import Format, GeneratorSource, format_of
from pipeline.importers.loaded import LoadedGenerator, from_keras_model
from pipeline.importers.model_input import fix_size
from pipeline.importers.onnx_files.loading import load_onnx
from pipeline.importers.saved_models import load_saved_model
from pipeline.importers.tfjs_files.loading import load_tfjs
from pipeline.importers.tflite_files import load_tflite


def open_generator(
    source: GeneratorSource,
    custom: Path | None,
    input_size: tuple[int, int] | None = None,
    *,
    allow_unsafe: bool,
) -> LoadedGenerator:
    """The model, loaded but not tried out.

    ``custom`` is a Python file that defines layers; ``input_size`` is the height and width of the
    pictures that it reads, where it takes any. Raises PocketganError for whatever is no model, is
    damaged, needs layers that nobody knows, or would run code when loaded (unless
    ``allow_unsafe``).
    """
    loaded = _loaded(source, custom, input_size, allow_unsafe=allow_unsafe)
    return replace(loaded, inputs=fix_size(source.path, loaded.inputs, input_size))


def _loaded(
    source: GeneratorSource,
    custom: Path | None,
    input_size: tuple[int, int] | None,
    *,
    allow_unsafe: bool,
) -> LoadedGenerator:
    file = source.file
    file_format = format_of(file)
    objects = keras_files.load_custom(custom) if custom else {}
    if file_format is Format.SAVED_MODEL:
        return load_saved_model(file, objects, allow_unsafe=allow_unsafe)
    if file_format is Format.TFJS:
        return load_tfjs(file, objects, allow_unsafe=allow_unsafe)
    if file_format is Format.ONNX:
        return load_onnx(file, input_size)
    if file_format is Format.TFLITE:
        return load_tflite(file)
    stored = keras_files.open_file(file, file_format)
    origin = source.origin or f"{file_format.value} {file.name}, written by Keras {stored.version}"
    model = stored.load(objects, allow_unsafe=allow_unsafe)
    return from_keras_model(model, origin, source.path)
