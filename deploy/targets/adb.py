"""A phone behind an adb server: run, push, pull; through the package adbutils.

The server is the user's. None is started here: what measures should leave nothing running behind
it, and ``adb start-server`` is one command.
"""

import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from adbutils import AdbClient, AdbConnection, AdbDevice
from adbutils.errors import AdbError, AdbTimeout

from deploy.errors import PocketganError
from deploy.targets.target import TargetLostError

CONNECTING_LIMIT = 1.0  # seconds; the server is mostly on this machine
QUERY_LIMIT = 5.0

# What adbutils raises when an answer is refused, broken off or not adb's: it checks little itself.
FAILURES = (AdbError, OSError, EOFError, ValueError, AssertionError)


class PhoneError(PocketganError):
    """The phone is there, but did not do what it was asked."""


class Connection(AdbConnection):  # type: ignore[misc]  # adbutils tells no types
    """adbutils' own would start a server where none answers, and leave refused sockets open."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        super().__init__(host, port)

    def _safe_connect(self) -> socket.socket:
        self._socket = socket.create_connection(self._address, CONNECTING_LIMIT)
        self._socket.settimeout(None)
        return self._socket

    def __del__(self) -> None:
        if self._socket is not None:
            self._socket.close()


class Client(AdbClient):  # type: ignore[misc]
    """adbutils' client over such connections; each waits for ``patience`` seconds or for ever."""

    def __init__(self, host: str, port: int, patience: float | None = None) -> None:
        super().__init__(host, port)
        self._patience = patience

    def make_connection(self, timeout: float | None = None) -> AdbConnection:
        connection = Connection(self.host, self.port)
        connection.conn.settimeout(timeout or self._patience)
        return connection


@dataclass(frozen=True)
class Server:
    """An adb server."""

    host: str
    port: int

    def devices(self) -> dict[str, str] | None:
        """Each phone's serial and state ("device" when ready); None where no server answers."""
        try:
            listed = Client(self.host, self.port, QUERY_LIMIT).list()
        except FAILURES:
            return None
        return {device.serial: device.state for device in listed}


class Phone:
    """The phone with this serial.

    Each method raises TargetLostError when it is gone, PhoneError when it refuses, and
    TimeoutError.
    """

    def __init__(self, server: Server, serial: str) -> None:
        self.serial = serial
        self._server = server
        # No patience: with one, adbutils would send files in parts and lose some.
        self._device = AdbDevice(Client(server.host, server.port), serial)

    def shell(self, script: str, time_limit: float = QUERY_LIMIT) -> tuple[int, str]:
        """The exit code of a shell script, and what it printed."""
        with self._explained("a command"):
            command = f"sh -c {shlex.quote(script)}"
            result = self._device.shell2(command, timeout=time_limit, encoding="utf-8", v2=True)
        return result.returncode, result.output

    def push(self, content: bytes, path: str, mode: int = 0o644) -> None:
        """Write a file."""
        with self._explained("a file"):
            self._device.sync.push(BytesIO(content), path, mode, check=True)

    def pull(self, path: str) -> bytes:
        """Read a file."""
        with self._explained("the result"):
            content: bytes = self._device.sync.read_bytes(path)
        return content

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except AdbTimeout as error:
            raise TimeoutError(str(error)) from error
        except FAILURES as error:
            devices = self._server.devices() or {}
            if devices.get(self.serial) != "device":
                problem = f"the phone {self.serial} went away"
                remedy = "Connect it and run the same command again: it does what is left."
                raise TargetLostError(problem, remedy) from error
            problem = f"the phone {self.serial} did not take {what}: {error}"
            raise PhoneError(problem, "Is there room in /data/local/tmp?") from error
