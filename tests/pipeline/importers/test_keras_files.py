"""Damage anywhere in a file becomes one message, whatever the libraries raise."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from deploy.errors import PocketganError
from pipeline.importers.formats import Format
from pipeline.importers.keras_files import COPY_AGAIN, KerasFile, open_file

STEP, DAMAGE = 11, b"\xff" * 6
"""Every so many bytes of a small file are overwritten, and with what."""


def weights() -> bytes:
    """An HDF5 file of two layers' kernels that says what to do with them."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {}})
        for layer in ("dense", "conv"):
            file[f"layers/{layer}/vars/0"] = [1.0, 2.0]
    return content.getvalue()


def damaged() -> Iterator[bytes]:
    sound = weights()
    for start in range(0, len(sound), STEP):
        yield sound[:start] + DAMAGE + sound[start + len(DAMAGE) :]


def archive(content: bytes) -> bytes:
    """The .keras file around an HDF5 file."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as parts:
        parts.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        parts.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {}}))
        parts.writestr("model.weights.h5", content)
    return whole.getvalue()


@pytest.mark.parametrize("file_format", [Format.HDF5, Format.KERAS])
def test_any_damage_of_the_weights_is_one_message(tmp_path: Path, file_format: Format) -> None:
    path, messages = tmp_path / "g", []
    for content in damaged():
        path.write_bytes(content if file_format is Format.HDF5 else archive(content))
        try:
            open_file(path, file_format)
        except PocketganError as error:
            messages.append(error.problem)
    assert any("OverflowError" in message or "RuntimeError" in message for message in messages)
    assert not any("SystemError" in message for message in messages)
    assert all(str(path) in message for message in messages)


def test_numbers_that_cannot_be_read_are_damage_not_a_layer_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> None:
        raise OSError("Can't synchronously read data")

    path = tmp_path / "g.h5"
    path.write_bytes(weights())
    monkeypatch.setattr(KerasFile, "_read", read)
    with pytest.raises(PocketganError, match="is damaged: OSError") as error:
        open_file(path, Format.HDF5).load({}, allow_unsafe=False)
    assert error.value.remedy == COPY_AGAIN
