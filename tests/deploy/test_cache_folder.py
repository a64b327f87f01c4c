import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.cache_folder import aside, cache

KILLED = """
import os, signal, sys
from pathlib import Path
from deploy.cache_folder import aside
with aside(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(bytes(100))
    os.kill(os.getpid(), signal.SIGKILL)
"""
BEGIN_OFTEN = """
import sys
from pathlib import Path
from deploy.cache_folder import aside
for _ in range(200):
    with aside(Path(sys.argv[1])) as folder:
        (folder / "half").write_bytes(bytes(100))
"""


def test_cache_in_the_home_of_nobody_is_a_plain_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POCKETGAN_CACHE", "~no-such-user/cache")
    assert cache() == tmp_path / "~no-such-user" / "cache"


def test_what_a_killed_process_was_making_is_gone_after_the_next(tmp_path: Path) -> None:
    final = tmp_path / "npu"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(final)])
    assert killed.returncode == -signal.SIGKILL
    [left] = tmp_path.iterdir()
    with aside(final) as folder:
        assert list(folder.iterdir()) == []
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_is_making_stays(tmp_path: Path) -> None:
    final = tmp_path / "npu"
    with aside(final) as first:
        with aside(final) as second:
            os.rename(second, final)
        assert first.is_dir()
    assert list(tmp_path.iterdir()) == [final]


def test_processes_that_begin_at_once_each_have_their_own(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", BEGIN_OFTEN, str(tmp_path / "npu")])
        for _ in range(4)
    ]
    assert [process.wait() for process in processes] == [0] * 4
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_aside_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), aside(tmp_path / "new" / "npu"):
        raise ValueError("no")
    assert list((tmp_path / "new").iterdir()) == []
