import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.commands import explain as commands
from pipeline.explaining import ExplainQuestion, explain
from pipeline.report.explain.schema import Explanation
from tests.pipeline.test_explaining import QUICK
from tests.pipeline.tflite.conftest import generator, variant

__all__ = ["generator", "variant"]


@pytest.fixture
def file(variant: Callable[[str], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An int8 file; what the command measures is quick."""

    def quick(question: ExplainQuestion, *others: object) -> Explanation:
        del others
        values = vars(question) | {"plan": QUICK}
        return explain(ExplainQuestion(**values))

    monkeypatch.setattr(commands, "explain", quick)
    path = tmp_path / "int8.tflite"
    path.write_bytes(variant("int8"))
    return path


def test_explanation_is_a_table_and_sentences(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["explain", str(file), "--quiet", "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "others: --top)" in out
    for topic in ("What it costs", "Where that goes", "What would change it", "On a phone's GPU"):
        assert topic in out


def test_json_holds_all_operations_and_the_sentences(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(file), "--json", "--top", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "pocketgan.explain"
    assert len(document["file"]["operations"]) > 1
    assert document["sentences"]["What it costs"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no.tflite"], "cannot find|cannot read|no such file"),
        (["{file}", "--target", "locl"], "Did you mean 'local'"),
        (["{file}", "--size", "8by8"], "that is no size"),
        (["{file}", "--top", "0"], "top"),
        (["{file}", "missing.tflite"], "missing.tflite"),
    ],
)
def test_what_does_not_serve_is_one_message(
    arguments: list[str], words: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    assert main(["explain", *(each.format(file=file) for each in arguments)]) == 2
    captured = capsys.readouterr()
    assert re.search(words, captured.err)
    assert not captured.out


def test_file_of_another_kind_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text.tflite"
    path.write_text("no network")
    assert main(["explain", str(path)]) == 2
    assert "text.tflite" in capsys.readouterr().err


def test_help_teaches_targets_the_other_file_and_sizes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["explain", "--help"])
    out = capsys.readouterr().out
    for words in ("arm:cortex-a53", "OTHER", "--size 64x64", "Exit code"):
        assert words in out
