"""Peers of a finished run: what is there is not made again, and a failure is a result."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.errors import PocketganError
from tools.experiments import peers


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A run of which no more than its int8 file is there."""
    monkeypatch.setattr(peers, "labelled", lambda ctx, content, name: content)
    converted = tmp_path / "run"
    converted.mkdir()
    (converted / "int8.tflite").write_bytes(b"the run's own")
    return SimpleNamespace(inputs={"convert": converted})


def failing() -> bytes:
    raise ValueError("no such\nscheme")


def test_a_peer_that_fails_costs_its_own_row_only(ctx: SimpleNamespace, tmp_path: Path) -> None:
    methods = {"one that fails": failing, "another": lambda: b"file"}
    outcomes = peers.make(ctx, methods, folder=tmp_path, seed=1)
    assert outcomes["one that fails"] == "ValueError: no such scheme"
    assert Path(outcomes["another"]).read_bytes() == b"file"


def test_a_comparison_that_was_stopped_goes_on_where_it_was(
    ctx: SimpleNamespace, tmp_path: Path
) -> None:
    keep = tmp_path / "keep"

    def stopped() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), peers.peers_folder(keep, ctx, steps=3) as folder:
        peers.make(ctx, {"first": lambda: b"1", "second": stopped}, folder=folder, seed=1)
    with peers.peers_folder(keep, ctx, steps=3) as folder:
        methods = {"first": failing, "second": lambda: b"2"}
        outcomes = peers.make(ctx, methods, folder=folder, seed=1)
    assert [Path(file).read_bytes() for file in outcomes.values()] == [b"1", b"2"]


def test_peers_of_other_settings_are_not_taken_for_these(
    ctx: SimpleNamespace, tmp_path: Path
) -> None:
    with peers.peers_folder(tmp_path / "keep", ctx, steps=3):
        pass
    with (
        pytest.raises(PocketganError, match=r'"steps": 3.*not with.*"steps": 4'),
        peers.peers_folder(tmp_path / "keep", ctx, steps=4),
    ):
        pass
    (ctx.inputs["convert"] / "int8.tflite").write_bytes(b"another run's")
    with pytest.raises(PocketganError), peers.peers_folder(tmp_path / "keep", ctx, steps=3):
        pass
