"""The command inspect on files of others: what it says, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.commands import inspect as command
from pipeline.tflite.rewrite import PROVENANCE, write_metadata
from tests.pipeline.tflite import others

Said = Callable[..., str]


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """What ``inspect`` prints of a file, in one line; without the guard's child."""

    def run(content: bytes, *options: str) -> str:
        path = tmp_path / "theirs.tflite"
        path.write_bytes(content)
        assert command.inspect([str(path), *options]) == 0
        return " ".join(capsys.readouterr().out.split())

    return run


def test_free_size_is_unknown_until_it_is_said(said: Said) -> None:
    content = others.enlarger()
    text = said(content)
    assert "?×?×?×3 float32" in text
    assert "MACs unknown (sizes are free until --size says them: photo ?×?×?×3)" in text
    assert "tensor arena unknown" in text
    assert f"{6 * 8 * others.FREE_MACS:,} a run" in said(content, "--size", "8x6")
    assert "1×6×8×3 float32, in the file ?×?×?×3" in said(content, "--size", "photo=8x6")


def test_signature_is_named_and_the_others_are_listed(said: Said) -> None:
    text = said(others.enlarger_and_judge(), "--signature", "judge")
    assert "signature judge (others: draw)" in text
    assert "(other signatures)" in text
    assert f"MACs {others.JUDGE_MACS:,} a run" in text


def test_loop_is_told_a_turn(said: Said) -> None:
    text = said(others.looping())
    assert f"{others.TURN_MACS:,} outside of loops {others.TURN_MACS:,} each turn of while" in text
    assert f"{others.TURN_MACS:,} a turn" in text


def test_custom_operation_leaves_macs_unknown(said: Said) -> None:
    assert "MACs unknown (1 custom operation: Erfinv)" in said(others.with_custom_operation())


def test_json_says_what_the_table_says(said: Said) -> None:
    def document(content: bytes, *options: str) -> Any:
        return json.loads(said(content, "--json", *options))

    free = document(others.enlarger())
    assert (free["macs"], free["arena"], free["macs_outside_loops"]) == (None, None, None)
    assert "--size" in free["macs_unknown"]
    assert document(others.enlarger(), "--size=8x6")["macs"] == 6 * 8 * others.FREE_MACS
    judge = document(others.enlarger_and_judge(), "--signature=judge")
    assert (judge["signature"], judge["signatures"]) == ("judge", ["draw", "judge"])
    assert sum(judge["bytes_by_layer"].values()) == judge["bytes"]
    looping = document(others.looping())
    assert (looping["macs"], looping["macs_outside_loops"]) == (None, others.TURN_MACS)
    assert [loop["macs_per_turn"] for loop in looping["loops"]] == [others.TURN_MACS]
    custom = document(others.with_custom_operation())
    assert custom["macs_unknown"] == "1 custom operation: Erfinv"
    assert [row["macs"] for row in custom["layers"] if row["op"] == "Erfinv"] == [None]


def test_json_is_json_whatever_numbers_a_strangers_metadata_hold(said: Said) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    payload = b'{"seed": 1e999, "pixels": [-1e999, NaN, 2]}'
    content = write_metadata(others.latent_reader(), PROVENANCE, payload)
    provenance = json.loads(said(content, "--json"), parse_constant=refuse)["provenance"]
    assert provenance == {"seed": None, "pixels": [None, None, 2]}


def test_thousands_of_operations_are_shown_by_the_largest_and_are_all_in_the_json(
    said: Said,
) -> None:
    content = others.long_chain(9000)
    text = said(content, "--top", "3")
    assert text.count("ADD 1×8") == 3
    assert "(8,997 others: --top)" in text
    assert text.count(" ") < 200
    assert said(content).count("ADD 1×8") == command.ROWS
    assert len(json.loads(said(content, "--json"))["layers"]) == 9000


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ([], "--signature draw"),
        (["--signature", "draw", "--size", "6"], "--size photo=64x64"),
        (["--signature", "draw", "--size", "0x6"], "256x256"),
    ],
)
def test_what_is_refused_says_what_to_write(
    options: list[str], remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "theirs.tflite"
    path.write_bytes(others.enlarger_and_judge())
    assert main(["inspect", str(path), *options]) == 2
    assert remedy in " ".join(capsys.readouterr().err.split())
