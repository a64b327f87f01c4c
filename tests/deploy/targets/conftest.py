"""A stand-in for the adb server, which speaks adb's protocol; no phone is involved.

Its phone is a folder: commands run in this machine's shell, with /data, /sdcard, /sys and /proc
replaced.
"""

import os
import socketserver
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

OUTPUTS = Path(__file__).parent / "outputs"
SERIAL = "R58N12ABCDE"
SYSTEM_FILES = {
    "sys/devices/system/cpu/online": "0-1\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "schedutil\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2802000\n",
    "sys/class/thermal/thermal_zone0/type": "battery\n",
    "sys/class/thermal/thermal_zone0/temp": "31000\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-1-0\n",
    "sys/class/thermal/thermal_zone1/temp": "41500\n",
    "proc/cpuinfo": "processor: 0\nCPU part\t: 0xd05\nprocessor: 1\nCPU part\t: 0xd41\n",
}
GETPROP = """#!/bin/sh
case "$1" in
  ro.product.manufacturer) echo Google;;
  ro.product.model) echo "Pixel 7";;
  ro.build.version.release) echo 14;;
  ro.soc.model) echo "Tensor GS201";;
esac
"""


class StandIn(socketserver.ThreadingTCPServer):
    """An adb server that knows ``devices`` (serial → state), and a phone in the folder ``root``."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.root = root
        self.devices = {SERIAL: "device"}
        self.features = "shell_v2,cmd"
        self.before_command: Callable[[str], None] = lambda command: None
        self.full = False
        for name, text in SYSTEM_FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        self.home.mkdir(parents=True)
        self.place("bin/getprop", GETPROP)

    @property
    def home(self) -> Path:
        return self.root / "data/local/tmp"

    @property
    def ran(self) -> list[str]:
        """Each call of the tool: its arguments and the sha256 of the model."""
        log = self.root / "ran"
        return log.read_text().splitlines() if log.exists() else []

    def place(self, name: str, script: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
        return path

    def tool(self, does: str) -> str:
        return f"""#!/bin/sh
for each in "$@"; do case "$each" in --graph=*) model=${{each#--graph=}};; esac; done
echo "$@" $(sha256sum < "$model") >> {self.root}/ran
{does}
"""

    def install(self, recorded: str = "tf2.8_profile", does: str | None = None) -> None:
        """Put a tool on the phone that prints a recorded output."""
        script = self.tool(does or f"cat {OUTPUTS}/{recorded}.txt")
        self.place("data/local/tmp/benchmark_model", script)

    def unplug(self) -> None:
        self.devices.clear()


class Conversation(socketserver.BaseRequestHandler):
    """One connection, as adb's OVERVIEW.TXT, SERVICES.TXT and SYNC.TXT describe it."""

    server: StandIn

    def handle(self) -> None:
        try:
            while self.answer(self.read(int(self.read(4), 16)).decode()):
                pass
        except (EOFError, ConnectionError):
            pass

    def read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            chunk = self.request.recv(size - len(content))
            if not chunk:
                raise EOFError
            content += chunk
        return content

    def say(self, status: bytes, text: str | None = None) -> None:
        block = b"" if text is None else f"{len(text.encode()):04x}{text}".encode()
        self.request.sendall(status + block)

    def answer(self, request: str) -> bool:
        """Answer one request; whether another may follow."""
        devices = self.server.devices
        if request == "host:version":
            self.say(b"OKAY", "0029")
        elif request == "host:devices":
            self.say(b"OKAY", "".join(f"{name}\t{state}\n" for name, state in devices.items()))
        elif request.endswith(":features"):
            self.say(b"OKAY", self.server.features)
        elif request.startswith("host:tport:serial:"):
            serial = request.removeprefix("host:tport:serial:")
            if devices.get(serial) != "device":
                self.say(b"FAIL", f"device '{serial}' not found")
                return False
            self.say(b"OKAY")
            self.request.sendall(struct.pack("<Q", 7))
            return True
        elif request.startswith(("shell:", "shell,v2:")):
            service, _, command = request.partition(":")
            self.say(b"OKAY")
            self.run(command, framed=service == "shell,v2")
        elif request == "sync:":
            self.say(b"OKAY")
            while self.sync():
                pass
        return False

    def run(self, command: str, *, framed: bool) -> None:
        self.server.before_command(command)
        if not self.server.devices:
            return
        root = str(self.server.root)
        for top in ("/data/local/tmp", "/sdcard/", "/sys/", "/proc/"):
            command = command.replace(top, root + top)
        environment = {"PATH": f"{root}/bin:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        output = done.stdout.replace(root.encode(), b"")
        if not framed:  # through a terminal
            self.request.sendall(output.replace(b"\n", b"\r\n"))
            return
        self.request.sendall(struct.pack("<BI", 1, len(output)) + output)
        self.request.sendall(struct.pack("<BI", 3, 1) + bytes([done.returncode & 0xFF]))

    def sync(self) -> bool:
        kind, length = struct.unpack("<4sI", self.read(8))
        name = self.read(length).decode()
        if kind == b"STAT":
            path = self.place(name)
            numbers = (0, 0, 0)
            if path.exists():
                status = path.stat()
                numbers = (status.st_mode, status.st_size, int(status.st_mtime))
            self.request.sendall(b"STAT" + struct.pack("<III", *numbers))
        elif kind == b"SEND":
            name, _, mode = name.rpartition(",")
            self.receive(self.place(name), int(mode))
        elif kind == b"RECV":
            content = self.place(name).read_bytes()
            for start in range(0, len(content), 1 << 16):
                chunk = content[start : start + (1 << 16)]
                self.request.sendall(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
            self.request.sendall(b"DONE" + struct.pack("<I", 0))
        return True

    def place(self, name: str) -> Path:
        return self.server.root / name.lstrip("/")

    def receive(self, path: Path, mode: int) -> None:
        content = b""
        while True:
            kind, length = struct.unpack("<4sI", self.read(8))
            if kind == b"DONE":
                break
            content += self.read(length)
        if self.server.full:
            self.request.sendall(b"FAIL" + struct.pack("<I", 7) + b"no room")
            return
        path.write_bytes(content)
        path.chmod(mode & 0o777)
        self.request.sendall(b"OKAY" + struct.pack("<I", 0))


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn(tmp_path / "phone") as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.server_address[1]))
        monkeypatch.delenv("ANDROID_ADB_SERVER_ADDRESS", raising=False)
        monkeypatch.delenv("POCKETGAN_BENCHMARK_MODEL", raising=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
