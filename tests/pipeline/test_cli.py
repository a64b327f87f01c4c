import errno
import json
import os
import sys
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Self, cast

import pytest

from deploy.errors import PocketganError
from pipeline import cli, guard
from pipeline.__main__ import main as program
from pipeline.cli import COMMANDS, main
from pipeline.commands.arguments import SUMMARIES
from pipeline.commands.run import make_stage
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER
from pipeline.recipe.reading import shipped_recipes
from pipeline.run import Run
from pipeline.training.losses import LOSSES

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """A function that runs a command: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    return run


@pytest.fixture
def int8_file(tiny_runs: Path) -> Path:
    return tiny_runs / "tiny" / "4-convert" / "int8.tflite"


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_without_a_command_there_is_an_overview(arguments: tuple[str, ...], ask: Ask) -> None:
    code, out, _ = ask(*arguments)
    assert code == 0
    assert "pocketgan run digits" in out
    for name, summary in SUMMARIES.items():
        (line,) = (line for line in out.splitlines() if line.split()[:1] == [name])
        assert summary[:20] in line


def test_every_stage_is_a_command() -> None:
    assert set(FROM_SCRATCH.names) < set(COMMANDS)


def test_version_is_told(ask: Ask) -> None:
    assert ask("--version") == (0, f"pocketgan {version('pocketgan')}\n", "")


def test_unknown_command_lists_those_there_are(ask: Ask) -> None:
    code, out, err = ask("rnu", "digits")
    assert (code, out) == (2, "")
    assert err.startswith(
        "pocketgan: There is no command 'rnu'. Did you mean 'run'? Known: run, compress, train, "
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT])
def test_folder_that_cannot_be_written_is_told_with_a_remedy(
    number: int, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    code, out, err = ask("train", "digits", "--runs", str(tmp_path / "closed"))
    assert (code, out) == (2, "")
    assert str(tmp_path / "closed") in err
    assert os.strerror(number) in err
    assert ("--runs DIR" in err) == (number != errno.ENOENT)
    assert "another" in err


def test_compare_tells_which_stage_of_an_unfinished_run_is_due(
    unfinished: Path, ask: Ask, tmp_path: Path
) -> None:
    run = unfinished / "tiny"
    code, out, err = ask("compare", str(run), str(run))
    assert (code, out) == (2, "")
    assert f"{run} has no report yet: stage evaluate has not run." in err
    assert f"Finish it: pocketgan run {run}/recipe.yaml --runs {unfinished}" in err
    code, _, err = ask("compare", str(tmp_path), str(run))
    assert code == 2
    assert "There is no run" in err


BAD_REQUESTS = (
    (("run",), "which recipe?"),
    (("prune", "--quiet"), "which recipe?"),
    (("run", "digit"), "Did you mean 'digits'?"),
    (("run", "digits", "--train.stepz", "3"), "--train.stepz"),
    (("run", "digits", "--train.steps", "0"), "train.steps"),
    (("run", "digits", "--runs"), "--runs"),
    (("run", "digits", "extra"), "extra"),
    (("inspect",), "file"),
    (("inspect", "nowhere.tflite"), "nowhere.tflite"),
    (("inspect", "--jsn", "x.tflite"), "--jsn"),
    (("compare", "a"), "required: b"),
    (("compare", "nowhere", "nowhere"), "nowhere"),
    (("list", "everything"), "everything"),
    *(
        ((command, "caf\udce9"), "is not UTF-8")
        for command in ("bundle", "check", "gallery", "run")
    ),
)


@pytest.mark.parametrize(("arguments", "named"), BAD_REQUESTS)
def test_bad_request_is_one_message_that_names_it(
    arguments: tuple[str, ...],
    named: str,
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = ask(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("pocketgan: ")
    assert named in err
    assert "Traceback" not in err
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(("arguments", "named"), BAD_REQUESTS)
def test_bad_request_with_json_is_a_document_too(
    arguments: tuple[str, ...],
    named: str,
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = ask(*arguments, "--json")
    document = json.loads(out)
    assert code == 2
    assert err == " ".join(f"pocketgan: {document['error']} {document['remedy']}".split())
    assert named in err


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full", "x"), MemoryError()])
def test_what_the_system_refuses_is_a_document_too_with_json(
    error: Exception, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: list[str]) -> int:
        raise error

    monkeypatch.setitem(COMMANDS, "list", fail)
    code, out, err = ask("list", "--json")
    assert code == 2
    assert json.loads(out)["error"] in err


@pytest.mark.parametrize("command", sorted(guard.GUARDED))
def test_death_of_the_child_process_is_a_document_too_with_json(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def die(arguments: list[str]) -> int:
        raise PocketganError("x.tflite: a native library crashed.", "Save it again.")

    monkeypatch.setattr(guard, "run_in_child", die)
    monkeypatch.setattr(sys, "argv", ["pocketgan", command, "x.tflite", "--json"])
    with pytest.raises(SystemExit) as ended:
        program()
    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == 2
    assert document["error"] == "x.tflite: a native library crashed."
    assert document["remedy"] == "Save it again."
    assert ("verdict" in document) == (command == "check")


def test_list_names_everything_a_recipe_may_name(ask: Ask) -> None:
    code, out, _ = ask("list")
    assert code == 0
    for name in (*shipped_recipes(), *LOSSES, "fashion", "dcgan", "cutout"):
        assert f"  {name} " in out


def test_list_as_json_is_one_document(ask: Ask) -> None:
    code, out, err = ask("list", "--json")
    assert (code, err) == (0, "")
    assert set(json.loads(out)["losses"]) == set(LOSSES)


def test_inspect_tells_what_a_file_holds(int8_file: Path, ask: Ask) -> None:
    code, out, _ = ask("inspect", str(int8_file))
    assert code == 0
    assert "TRANSPOSE_CONV" in out
    assert "float operations  none" in out


def test_inspect_as_json_is_one_document(int8_file: Path, ask: Ask) -> None:
    code, out, err = ask("inspect", str(int8_file), "--json")
    assert (code, err) == (0, "")
    output = json.loads(out)
    assert output["float_ops"] == []
    assert output["provenance"]["recipe"] == "tiny"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_inspect_of_a_cut_file_is_one_message(
    share: float, int8_file: Path, tmp_path: Path, ask: Ask
) -> None:
    whole = int8_file.read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(whole[: int(share * len(whole))])
    code, out, err = ask("inspect", str(cut))
    assert (code, out) == (2, "")
    assert err.startswith("pocketgan: ")
    assert str(cut) in err
    assert "Traceback" not in err


def test_compare_sets_two_runs_side_by_side(tiny_runs: Path, ask: Ask) -> None:
    run = tiny_runs / "tiny"
    code, out, _ = ask("compare", str(run), str(run / "7-report" / "report.json"))
    assert code == 0
    assert "int8" in out
    assert ask("compare", run.name, run.name, "--runs", str(run.parent))[1] == out
    code, out, err = ask("compare", str(run), str(run), "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["variants"]["int8"]["bytes"]["ratio"] == 1


def test_help_of_run_teaches_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "--help"])
    assert left.value.code == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "All stages of a recipe, only what is stale" in output
    assert (
        "--train.steps STEPS Updates of the generator. (whole number ≥ 1, default: 2000)" in output
    )
    assert output.index("The five that you may want to change first") < output.index(
        "--train.steps STEPS"
    )
    for jargon in ("Interval", "PositiveInt", "NonNegative", "null", "PictureSide", "type:"):
        assert jargon not in output
    assert "--seed SEED Everything random follows from it." in output
    assert output.count("(required") == 1, "the recipe; all else has a default"
    for option in ("--runs", "--quiet", "--json", "--prune.layers", "--report.gates"):
        assert option in output


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "run"])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    output = " ".join(capsys.readouterr().out.split())
    assert f"pocketgan {name}" in output
    assert SUMMARIES[name] in output
    if name in ("data", "targets"):
        assert "(required" not in output, "without arguments they list"


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("lib.so: failed to map segment from shared object")]
)
def test_memory_that_runs_out_is_told_without_a_traceback(
    error: Exception, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(_: list[str]) -> int:
        raise error

    monkeypatch.setitem(COMMANDS, "list", run_out)
    code, _, err = ask("list")
    assert code == 2
    assert "memory ran out." in err
    assert "the same command goes on from there" in " ".join(err.split())


@pytest.mark.parametrize("year", [1970, 2108])
def test_clock_whose_year_no_archive_holds_is_refused_before_anything_is_done(
    year: int, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(date):
        @classmethod
        def today(cls) -> Self:
            return cls(year, 1, 3)

    monkeypatch.setattr(cli, "date", Clock)
    code, _, err = ask("run", "digits", "--runs", str(tmp_path))
    assert code == 2
    assert err.startswith(f"pocketgan: this machine's clock says {year}-01-03; ")
    assert err.endswith("Set the clock, then give the command again.")
    assert [*tmp_path.iterdir()] == []


def test_quiet_stage_says_nothing(
    tiny_recipe: Path, tiny_copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", str(tiny_recipe), "--runs", str(tiny_copy), "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")


def test_stage_that_is_fresh_says_so(tiny_recipe: Path, tiny_copy: Path, ask: Ask) -> None:
    code, _, err = ask("train", str(tiny_recipe), f"--runs={tiny_copy}")
    assert code == 0
    assert "train: fresh" in err


def test_unreadable_folder_is_named(
    tiny_recipe: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "tiny"
    in_the_way.write_text("")
    code, _, err = ask("run", str(tiny_recipe), "--runs", str(tmp_path))
    assert code == 2
    assert str(in_the_way) in err


@pytest.mark.parametrize("metrics", [{"reason": "Of 3 students [b] is best."}, {}])
def test_stage_that_chose_gives_its_reason(
    metrics: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    record = SimpleNamespace(seconds=12.0, metrics=metrics)
    run = SimpleNamespace(
        staleness=lambda name: "it has not run yet",
        record=lambda name: None,
        plan=FROM_TEACHER,
        make=lambda name: record,
    )
    assert make_stage(cast(Run, run), "search") is record
    said = capsys.readouterr().err
    assert "search: 12 s" in said
    assert ("Of 3 students [b] is best." in said) == bool(metrics)
