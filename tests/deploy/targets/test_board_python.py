"""Against a real OpenSSH server on the loopback address."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.ssh_server import Server, needs_sshd, running_server

pytestmark = needs_sshd


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "server") as server:
        yield server


def test_board_that_can_measure_says_what_it_is_and_keeps_nothing(server: Server) -> None:
    diagnosis = server.target().diagnose()
    assert diagnosis.answers
    assert "ai-edge-litert " in diagnosis.detail
    assert not any("runtime" in missing for missing in diagnosis.missing)
    assert server.left_behind == []


def test_board_without_a_runtime_gets_none_when_it_is_asked(server: Server) -> None:
    python = server.folder / "bin/python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # without its packages
    diagnosis = server.target().diagnose()
    assert diagnosis.answers
    assert "a TFLite runtime: the first measurement installs one there" in diagnosis.missing
    assert list((server.folder / "home").iterdir()) == []


def test_board_without_python_says_what_to_install(server: Server) -> None:
    python = server.folder / "bin/python3"
    python.write_text("#!/bin/sh\necho 'python3: not found' >&2\nexit 127\n")
    diagnosis = server.target().diagnose()
    assert diagnosis.answers
    assert diagnosis.missing == (
        "Python 3.9 or newer (python3: not found): sudo apt-get install python3 python3-venv",
    )


def test_board_that_is_off_does_not_answer(server: Server) -> None:
    server.stop()
    diagnosis = server.target().diagnose()
    assert not diagnosis.answers
    assert "no ssh server listens there" in diagnosis.detail
    assert "systemctl enable --now ssh" in diagnosis.missing[0]
