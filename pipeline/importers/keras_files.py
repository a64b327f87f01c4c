"""Models of Keras 2 and 3 in .keras and HDF5 files; custom layers.

What is stored is looked at first; only then is a file loaded.
"""

import importlib.util
import io
import json
import sys
import warnings
import zipfile
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf
import tf_keras
from tf_keras.src.layers import serialization
from tf_keras.src.saving.legacy import hdf5_format

from deploy.errors import PocketganError, one_line
from pipeline.compression.fake_quantization import quantize_scope
from pipeline.importers import safety
from pipeline.importers.formats import Format, cut_short
from pipeline.importers.known_layers import custom_objects, known_in
from pipeline.importers.lambdas import give_usual_names
from pipeline.importers.subclassed import ONE_CALL
from pipeline.networks import layers as _our_layers  # noqa: F401  so that Keras knows them

REGISTER = (
    "Put its class or function into a Python file that begins with `{}`; give that with --custom "
    "FILE."
)
_IMPORTS = {True: "import keras", False: "import tf_keras as keras"}
UNSAFE = (
    "Ask its author for the model without them. If you trust the file as you trust a program, "
    "load it with --allow-unsafe."
)
COPY_AGAIN = "Save or copy the model again."
_CUT_SHORT = (zipfile.BadZipFile, EOFError, OSError)
"""What files raise whose end is missing."""


@dataclass(frozen=True)
class KerasFile:
    """A model as a file holds it, not loaded yet."""

    path: Path
    config: Any
    """The stored configuration: JSON."""
    version: str
    """Of the Keras that wrote it; "2" where the file does not say."""

    @property
    def is_of_keras_3(self) -> bool:
        return self.version.startswith("3")

    def load(self, custom: Mapping[str, Any], *, allow_unsafe: bool) -> Any:
        """The model: of keras where Keras 3 wrote it, of tf_keras otherwise.

        ``custom`` maps names to classes and functions of the user's. Raises PocketganError for code
        in the file (without ``allow_unsafe``), unknown custom layers, and damage.
        """
        library = self._library
        custom = custom_objects(self._class_names(), custom)
        if not self.is_of_keras_3:
            custom = {**known_in(safety.parts(self.config)), **custom}
        graphs = {name: type(name, (library.Model,), {}) for name in self.graph_classes(custom)}
        custom = {**graphs, **custom}
        if not allow_unsafe:
            refuse_unsafe(self.path, self.config)
            self._refuse_unknown(library, custom)
        self._refuse_other_generation(custom)
        try:
            with warnings.catch_warnings(), quantize_scope():
                warnings.simplefilter("ignore")
                return self._read(library, dict(custom), safe=not allow_unsafe)
        except PocketganError:
            raise
        except OSError as error:  # of HDF5's library: the numbers behind a sound configuration
            raise _damaged(self.path, error) from error
        except Exception as error:  # whatever a foreign file makes the reader raise
            is_of_arguments = "call()` your model" in str(error)
            raise PocketganError(
                f"{self.path} cannot be loaded: {reason(error)}",
                ONE_CALL if is_of_arguments else f"Is a layer of it your own? {self._register}",
            ) from error

    def graph_classes(self, custom: Mapping[str, Any]) -> list[str]:
        """Unknown classes of models that the file describes as graphs of layers.

        Keras writes a model so whose class has a training step of its own, and not how it is built.
        """
        return [
            name
            for name in safety.graphs(self.config)
            if not self._is_known(name, custom) and name not in _names_of_keras_2()
        ]

    @property
    def _library(self) -> Any:
        return keras if self.is_of_keras_3 else tf_keras

    def _is_known(self, name: str, custom: Mapping[str, Any]) -> bool:
        return name in custom or self._library.saving.get_registered_object(name) is not None

    def _read(self, library: Any, custom: dict[str, Any], *, safe: bool) -> Any:
        if not safe:
            give_usual_names(library, custom)
        if library is tf_keras and h5py.is_hdf5(self.path):
            named = _with_functions_by_name(self.config)
            if named != self.config:
                return _of_keras_2(self.path, named, custom)
        return library.models.load_model(self.path, custom, compile=False, safe_mode=safe)

    def _refuse_unknown(self, library: Any, custom: Mapping[str, Any]) -> None:
        is_known = partial(self._is_known, custom=custom)
        unknown = safety.unknown_parts(self.config, is_known)
        unknown += [
            name
            for name in safety.bare_layers(self.config)
            if not (is_known(name) or ">" in name or hasattr(library.layers, name))
            and name not in _names_of_keras_2()
        ]
        unknown += [
            name
            for name in safety.functions(self.config)
            if not (is_known(name) or hasattr(library.activations, name) or hasattr(tf.nn, name))
        ]
        if unknown:
            raise PocketganError(
                f"{self.path} holds layers or functions that nobody here knows: "
                f"{', '.join(dict.fromkeys(unknown))}.",
                self._register,
            )

    @property
    def _register(self) -> str:
        """How the user's own classes are given."""
        return REGISTER.format(_IMPORTS[self.is_of_keras_3])

    def _class_names(self) -> set[str]:
        """Of all classes and functions that the file names, with their packages."""
        return {
            str(part.get("registered_name") or part["class_name"])
            for part in safety.parts(self.config)
        }

    def _refuse_other_generation(self, custom: Mapping[str, Any]) -> None:
        other = (tf_keras if self.is_of_keras_3 else keras).layers.Layer
        named = {part["class_name"].split(">")[-1] for part in safety.parts(self.config)}
        for name, value in custom.items():
            if name in named and isinstance(value, type) and issubclass(value, other):
                wanted = _IMPORTS[self.is_of_keras_3]
                raise PocketganError(
                    f"{self.path} was written by Keras {self.version}, and --custom defines "
                    f"{name} for another Keras.",
                    f"Write `{wanted}` at the top of that file.",
                )


