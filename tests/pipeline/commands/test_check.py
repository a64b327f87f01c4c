import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import pytest

from pipeline.cli import main

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """A function that runs check: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["check", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    return run


def test_check_shows_layers_and_verdict(files: Mapping[str, Path], ask: Ask) -> None:
    code, out, err = ask(files["conditional.keras"], "--classes", 3)
    assert (code, err) == (0, "")
    assert "Conv2DTranspose" in out
    assert "6 latents and a class of 3, one-hot" in out
    assert "can be compressed: slimming and edge students" in " ".join(out.split())


def test_check_as_json_is_one_document(files: Mapping[str, Path], ask: Ask) -> None:
    code, out, err = ask(files["unet.keras"], "--input-pixels", -1, 1, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["slimming"] is False
    assert answer["input_pixels"] == [-1, 1]
    assert {layer["fate"] for layer in answer["layers"]} >= {"supported", "replaced in the student"}
    assert answer["files"][1]["variant"] == "int8-ptq"


def test_custom_file_is_an_option(files: Mapping[str, Path], custom: Path, ask: Ask) -> None:
    code, out, _ = ask(files["subclassed.keras"], "--custom", custom)
    assert code == 0
    assert "edge students only" in " ".join(out.split())


def test_size_of_pictures_is_an_option(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "free.keras"
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, padding="same")]
    keras.Sequential([*layers, keras.layers.Activation("tanh")]).save(path)
    code, _, err = ask(path, "--input-pixels", -1, 1)
    assert code == 2
    assert "--input-size 256x256" in err
    code, out, _ = ask(path, "--input-pixels", -1, 1, "--input-size", "12x12", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["input_shape"] == [12, 12, 3]
    assert answer["layers"][0]["shape"] == [None, 12, 12, 3]
    code, out, _ = ask(path, "--input-pixels", -1, 1, "--input-size", "12x8", "--json")
    assert code == 0
    assert json.loads(out)["output_shape"] == [8, 12, 3]


def test_size_that_cannot_be_is_one_message(files: Mapping[str, Path], ask: Ask) -> None:
    reads_pictures = (files["unet.keras"], "--input-pixels", -1, 1)
    assert ask(*reads_pictures, "--input-size", "16x16")[0] == 0
    for size, expected in (("8x8", "reads no pictures 8x8"), ("8", "width x height")):
        code, out, err = ask(*reads_pictures, "--input-size", size)
        assert (code, out) == (2, "")
        assert expected in err
    assert "Leave --input-size out" in ask(files["dcgan.keras"], "--input-size", "8x8")[2]


def test_what_is_no_generator_is_one_message_and_exit_code_2(tmp_path: Path, ask: Ask) -> None:
    code, out, err = ask(tmp_path / "nowhere.keras")
    assert (code, out) == (2, "")
    assert err.startswith("pocketgan: ")
    assert "nowhere.keras" in err


def test_pictures_with_alpha_are_laid_on_white_by_the_command_in_the_message(
    k3: Callable[..., Path], ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = keras.layers
    path = k3((4,), layers.Dense(256, "tanh"), layers.Reshape((8, 8, 4)))
    for command in ("check", "compress"):
        code = main([command, str(path)])
        err = " ".join(capsys.readouterr().err.split())
        assert code == 2
        assert "it draws colour with alpha" in err
        words = shlex.split(err[err.index(f"pocketgan {command}") :])
        assert words[2:4] == [str(path), "--on-white"]
    code, out, err = ask(path, "--on-white", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["output_shape"] == [8, 8, 3]
    assert any("laid on white" in note for note in json.loads(out)["notes"])


def test_on_white_without_alpha_is_one_message_whose_remedy_works(
    files: Mapping[str, Path], ask: Ask
) -> None:
    code, _, err = ask(files["dcgan.keras"], "--on-white")
    assert code == 2
    assert "without alpha. Leave --on-white out." in err
    assert ask(files["dcgan.keras"])[0] == 0


def test_refusal_as_json_is_one_document(tmp_path: Path, ask: Ask) -> None:
    code, out, err = ask(tmp_path / "nowhere.keras", "--json")
    assert (code, err) == (2, "")
    answer = json.loads(out)
    assert answer["verdict"].startswith("cannot be: ")
    assert answer["remedy"]


@pytest.mark.parametrize("bad", [("--pixels", 1), ("--classes", "x"), ("--classes", -1)])
def test_bad_option_is_one_message(
    bad: tuple[object, ...], files: Mapping[str, Path], ask: Ask
) -> None:
    code, out, err = ask(files["dcgan.keras"], *bad)
    assert (code, out) == (2, "")
    assert err.startswith("pocketgan: ")


def test_command_in_the_message_has_all_that_is_missing_and_works_word_for_word(
    foreign_inputs: Mapping[str, Callable[[Any], Any]], tmp_path: Path, ask: Ask
) -> None:
    path = tmp_path / "a model.keras"
    foreign_inputs["any_size"](keras).save(path)
    code, out, err = ask(path)
    assert (code, out) == (2, "")
    command = shlex.split(err[err.index("pocketgan check") :])
    assert command[:3] == ["pocketgan", "check", str(path)]
    assert command[3:] == shlex.split("--input-size 256x256 --input-pixels -1 1 --pixels -1 1")
    code, out, err = ask(*command[2:], "--json")
    assert (code, err) == (0, "")
    assert [(part["kind"], part["size"]) for part in json.loads(out)["inputs"]] == [
        ("picture", 3),
        ("mask", 1),
    ]


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_channels_of_a_picture_are_asked_for_by_a_command_that_works(
    channels: int, k3: Callable[..., Path], ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    path = k3((8, 8, channels), keras.layers.Conv2D(3, 3, padding="same", activation="tanh"))
    pixels = ("--input-pixels", "-1", "1")
    for command, more in (("check", ()), ("compress", ("--inputs", "photos"))):
        assert main([command, str(path), *pixels, *more]) == 2
        err = " ".join(capsys.readouterr().err.split())
        words = shlex.split(err[err.index(f"pocketgan {command}") :])
        assert words[-2] == "--input"
        code, out, err = ask(path, *pixels, *words[-2:], "--json")
        assert (code, err) == (0, "")
        assert [part["size"] for part in json.loads(out)["inputs"]] == (
            [channels - 1, 1] if channels < 6 else [3, 3]
        )


def test_what_each_input_takes_is_shown_and_corrected(
    foreign_inputs: Mapping[str, Callable[[Any], Any]], tmp_path: Path, ask: Ask
) -> None:
    path = tmp_path / "style.keras"
    foreign_inputs["style"](keras).save(path)
    of_pictures = ("--input-pixels", -1, 1)
    code, out, _ = ask(path, *of_pictures)
    assert code == 0
    assert "picture 'content' 3, picture 'style' 3" in " ".join(out.split())
    code, out, _ = ask(path, *of_pictures, "--input", "style=0.5")
    assert code == 0
    assert "its input 'style' is 0.5 for all pictures" in " ".join(out.split())
    code, _, err = ask(path, *of_pictures, "--input", "style=class:10")
    assert code == 2
    assert "'style' [N, 16, 16, 3] cannot be 'class:10'" in err
