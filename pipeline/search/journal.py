"""The lock of a study's journal, which processes may share and any of which may be killed."""

import fcntl
import os
from pathlib import Path

from optuna.storages.journal import JournalFileOpenLock


class JournalLock(JournalFileOpenLock):
    """Who writes has the journal itself locked, and begins on a line of its own.

    Optuna's locks are files that a killed process leaves: the next one waits half a minute, or
    without end where the journal's path is relative. And what a full disk or a kill leaves of a
    line would make the next line unreadable, and with it the study.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._descriptor = path, -1

    def acquire(self) -> bool:
        self._descriptor = os.open(self._path, os.O_RDWR)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # the system lifts the lock of the killed
            content = self._path.read_bytes()
            os.ftruncate(self._descriptor, content.rfind(b"\n") + 1)
        except BaseException:
            self.release()  # nobody else will: this process would wait for itself
            raise
        return True

    def release(self) -> None:
        os.close(self._descriptor)
