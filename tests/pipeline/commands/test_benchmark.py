import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline import benchmarking, progress
from pipeline.cli import main
from pipeline.commands.benchmark import asks_for_files
from pipeline.profiling import operation_costs
from pipeline.report.benchmark import schema
from tests.pipeline.tflite import others

QUICK = ("--runs", "8", "--rounds", "1", "--warmup", "1")


@pytest.fixture(scope="session")
def adder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest file that a runtime runs: y = x + x, float32 [1, 4]."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32)])
    def double(x: tf.Tensor) -> tf.Tensor:
        return x + x

    path = tmp_path_factory.mktemp("adder") / "adder.tflite"
    function = double.get_concrete_function()
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())
    return path


def ask(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_benchmark_of_files_leaves_a_page_and_figures_for_programs(
    adder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("benchmark", adder, *QUICK, "--out", tmp_path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "pocketgan.benchmark"
    assert document["complete"]
    assert document["measurements"][0]["p90_ms"] > 0
    result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
    assert result is not None
    assert result.files[0].name == "adder"
    assert "adder" in (tmp_path / benchmarking.PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--energy", "--sustain", "--time-limit"])
@pytest.mark.parametrize("seconds", ["0", "nan", "inf", "1e9"])
def test_seconds_that_no_measurement_could_take_are_refused(
    option: str, seconds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ask("benchmark", "x.tflite", f"{option}={seconds}", "--out", out) == 2
    assert "must be > 0 and <= 86400" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_same_question_again_measures_only_what_is_missing(adder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(adder.read_bytes()[:200])
    out = tmp_path / "out"
    question = ("benchmark", adder, broken, *QUICK, "--out", out, "--quiet")
    assert ask(*question) == 3
    first = schema.read_if_sound(out / benchmarking.RESULT)
    assert ask(*question) == 3
    second = schema.read_if_sound(out / benchmarking.RESULT)
    assert first is not None
    assert second is not None
    assert not first.complete
    assert first.measurements[0] == second.measurements[0]
    assert second.measurements[1].error
    assert ask(*question, "--seed", 1) == 3  # another question
    third = schema.read_if_sound(out / benchmarking.RESULT)
    assert third is not None
    assert third.measurements[0] != first.measurements[0]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["gone.tflite"], "no such file"),
        (["ADDER", "--target", "moon"], "no target is called 'moon'"),
        (["ADDER", "--target", "arm:cortex-a99"], "no target"),
        (["ADDER", "--baseline", "other"], "no file is called 'other'"),
        (["ADDER", "--runs", "0"], "runs"),
        (["ADDER", "--threads", "none"], "threads"),
        (["ADDER", "--nonsense"], "nonsense"),
        (["--target", "local"], "files"),
        (["ADDER", "--threads", "1,0"], "not numbers of threads"),
        (["ADDER", "--threads", "1000000"], "not numbers of threads, each 1 to 256"),
        (["ADDER", "--latents", "gone.npy"], "gone.npy"),
    ],
)
def test_question_that_cannot_be_asked_is_one_message(
    arguments: list[str],
    word: str,
    adder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [str(adder) if argument == "ADDER" else argument for argument in arguments]
    assert main(["benchmark", *paths]) == 2
    said = capsys.readouterr()
    assert word in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_other_targets_of_an_earlier_call_are_kept(adder: Path, tmp_path: Path) -> None:
    question = ("benchmark", adder, *QUICK, "--out", tmp_path, "--quiet")
    assert ask(*question, "--target", "local:plain") == 0
    assert ask(*question, "--target", "local") == 0
    result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
    assert result is not None
    assert {m.target for m in result.measurements} == {"local", "local:plain"}


def test_latents_of_the_same_name_and_other_content_are_another_question(
    adder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(adder.read_bytes()[:200])
    latents = tmp_path / "latents.npy"
    question = ("benchmark", adder, broken, *QUICK, "--latents", latents, "--out", tmp_path)
    outputs = []
    for value in (1, 2):
        np.save(latents, np.full((1, 4), value, np.float32))
        assert ask(*question, "--quiet") == 3
        result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
        assert result is not None
        outputs.append(result.measurements[0].output_sha256)
    assert outputs[0] != outputs[1]


def test_interrupted_call_keeps_the_rounds_that_were_done(
    adder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ("benchmark", adder, *QUICK[:2], "--rounds", 3, "--out", tmp_path, "--quiet")
    totals: list[int] = []

    def interrupt(name: str, done: int, total: int) -> None:
        totals.append(done)
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "lines", lambda bar: interrupt)
    assert ask(*question) == 130
    result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
    assert result is not None
    assert not result.complete
    assert result.measurements[0].error == "1 of 3 rounds went well until now"
    assert result.measurements[0].p50_ms is not None
    assert (tmp_path / benchmarking.PAGE).is_file()


def profiles_in(out: Path) -> dict[str, list[str]]:
    """Target → the files whose operations were measured there."""
    result = schema.read_if_sound(out / benchmarking.RESULT)
    assert result is not None
    return {target: sorted(by_file) for target, by_file in result.profiles.items()}


@pytest.fixture
def interrupted(
    adder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[tuple[object, ...], Path, Path]:
    """A command that was stopped between its two profiles; its second file and its folder."""
    other, out = tmp_path / "other.tflite", tmp_path / "out"
    other.write_bytes(adder.read_bytes())

    def stopped_at_the_second(path: Path, *rest: Any) -> Any:
        if path.stem == "other":
            raise KeyboardInterrupt
        return operation_costs(path, *rest)

    monkeypatch.setattr(benchmarking, "operation_costs", stopped_at_the_second)
    command = ("benchmark", adder, other, *QUICK, "--profile", "--out", out, "--quiet")
    assert ask(*command) == 130
    monkeypatch.setattr(benchmarking, "operation_costs", operation_costs)
    return command, other, out


def test_profile_that_was_done_when_the_command_was_stopped_is_kept(
    interrupted: tuple[tuple[object, ...], Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, _, out = interrupted
    assert profiles_in(out) == {"local": ["adder"]}
    profiled = list[str]()

    def noted(path: Path, *rest: Any) -> Any:
        profiled.append(path.stem)
        return operation_costs(path, *rest)

    monkeypatch.setattr(benchmarking, "operation_costs", noted)
    assert ask(*command) == 0
    assert profiled == ["other"]
    assert profiles_in(out) == {"local": ["adder", "other"]}


def test_profile_of_a_file_that_has_changed_is_not_that_of_the_new_one(
    interrupted: tuple[tuple[object, ...], Path, Path], adder: Path, tmp_path: Path
) -> None:
    command, _, out = interrupted
    changed = tmp_path / "new" / adder.name
    changed.parent.mkdir()
    changed.write_bytes(adder.read_bytes() + b"\0")
    before = (out / benchmarking.RESULT).read_text()
    assert ask(*(changed if word == adder else word for word in command)) == 0
    after = schema.read_if_sound(out / benchmarking.RESULT)
    assert after is not None
    assert after.profiles["local"]["adder"] != json.loads(before)["profiles"]["local"]["adder"]


def test_profiles_of_other_targets_stay_with_their_figures(adder: Path, tmp_path: Path) -> None:
    question = ("benchmark", adder, *QUICK, "--out", tmp_path, "--quiet")
    assert ask(*question, "--profile") == 0
    assert ask(*question, "--target", "local:plain") == 0
    assert profiles_in(tmp_path) == {"local": ["adder"]}


def test_file_without_a_profile_does_not_cost_the_others_theirs(
    adder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(adder.read_bytes() + b"\0")

    def refuse(path: Path, *rest: Any, **more: Any) -> Any:
        if path.stem == "adder":
            raise PocketganError("its operations cannot be told apart", "Look at it.")
        return operation_costs(path, *rest, **more)

    monkeypatch.setattr(benchmarking, "operation_costs", refuse)
    assert ask("benchmark", adder, other, *QUICK, "--profile", "--out", tmp_path, "--quiet") == 0
    result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
    assert result is not None
    assert result.complete
    assert list(result.profiles["local"]) == ["other"]
    assert any("no profile of adder on local" in remark for remark in result.remarks)


def test_nothing_measured_at_all_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "text.tflite").write_text("not a model")
    assert ask("benchmark", tmp_path / "text.tflite", *QUICK, "--out", tmp_path, "--quiet") == 2


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["a.tflite"], True),
        (["--target=local", "x"], True),
        (["--help"], True),
        ([], True),
        (["digits"], False),
        (["digits", "--help"], False),
        (["digits", "--benchmark.runs", "9"], False),
        (["digits", "--runs", "tests"], False),
        (["tests"], True),
    ],
)
def test_recipe_is_told_from_files(arguments: list[str], files: bool) -> None:
    assert asks_for_files(arguments) is files


def test_each_option_of_benchmark_can_be_read_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ask("benchmark", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "For instance `pocketgan benchmark" in said
    for vague in ("numbers of them", "before those", "seconds a process", "that share them"):
        assert vague not in said


def test_free_size_is_never_timed_as_a_picture_of_1_by_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "theirs.tflite"
    path.write_bytes(others.enlarger_and_judge())
    question = ("benchmark", path, *QUICK, "--out", tmp_path, "--signature", "draw")
    assert ask(*question) == 2
    assert "--size 480x320" in capsys.readouterr().err
    assert not (tmp_path / benchmarking.RESULT).exists()
    assert ask(*question, "--size", "8x6", "--quiet") == 0
    result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
    assert result is not None
    assert result.complete
    (file,), (measurement,) = result.files, result.measurements
    assert (file.signature, file.input_shapes) == ("draw", ((1, 6, 8, 3),))
    assert measurement.sha256 == file.sha256
    assert measurement.p50_ms is not None
    assert any("measured with photo 1×6×8×3" in remark for remark in result.remarks)


def test_figures_of_one_size_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    path = tmp_path / "theirs.tflite"
    path.write_bytes(others.enlarger())
    answers = []
    for target, size in (("local", "6x8"), ("local:plain", "6x8"), ("local:plain", "4x4")):
        options = ("--target", target, "--size", size, "--out", tmp_path, "--quiet")
        assert ask("benchmark", path, *QUICK, *options) == 0
        result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
        assert result is not None
        answers.append([m.target for m in result.measurements])
    assert answers == [["local"], ["local", "local:plain"], ["local:plain"]]


def test_custom_operation_that_no_runtime_here_has_is_named(tmp_path: Path) -> None:
    path = tmp_path / "theirs.tflite"
    path.write_bytes(others.with_custom_operation())
    assert ask("benchmark", path, *QUICK, "--out", tmp_path, "--quiet") == 2
    result = schema.read_if_sound(tmp_path / benchmarking.RESULT)
    assert result is not None
    assert "has no kernel for the custom operation Erfinv:" in (result.measurements[0].error or "")
