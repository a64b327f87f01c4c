"""Against a real OpenSSH server on the loopback address."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.targets import find_target
from deploy.targets.ssh import ADDRESS, Ssh
from deploy.targets.target import TargetLostError
from tests.deploy.ssh_server import USER, Server, make_key, needs_sshd, running_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "server") as server:
        yield server


@needs_sshd
def test_float_and_int8_are_measured_and_agree_with_the_desktop(
    server: Server, float_file: Path, int8_file: Path, latents_file: Path
) -> None:
    files = {"float32": float_file, "int8": int8_file}
    plan = MeasuringPlan(threads=(1, 2), rounds=1, runs=32, warmup=4, latents=latents_file)
    measurements = measure(files, [server.target()], plan=plan)
    assert [m.error for m in measurements] == [None] * 4
    assert {m.target for m in measurements} == {f"ssh:{server.address}"}
    assert {m.runs for m in measurements} == {32}
    assert all(m.agreement is not None and m.agreement.equal for m in measurements)
    assert not any("pinned" in warning for m in measurements for warning in m.warnings)
    assert server.connections() == 1
    assert server.left_behind == []


@needs_sshd
def test_agent_runs_on_as_many_of_the_last_cores_as_it_has_threads(
    server: Server, float_file: Path, tmp_path: Path
) -> None:
    cores_file = tmp_path / "cores"
    server.hook(f"open({str(cores_file)!r}, 'w').write(repr(os.sched_getaffinity(0)))")
    measure({"float32": float_file}, [server.target()], plan=MeasuringPlan(rounds=1, runs=4))
    assert cores_file.read_text() == repr({max(os.sched_getaffinity(0))})


@needs_sshd
def test_connection_that_is_not_shared_is_replaced_by_others(
    server: Server, float_file: Path
) -> None:
    target = server.target("-o", "ControlPath=none")
    (measurement,) = measure(
        {"float32": float_file}, [target], plan=MeasuringPlan(rounds=1, runs=4)
    )
    assert measurement.error is None
    assert server.connections() > 1
    assert server.left_behind == []


@needs_sshd
@pytest.mark.parametrize("folder", ["long" * 25, "two words", "50%"])
def test_local_temporary_folder_may_have_any_name(
    server: Server, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / folder))
    with server.target().open():
        assert len(server.left_behind) == 1
    assert server.connections() > 1


@needs_sshd
def test_board_that_allows_one_session_a_connection_gets_several(server: Server) -> None:
    server.stop()
    with (server.folder / "sshd_config").open("a") as config:
        config.write("\nMaxSessions 1\n")
    server.start()
    with server.target().open():
        assert len(server.left_behind) == 1
    assert server.connections() > 1


@needs_sshd
def test_board_without_room_for_a_folder_is_told(server: Server) -> None:
    (server.folder / "tmp").rmdir()
    error = refused(server.target(), may_come_back=True)
    assert "mktemp" in error.problem


@needs_sshd
def test_lost_board_keeps_what_it_gave_and_only_the_rest_is_run_again(
    server: Server, float_file: Path, int8_file: Path
) -> None:
    files = {"float32": float_file, "int8": int8_file}
    plan = MeasuringPlan(rounds=1, runs=8, seed=1)

    def pull_cable(_: str, done: int, total: int) -> None:
        if done == 1:
            server.stop()

    first = measure(files, [server.target()], plan=plan, on_progress=pull_cable)
    (finished,) = [m for m in first if m.error is None]
    (lost,) = [m for m in first if m.error is not None]
    assert finished.p50_ms is not None
    assert "connection" in str(lost.error)
    assert server.address in str(lost.error)

    server.start()
    runs: list[int] = []
    again = measure(
        files,
        [server.target()],
        plan=plan,
        earlier=first,
        on_progress=lambda _, d, total: runs.append(d),
    )
    assert runs == [1]
    assert [m.error for m in again] == [None, None]
    assert finished in again


@needs_sshd
def test_rounds_before_the_loss_are_kept_and_marked(server: Server, float_file: Path) -> None:
    def pull_cable(_: str, done: int, total: int) -> None:
        if done == 2:
            server.stop()

    (measurement,) = measure(
        {"float32": float_file},
        [server.target()],
        plan=MeasuringPlan(rounds=3, runs=12),
        on_progress=pull_cable,
    )
    assert str(measurement.error).startswith("2 of 3 rounds went well, then: the connection to")
    assert measurement.runs == 8


@needs_sshd
def test_board_lost_while_the_agent_runs_is_noticed(
    server: Server, float_file: Path, tmp_path: Path
) -> None:
    server.hook(
        f"os.kill({server.process.pid if server.process else 0}, signal.SIGKILL)\n"
        "sshd = int(Path(f'/proc/{os.getppid()}/stat').read_text().rsplit(')', 1)[1].split()[1])\n"
        "while 'sshd' not in Path(f'/proc/{sshd}/comm').read_text():\n"
        "    sshd = int(Path(f'/proc/{sshd}/stat').read_text().rsplit(')', 1)[1].split()[1])\n"
        "os.kill(sshd, signal.SIGKILL)\n"
        "time.sleep(600)"
    )
    (measurement,) = measure(
        {"float32": float_file}, [server.target()], plan=MeasuringPlan(rounds=1, runs=4)
    )
    assert f"the connection to {server.address} was lost" in str(measurement.error)


@needs_sshd
@pytest.mark.parametrize("name", ["SIGILL", "SIGSEGV", "SIGKILL"])
def test_agent_ended_by_a_signal_names_it(server: Server, float_file: Path, name: str) -> None:
    server.hook(f"os.kill(os.getpid(), signal.{name})")
    (measurement,) = measure(
        {"float32": float_file}, [server.target()], plan=MeasuringPlan(rounds=1, runs=4)
    )
    assert name in str(measurement.error)


@needs_sshd
def test_hanging_agent_is_ended_on_the_board_too(
    server: Server, float_file: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    server.hook(f"open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    plan = MeasuringPlan(rounds=1, runs=4, time_limit=1)
    (measurement,) = measure({"float32": float_file}, [server.target()], plan=plan)
    assert measurement.error == "no answer within 1 s"
    assert not Path("/proc", pid.read_text()).exists()


@needs_sshd
def test_broken_file_does_not_stop_the_others(
    server: Server, float_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(float_file.read_bytes()[:1000])
    files = {"broken": broken, "float32": float_file}
    bad, good = measure(files, [server.target()], plan=MeasuringPlan(rounds=1, runs=4))
    assert bad.error is not None
    assert good.error is None


@needs_sshd
def test_hostile_file_name_is_only_a_name(server: Server, float_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "--help; $(touch owned) \n'\"ü.tflite"
    path.write_bytes(float_file.read_bytes())
    latents = tmp_path / "-oProxyCommand=x; `touch owned` '.npy"
    np.save(latents, np.ones((2, 16), np.float32))
    plan = MeasuringPlan(rounds=1, runs=4, latents=latents)
    (measurement,) = measure({"odd": path}, [server.target()], plan=plan)
    assert measurement.error is None
    assert list(tmp_path.rglob("owned")) == []


@needs_sshd
def test_words_of_a_profile_are_not_taken_for_an_answer(server: Server, float_file: Path) -> None:
    (server.folder / "home" / ".bashrc").write_text("echo Welcome to the board\n")
    (measurement,) = measure(
        {"float32": float_file}, [server.target()], plan=MeasuringPlan(rounds=1, runs=4)
    )
    assert measurement.error is None


@needs_sshd
def test_interrupted_session_leaves_nothing_on_the_board(server: Server) -> None:
    def interrupted() -> None:
        with server.target().open():
            assert len(server.left_behind) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert server.left_behind == []


def refused(target: Ssh, *, may_come_back: bool = False) -> PocketganError:
    with pytest.raises(PocketganError) as caught, target.open():
        pass
    assert isinstance(caught.value, TargetLostError) is may_come_back
    return caught.value


@needs_sshd
def test_unknown_host_key_is_refused(server: Server) -> None:
    known_hosts = server.folder / "known_hosts"
    known_hosts.write_text("")
    error = refused(server.target())
    assert "not known" in error.problem
    assert f"`ssh -p {server.port} {USER}@127.0.0.1`" in error.remedy
    assert known_hosts.read_text() == ""


@needs_sshd
def test_changed_host_key_is_refused(server: Server) -> None:
    other = make_key(server.folder / "other")
    (server.folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}")
    assert "not the one that is known" in refused(server.target()).problem


@needs_sshd
def test_key_that_the_board_does_not_know_is_told(server: Server) -> None:
    (server.folder / "authorized_keys").write_text(make_key(server.folder / "other"))
    error = refused(server.target())
    assert "your keys" in error.problem
    assert f"ssh-copy-id -p {server.port} {USER}@127.0.0.1" in error.remedy


@needs_sshd
def test_board_without_a_server_is_told(server: Server) -> None:
    server.stop()
    error = refused(server.target(), may_come_back=True)
    assert "no ssh server" in error.problem
    assert str(server.port) in error.problem


@needs_sshd
def test_host_that_does_not_exist_is_told() -> None:
    absent = Ssh("nobody@no.such.host.invalid")
    assert "no host of that name" in refused(absent, may_come_back=True).problem


@needs_sshd
def test_board_without_a_runtime_says_what_to_run(server: Server) -> None:
    python = server.folder / "bin" / "python3"
    python.write_text("#!/bin/sh\nexec /usr/bin/env -i /usr/bin/false\n")
    error = refused(server.target())
    assert "no Python with a TFLite runtime" in error.problem
    assert "pip install ai-edge-litert" in error.remedy
    assert list((server.folder / "home" / ".cache" / "pocketgan").iterdir()) == []
    assert server.left_behind == []


@needs_sshd
@pytest.mark.slow
def test_board_with_a_bare_python_and_no_network_gets_a_runtime_once(
    server: Server, float_file: Path
) -> None:
    bare = Path(sys.base_prefix, "bin", "python3")
    no_index = "PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=http://127.0.0.1:9/ PIP_FIND_LINKS="
    (server.folder / "bin" / "python3").write_text(f'#!/bin/sh\n{no_index} exec {bare} "$@"\n')
    for _ in range(2):
        (measurement,) = measure(
            {"float32": float_file}, [server.target()], plan=MeasuringPlan(rounds=1, runs=4)
        )
        assert measurement.error is None
        assert measurement.runtime == "ai-edge-litert"
        (folder,) = (server.folder / "home" / ".cache" / "pocketgan").iterdir()
        assert folder.name == "venv"


@pytest.mark.parametrize("address", ["pi@board:22", "board", "me.x@10.0.0.7", "[fe80::1%eth0]:22"])
def test_address_is_accepted(address: str) -> None:
    assert find_target(f"ssh:{address}").name == f"ssh:{address}"


@pytest.mark.parametrize(
    "address", ["", "-oProxyCommand=x", "-p@host", "pi@-host", "a b", "pi@h;x", "pi@host:", "a@b@c"]
)
def test_address_that_ssh_could_misread_is_refused(address: str) -> None:
    assert ADDRESS.fullmatch(address) is None
    with pytest.raises(PocketganError, match="address"):
        find_target(f"ssh:{address}")
