import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.importers.tfjs_files import model_json

Refused = Callable[..., str]
SPEC = {"name": "w", "shape": [2], "dtype": "float32"}


def write(folder: Path, manifest: Any, content: bytes = bytes(8), **more: Any) -> Path:
    (folder / "w.bin").write_bytes(content)
    path = folder / "model.json"
    document = {"modelTopology": {"node": []}, "weightsManifest": manifest, **more}
    path.write_text(json.dumps(document))
    return path


def group(name: str = "w.bin", **spec: Any) -> dict[str, Any]:
    return {"paths": [name], "weights": [{**SPEC, **spec}]}


def read(path: Path) -> Any:
    return model_json.read_weights(model_json.read(path))


def test_several_groups_and_optimizers_are_told_apart(tmp_path: Path) -> None:
    both = [group(), {"paths": ["w.bin"], "weights": [{**SPEC, "name": "v", "group": "optimizer"}]}]
    assert list(read(write(tmp_path, both))) == ["w"]
    assert model_json.files_of(model_json.read(tmp_path)) == [
        tmp_path / name for name in ("model.json", "w.bin", "w.bin")
    ]


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../w.bin", "a/../../w.bin", "https://example.org/w.bin", "C:/w.bin"]
)
def test_weights_outside_the_folder_are_refused(
    name: str, tmp_path: Path, refused: Refused
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(8))
    assert "outside its folder" in refused(read, write(folder, [group(name)]))


def test_link_out_of_the_folder_is_refused(tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(8))
    (folder / "link.bin").symlink_to(tmp_path / "secret")
    assert "outside its folder" in refused(read, write(folder, [group("link.bin")]))


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ([group("v.bin")], "v.bin, which holds weights, is missing"),
        ([group(shape=[3])], "12 bytes long"),
        ([group(shape=[10**12, 10**12])], "bytes long"),
        ([group(shape=[1])], "have 8"),
        ([group(shape=[-2])], "is damaged"),
        ([group(shape=[2.0])], "is damaged"),
        ([group(dtype="float9")], "is damaged"),
        ([group(dtype="string")], "are text"),
        ([group(quantization={"dtype": "uint8"}, shape=[8])], "is damaged"),
        ([group(), group()], "two weights are called w"),
        ([{"paths": [3], "weights": []}], "is damaged"),
        ([{"weights": []}], "is damaged"),
        (["x"], "is damaged"),
    ],
)
def test_weights_that_are_missing_or_odd_are_refused(
    manifest: Any, expected: str, tmp_path: Path, refused: Refused
) -> None:
    message = refused(read, write(tmp_path, manifest))
    assert expected in message
    assert str(tmp_path) in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"modelTopology": {', "no whole JSON"),
        ('{"a":' * 100_000, "no whole JSON"),
        ('{"a": 1}', "no modelTopology"),
        ("[1]", "no modelTopology"),
        ('{"modelTopology": {}}', "no weightsManifest"),
        ('{"class_name": "Functional", "config": {}}', "without its weights"),
    ],
)
def test_other_json_is_told_what_it_lacks(
    content: str, expected: str, tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "model.json"
    path.write_text(content)
    assert expected in refused(model_json.read, path)
