"""Firefox by Marionette, the protocol that is built into it (and under geckodriver): no more of it
than opening a page and running a script there. https://firefox-source-docs.mozilla.org/testing/marionette
"""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STARTING_SECONDS = 90
OWN_PORT = 'user_pref("marionette.port", {});\n'


class Marionette:
    """A connection to a Firefox that runs."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rwb")
        self._read()  # it greets
        self._number = 0
        capabilities = {"pageLoadStrategy": "normal"}
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": capabilities}})
        self.ask("WebDriver:SetTimeouts", {"script": 120_000, "pageLoad": 120_000})

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """The answer to one command of WebDriver; RuntimeError where it fails."""
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._file.write(b"%d:%b" % (len(message), message))
        self._file.flush()
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result

    def open(self, path: Path, size: tuple[int, int] = (1280, 900)) -> None:
        self.ask("WebDriver:SetWindowRect", {"width": size[0], "height": size[1]})
        self.ask("WebDriver:Navigate", {"url": path.as_uri()})

    def evaluate(self, expression: str) -> Any:
        """What an expression of JavaScript, or the promise that it is, gives in the page."""
        script = f"const done = arguments[0]; Promise.resolve({expression}).then(done)"
        command = "WebDriver:ExecuteAsyncScript"
        return self.ask(command, {"script": script, "args": [], "sandbox": None})["value"]

    def wait_for(self, expression: str, seconds: float = 90) -> None:
        """Until an expression is true; TimeoutError where it does not become so."""
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            if time.monotonic() > end:
                raise TimeoutError(expression)
            time.sleep(0.2)

    def _read(self) -> Any:
        digits = b""
        while (byte := self._file.read(1)) != b":":
            if not byte:
                raise ConnectionError("Firefox went away")
            digits += byte
        return json.loads(self._file.read(int(digits)))


@contextmanager
def running(program: str, profile: Path) -> Iterator[Marionette]:
    """A Firefox without a window, with a profile of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (profile / "user.js").write_text(OWN_PORT.format(port))
    command = [program, "--headless", "--no-remote", "--marionette", "--profile", str(profile)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:  # type: ignore[call-overload]
        try:
            with _connected(port) as connection:
                yield Marionette(connection)
        finally:
            process.kill()


def _connected(port: int) -> socket.socket:
    end = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=180)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
