"""A phone behind an adb server: run, push, pull through adbutils; and what its backends share.

The server is the user's. None is started here: what measures should leave nothing running behind
it, and ``adb start-server`` is one command.
"""

import hashlib
import re
import shlex
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from adbutils import AdbClient, AdbConnection, AdbDevice
from adbutils.errors import AdbError, AdbTimeout

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import Conditions, Job, Measurement, failure
from deploy.machine import listed_numbers
from deploy.targets.target import BOOT_ID, TargetLostError

CONNECTING_LIMIT = 1.0  # seconds; the server is mostly on this machine
QUERY_LIMIT = 5.0

# What adbutils raises when an answer is refused, broken off or not adb's: it checks little itself.
FAILURES = (AdbError, OSError, EOFError, ValueError, AssertionError)

SHOW_DEVICE = """
for name in product.manufacturer product.model build.version.release soc.model board.platform; do
  echo "$(getprop ro.$name)"
done
"""
SHOW_CONDITIONS = """
for file in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor \\
    /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq \\
    /sys/class/thermal/thermal_zone*/type /sys/class/thermal/thermal_zone*/temp; do
  echo "$file $(cat "$file")"
done 2>/dev/null
"""
CONDITION = re.compile(r"^(/sys/(?:\w+/)+\w+) (.+)$", re.MULTILINE | re.ASCII)


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

    def __init__(self, host: str, port: int, patience: float | None = QUERY_LIMIT) -> None:
        super().__init__(host, port)
        self._patience = patience

    def make_connection(self, timeout: float | None = None) -> AdbConnection:
        connection = Connection(self.host, self.port)
        connection.conn.settimeout(timeout or self._patience)
        return connection

    def states(self) -> dict[str, str] | None:
        """Each phone's serial and state ("device" when ready); None where no server answers."""
        try:
            return {device.serial: device.state for device in self.list()}
        except FAILURES:
            return None


class Phone:
    """The phone with this serial.

    Each method raises TargetLostError when it is gone, PhoneError when it refuses, and
    TimeoutError.
    """

    def __init__(self, client: Client, serial: str) -> None:
        self.serial = serial
        self._client = client
        # No patience: with one, adbutils would send files in parts and lose some.
        self._device = AdbDevice(Client(client.host, client.port, None), serial)

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
            devices = self._client.states() or {}
            if devices.get(self.serial) != "device":
                problem = f"the phone {self.serial} went away"
                remedy = "Connect it and run the same command again: it does what is left."
                raise TargetLostError(problem, remedy) from error
            problem = f"the phone {self.serial} did not take {what}: {error}"
            raise PhoneError(problem, "Is there room in /data/local/tmp?") from error


class AndroidBackend(ABC):
    """The demo app, or the user's tool, on ``phone``. What does not change is asked once."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._sent: set[str] = set()
        """Names of the files that are on the phone already."""
        self._cores = listed_numbers(phone.shell("cat /sys/devices/system/cpu/online")[1])
        self._device = read_device(phone.shell(SHOW_DEVICE)[1])
        code, text = phone.shell(f"cat {BOOT_ID}")
        self.boot_id = "" if code else text.strip()
        """What tells the phone apart, through whatever cable or network; empty if it is secret."""
        self._cpu = agent.parse_cpu_name(phone.shell("cat /proc/cpuinfo")[1]) or None

    def answer(self, job: Job, time_limit: float) -> Measurement:
        """Carry out ``job`` in a fresh process; only TargetLostError is raised."""
        try:
            return self._measure(job, time_limit)
        except TargetLostError:
            raise
        except PocketganError as error:
            return failure(job, error.problem)
        except TimeoutError:
            return failure(job, f"no answer within {time_limit:g} s")
        except ValueError as error:
            return failure(job, str(error))
        except OSError as error:
            return failure(job, f"cannot be read: {error}")

    @abstractmethod
    def _measure(self, job: Job, time_limit: float) -> Measurement:
        """The figures; raises whatever goes wrong."""

    def _put(self, path: str, folder: str, suffix: str) -> str:
        """Push a file to ``folder`` unless it is there; its name there is made from its content."""
        content = Path(path).read_bytes()
        name = hashlib.sha256(content).hexdigest() + suffix
        if name not in self._sent:
            self._phone.push(content, f"{folder}/{name}")
            self._sent.add(name)
        return name

    def _last_cores(self, job: Job) -> list[int]:
        """The cores that ``job`` is given, one a thread: the big ones where cores differ."""
        return self._cores[-job.threads :]

    def _conditions(self, job: Job) -> Conditions:
        """What the cores that ``job`` is given are doing now."""
        files = CONDITION.findall(self._phone.shell(SHOW_CONDITIONS)[1].replace("\r", ""))
        with tempfile.TemporaryDirectory() as root:
            for path, content in files:
                file = Path(root, path.lstrip("/"))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content, encoding="utf-8")
            return Conditions(**agent.conditions(Path(root), self._last_cores(job)))


def read_device(properties: str) -> str | None:
    """The phone as its maker calls it, its Android and its chip; None where it tells nothing."""
    maker, model, release, chip, board, *_ = [*map(str.strip, properties.splitlines()), *[""] * 5]
    name = model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()
    android = f"Android {release}" if release else ""
    return ", ".join(part for part in (name, android, chip or board) if part) or None
