import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from tools.damaged import opening
from tools.damaged.opening import Opening, answers


def refuse(path: Path) -> None:
    raise PocketganError(f"{path.name} is damaged.", "Copy it again.")


def stumble(path: Path) -> None:
    raise KeyError(path.name)


def crash(_path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(_path: Path) -> None:
    signal.pause()


def swell(_path: Path) -> None:
    bytearray(os.urandom(1 << 20) * 64)


def look(path: Path) -> None:
    (path.parent / "elsewhere.bin").read_bytes()


def litter(path: Path) -> None:
    (path.parent / "new").write_bytes(b"")


def test_each_input_is_answered_whatever_it_does_to_its_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: dict[str, Callable[[Path], None]] = {
        "passes": lambda _path: None,
        "refused": refuse,
        "traceback": stumble,
        "crash": crash,
        "too long": hang,
        "memory": swell,
        "touched": look,
    }
    monkeypatch.setattr(opening, "READERS", {**readers, "litter": litter})
    monkeypatch.setattr(opening, "SECONDS", 5.0)
    monkeypatch.setattr(opening, "MEMORY", 50_000_000)
    elsewhere = tmp_path / "elsewhere.bin"
    elsewhere.write_bytes(b"x")
    jobs = [Opening(tmp_path / "g.keras", reader) for reader in [*readers, "passes", "litter"]]
    outcomes = [answer.outcome for answer in answers(jobs, elsewhere)]
    assert outcomes == [*readers, "passes", "touched"]
