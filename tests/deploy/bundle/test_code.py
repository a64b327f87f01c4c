"""The code files run: what they draw is what the bundle says."""

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.bundle import schema
from deploy.bundle.drawing import to_pixels, unwire
from deploy.bundle.make import GOLDEN, BundleContents, make

Orders = Callable[..., BundleContents]
Bundles = Callable[[str, int, int], dict[str, bytes]]
Put = Callable[[dict[str, bytes], Path], Path]

KINDS = [("int8", 3, 1), ("int8", 0, 3), ("int16", 3, 1), ("float32", 3, 3)]
HOSTILE = ('a"; import os #', "\\", "$x ${y} \\(z)", "line\nbreak */ ??/", "日本語")


@pytest.fixture(params=KINDS, ids=lambda kind: "-".join(map(str, kind)))
def bundle(
    request: pytest.FixtureRequest, bundle_of: Bundles, put: Put, tmp_path: Path
) -> tuple[Path, schema.Model]:
    """A bundle's folder and its model.json, of each kind in turn."""
    contents = bundle_of(*request.param)
    return put(contents, tmp_path / "bundle"), schema.loads(contents["model.json"])


def _golden(folder: Path, model: schema.Model, name: str) -> np.ndarray:
    shape = (GOLDEN, *model.output.shape[1:])
    return unwire((folder / "golden" / name).read_bytes(), model.output.dtype, shape)


def _side_by_side(pictures: np.ndarray) -> bytes:
    return np.concatenate(list(pictures), axis=1).tobytes()


# ---------------------------------------------------------------------- Python


def test_python_draws_the_golden_pictures_from_their_seeds(
    bundle: tuple[Path, schema.Model],
) -> None:
    folder, model = bundle
    command = [sys.executable, "code/generator.py", "generator.tflite", "0", str(GOLDEN)]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    header, pixels = done.stdout.split(b" 255\n", 1)
    kind = b"P5" if model.channels == 1 else b"P6"
    assert header == kind + b" %d %d" % (GOLDEN * model.picture_width, model.height)
    golden = to_pixels(_golden(folder, model, "outputs.bin"), model.output, model.pixels)
    assert pixels == _side_by_side(golden)


def test_python_serves_as_a_module(bundle: tuple[Path, schema.Model]) -> None:
    folder, model = bundle
    scope: dict[str, object] = {"__name__": "generator"}
    exec(compile((folder / "code/generator.py").read_text(), "generator.py", "exec"), scope)
    generator = scope["Generator"](str(folder / "generator.tflite"))  # type: ignore[operator]
    golden = to_pixels(_golden(folder, model, "outputs.bin"), model.output, model.pixels)
    assert generator.draw(0).tolist() == golden[0].tolist()
    assert generator.draw(2**64 - 1).dtype == np.uint8
    if model.latent.classes:
        with pytest.raises(IndexError):
            generator.draw(0, model.latent.classes)


def test_python_is_short(parts: dict[str, bytes]) -> None:
    source = parts["code/generator.py"].decode()
    assert len(source.splitlines()) <= 70
    assert max(map(len, source.splitlines())) <= 100


# ---------------------------------------------------------------------- C++


def test_cpp_draws_the_golden_outputs_and_pictures(
    bundle: tuple[Path, schema.Model], compiled: Callable[[Path], Path]
) -> None:
    folder, model = bundle
    program = str(compiled(folder))
    with (folder / "golden/inputs.bin").open("rb") as inputs:
        done = subprocess.run(
            [program, "generator.tflite"], stdin=inputs, cwd=folder, capture_output=True, check=True
        )
    assert done.stdout == (folder / "golden/plain.bin").read_bytes()
    golden = to_pixels(_golden(folder, model, "plain.bin"), model.output, model.pixels)
    for seed in range(GOLDEN):
        label = [str(seed % model.latent.classes)] if model.latent.classes else []
        done = subprocess.run(
            [program, "generator.tflite", str(seed), *label],
            cwd=folder,
            capture_output=True,
            check=True,
        )
        header, pixels = done.stdout.split(b" 255\n", 1)
        assert header == b"%s 6 6" % (b"P5" if model.channels == 1 else b"P6")
        assert pixels == golden[seed].tobytes()


def test_cpp_says_what_is_wrong(
    parts: dict[str, bytes], put: Put, tmp_path: Path, compiled: Callable[[Path], Path]
) -> None:
    folder = put(parts, tmp_path)
    program = str(compiled(folder))
    for arguments, code, answer in (
        (["a", "b", "c", "d"], 2, "class 2: kind 2"),
        (["nowhere.tflite", "1", "2"], 1, "nowhere.tflite is no TensorFlow Lite file"),
        (["generator.tflite", "1", "3"], 1, "there is no such class"),
    ):
        done = subprocess.run(
            [program, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert (done.returncode, done.stdout) == (code, "")
        assert answer in done.stderr


# ---------------------------------------------------------------------- all


def test_names_of_classes_are_only_text_in_every_language(
    order_of: Orders, put: Put, tmp_path: Path, compiled: Callable[[Path], Path]
) -> None:
    order = order_of(classes=5, class_names=HOSTILE, name='evil\n#*/name"""; x \\')
    contents = make(replace(order, data=order.data.model_copy(update={"name": '"""; x \\'})))
    labels = [name.replace("\n", "\N{REPLACEMENT CHARACTER}") for name in HOSTILE]
    python = contents["code/generator.py"].decode()
    lists = [node.value for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Assign)]
    assert labels in [ast.literal_eval(value) for value in lists if isinstance(value, ast.List)]
    kotlin = contents["code/Generator.kt"].decode()
    assert '"\\$x \\${y} \\\\(z)"' in kotlin
    assert '"$x ${y} \\\\(z)"' in contents["code/Generator.swift"].decode()
    folder = put(contents, tmp_path)
    done = subprocess.run([compiled(folder), "1", "2"], capture_output=True, text=True)
    for number, name in enumerate(labels):
        assert f"class {number}: {name}\n" in done.stderr


@pytest.mark.parametrize("language", ["Generator.kt", "Generator.swift"])
def test_apps_code_holds_the_numbers_of_model_json(
    language: str, parts: dict[str, bytes], model: schema.Model
) -> None:
    source = parts[f"code/{language}"].decode()
    for number in (model.input.scale, model.input.zero_point, model.output.scale):
        assert repr(number) in source
    assert '"kind 0", "kind 1", "kind 2"' in source
    assert "{{" not in source
    assert "{%" not in source
    assert source.count("{") == source.count("}")