def _with_functions_by_name(config: Any) -> Any:
    """A stored configuration with functions as the reader of HDF5 in Keras 2 takes them.

    Since 2.13 it writes a person's own activations in a way that it cannot read.
    """
    if isinstance(config, list):
        return [_with_functions_by_name(each) for each in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "function" and isinstance(config.get("config"), str):
        return config["config"]
    return {key: _with_functions_by_name(value) for key, value in config.items()}


def _of_keras_2(path: Path, config: Any, custom: Mapping[str, Any]) -> Any:
    """The model of that configuration, with the weights in an HDF5 file."""
    model = tf_keras.models.model_from_json(json.dumps(config), custom)
    with h5py.File(path, "r") as file:
        hdf5_format.load_weights_from_hdf5_group(file["model_weights"], model)
    return model


def refuse_unsafe(path: Path, config: Any) -> None:
    """PocketganError if the stored configuration would run code or read other files."""
    unsafe = safety.unsafe_parts(config)
    if unsafe:
        raise PocketganError(
            f"{path} would run code or read other files when loaded: {'; '.join(unsafe)}.", UNSAFE
        )


def open_file(path: Path, file_format: Format) -> KerasFile:
    """Look at a .keras or HDF5 file; PocketganError where it is damaged or holds weights only."""
    try:
        return _open_archive(path) if file_format is Format.KERAS else _open_hdf5(path)
    except PocketganError:
        raise
    except _CUT_SHORT as error:
        raise cut_short(path) from error
    except Exception as error:  # h5py raises nearly anything for a damaged file
        raise _damaged(path, error.__cause__ or error) from error


def _damaged(path: Path, error: BaseException) -> PocketganError:
    return PocketganError(f"{path} is damaged: {reason(error)}", COPY_AGAIN)


def _open_archive(path: Path) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
        if broken:
            raise zipfile.BadZipFile(broken)
        metadata = json.loads(archive.read("metadata.json"))
        config = json.loads(archive.read("config.json"))
        with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights:
            _refuse_other_files(path, weights)
    return KerasFile(path, config, str(metadata["keras_version"]))


def _open_hdf5(path: Path) -> KerasFile:
    with h5py.File(path, "r") as file:
        _refuse_other_files(path, file)
        if "model_config" not in file.attrs:
            raise PocketganError(
                f"{path} holds weights only, and not what to do with them.",
                "Save the whole model: model.save('generator.keras').",
            )
        config = json.loads(file.attrs["model_config"])
        version = file.attrs.get("keras_version", "2")
    return KerasFile(path, config, version.decode() if isinstance(version, bytes) else version)


def _refuse_other_files(path: Path, file: Any) -> None:
    """HDF5 may take its numbers from another file of the reader's machine (CVE-2026-1669)."""
    external: list[str] = []

    def visit_link(name: str, link: Any) -> None:
        if isinstance(link, h5py.ExternalLink):
            external.append(name)

    def visit_item(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            external.append(name)

    file.visititems_links(visit_link)
    file.visititems(visit_item)
    if external:
        raise PocketganError(
            f"{path} takes '{external[0]}' from another file.", "Ask its author for a whole file."
        )


def _names_of_keras_2() -> Container[str]:
    """Every class that tf_keras makes of a name alone: layers, operations, models."""
    serialization.populate_deserializable_objects()
    names: Container[str] = serialization.LOCAL.ALL_OBJECTS
    return names


def reason(error: BaseException) -> str:
    """Kind and message of an error, in one line."""
    return f"{type(error).__name__}: {one_line(error, 300)}"


def load_custom(path: Path) -> dict[str, Any]:
    """Run the user's file; name → class or function that it defines.

    Raises PocketganError where the file is missing or fails.
    """
    if not path.is_file():
        raise PocketganError(f"--custom {path}: there is no such file.", "Name a Python file.")
    name = f"custom_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PocketganError(f"--custom {path} is no Python file.", "Its name must end with .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        raise PocketganError(
            f"--custom {path} fails: {type(error).__name__}: {error}", "Mend the file."
        ) from error
    return {
        key: value
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == name
    }
