"""A real OpenSSH server on the loopback address, with keys and a host key of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.targets.ssh import Ssh

USER = pwd.getpwuid(os.getuid()).pw_name
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None, reason="needs OpenSSH's server and client"
)

HOOK = """
import os, signal, sys, time
from pathlib import Path
hook = Path(__file__).with_name("hook")
if "agent.py" in sys.orig_argv and hook.exists():
    exec(hook.read_text())
"""


@dataclass
class Server:
    """An OpenSSH server whose sessions see a home, a PATH and a temporary folder of its own."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{USER}@127.0.0.1:{self.port}"

    @property
    def left_behind(self) -> list[Path]:
        return list((self.folder / "tmp").iterdir())

    def target(self, *options: str) -> Ssh:
        return Ssh(self.address, ("-F", str(self.folder / "ssh_config"), *options))

    def connections(self) -> int:
        return (self.folder / "log").read_text().count("Accepted publickey")

    def hook(self, code: str) -> None:
        """Have the agent run ``code`` before anything else."""
        (self.folder / "site" / "hook").write_text(code)

    def pretend_to_be(self, boot_id: str) -> None:
        """Be another machine to those who look: none whose cores this one shares."""
        cat = self.folder / "bin" / "cat"
        cat.write_text(
            f'#!/bin/sh\ncase "$1" in */boot_id) echo {boot_id};; *) exec /bin/cat "$@";; esac\n'
        )
        cat.chmod(0o755)

    def start(self) -> None:
        assert SSHD is not None
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where a root's sshd locks itself in
        command = [SSHD, "-D", "-f", str(self.folder / "sshd_config"), "-E", f"{self.folder}/log"]
        self.process = subprocess.Popen(command)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self) -> None:
        """End the server, and every connection as though the cable were pulled."""
        if self.process is not None:
            for pid in (self.process.pid, *descendants(self.process.pid)):
                with suppress(ProcessLookupError):  # it ended by itself
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def descendants(pid: int) -> list[int]:
    """The sshd processes below ``pid``; not the shells that they started."""
    processes = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:  # it ended meanwhile
            continue
        if int(rest.split()[1]) == pid and name.startswith("sshd"):
            child = int(stat.parent.name)
            processes += [*descendants(child), child]
    return processes


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """A server whose files lie in ``folder``, which is not there yet."""
    for name in ("home", "bin", "tmp", "site"):
        (folder / name).mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(folder, free.getsockname()[1])
    host_key = make_key(folder / "host_key")
    (folder / "authorized_keys").write_text(make_key(folder / "client_key"))
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {host_key}")
    # Not a link: a virtual environment is found by the path of its Python.
    python = folder / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / "site" / "sitecustomize.py").write_text(HOOK)
    (folder / "sshd_config").write_text(
        f"""
        ListenAddress 127.0.0.1:{server.port}
        HostKey {folder}/host_key
        AuthorizedKeysFile {folder}/authorized_keys
        PidFile none
        UsePAM no
        StrictModes no
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        PermitRootLogin yes
        SetEnv HOME={folder}/home TMPDIR={folder}/tmp PYTHONPATH={folder}/site PATH={folder}/bin:/usr/bin:/bin
        """  # noqa: E501  (sshd takes the first SetEnv only)
    )
    (folder / "ssh_config").write_text(
        f"""
        IdentityFile {folder}/client_key
        IdentitiesOnly yes
        UserKnownHostsFile {folder}/known_hosts
        GlobalKnownHostsFile none
        """
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()
