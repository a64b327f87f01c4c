import fcntl
from pathlib import Path

import pytest

from pipeline.search.journal import JournalLock


def test_lock_of_a_journal_that_cannot_be_read_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.log"
    path.touch()

    def fail(_: Path) -> bytes:
        raise OSError("Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output"):
        JournalLock(path).acquire()
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
