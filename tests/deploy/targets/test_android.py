"""Against the stand-in for an adb server of conftest.py; no phone is involved."""

import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Job
from deploy.targets import find_target, offered
from deploy.targets.adb import Client, Phone, PhoneError, read_device
from deploy.targets.android import Android, phones
from deploy.targets.local import Local
from deploy.targets.target import TargetLostError

OUTPUTS = Path(__file__).parent / "outputs"
SERIAL = "R58N12ABCDE"


def test_file_is_measured_by_the_phones_own_tool(adb, float_file: Path, int8_file: Path) -> None:
    adb.install("tf2.8_profile")
    files = {"float32": float_file, "int8": int8_file}
    float32, int8 = measure(files, phones(), plan=MeasuringPlan(rounds=2, runs=2048))
    assert float32.error is int8.error is None
    assert int8.target == f"android:{SERIAL}"
    assert int8.device == "Google Pixel 7, Android 14, Tensor GS201"
    assert int8.cpu == "Cortex-A55 + Cortex-A78"
    assert (int8.mean_ms, int8.min_ms, int8.init_ms) == (2950.34, 2727.568, 17.187)
    assert (int8.runs, int8.rounds, int8.spread) == (100, 2, 0)
    assert int8.profile is not None
    assert int8.profile[0].operation == "CONV_2D"
    assert int8.agreement is None
    assert {"p50_ms", "p90_ms", "output_sha256", "delegated"} <= set(int8.absent)
    assert list(adb.home.iterdir()) == [adb.home / "benchmark_model"]


def test_tool_is_given_the_job_and_the_files_very_bytes(adb, int8_file: Path) -> None:
    adb.install()
    plan = MeasuringPlan(rounds=1, runs=40, warmup=7, threads=(1, 2))
    one, two = measure({"int8": int8_file}, phones(), plan=plan)
    timed, *_ = (line for line in adb.ran if "--num_threads=2" in line and "profil" not in line)
    for flag in ("--use_xnnpack=true", "--warmup_runs=7", "--num_runs=40", "--min_secs=0"):
        assert flag in timed
    assert one.sha256 == two.sha256
    assert all(one.sha256 in line.split("--graph=")[1].split(".")[0] for line in adb.ran)
    assert all(line.split()[-2] == one.sha256 for line in adb.ran)
    assert sum("--enable_op_profiling" in line for line in adb.ran) == 2


def test_tool_times_a_slow_file_for_seconds_not_for_the_whole_limit(
    adb, int8_file: Path, job_for: Callable[..., Job]
) -> None:
    adb.install()
    with Android(SERIAL).open() as session:
        session(job_for(int8_file, budget_s=2.5), 60)
    assert all("--max_secs=2.5 " in line for line in adb.ran)


def test_conditions_are_those_of_the_cores_in_use(adb, int8_file: Path) -> None:
    adb.install()
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert measurement.before == measurement.after
    assert measurement.before is not None
    assert measurement.before.governor == "schedutil"
    assert measurement.before.mhz == 2802
    assert measurement.before.celsius == 41.5


def test_newer_tool_tells_the_median_and_the_delegated_share(adb, int8_file: Path) -> None:
    adb.install("litert_profile")
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=2, runs=8))
    assert measurement.p50_ms == 0.462
    assert measurement.delegated == 1
    assert measurement.peak_rss_kb == 11786
    assert "p50_ms" not in measurement.absent


def test_old_phone_without_the_new_shell_protocol_is_measured_alike(adb, int8_file: Path) -> None:
    adb.install()
    adb.features = "cmd"
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert measurement.error is None
    assert measurement.device == "Google Pixel 7, Android 14, Tensor GS201"
    assert measurement.before is not None
    assert measurement.before.governor == "schedutil"


def test_tool_of_the_user_is_pushed_and_removed_again(
    adb, int8_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "odd name; touch owned"
    tool.write_text(adb.tool(f"cat {OUTPUTS}/tf2.8_profile.txt"))
    monkeypatch.setenv("POCKETGAN_BENCHMARK_MODEL", str(tool))
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert measurement.error is None
    assert list(adb.home.iterdir()) == []


def test_latents_and_coarse_times_are_cautioned(adb, int8_file: Path, latents_file: Path) -> None:
    text = "count=2 curr=9(all same)\nInference timings in us: Init: 1, First inference: 9"
    adb.install(does=f"echo 'Initialized session in 0.1ms.\ncount=3 curr=9(all same)\n{text}'")
    plan = MeasuringPlan(rounds=1, runs=8, latents=latents_file, sustain_s=1)
    (measurement,) = measure({"int8": int8_file}, phones(), plan=plan)
    warnings = " ".join(measurement.warnings)
    assert all(word in warnings for word in ("microseconds", "latents", "sustained"))


def test_missing_tool_says_how_to_add_it(adb, int8_file: Path) -> None:
    with pytest.raises(PocketganError, match="POCKETGAN_BENCHMARK_MODEL"):
        measure({"int8": int8_file}, phones(), plan=MeasuringPlan())


def test_named_tool_that_is_no_file_is_told(
    adb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POCKETGAN_BENCHMARK_MODEL", str(tmp_path / "gone"))
    (target,) = phones()
    assert str(tmp_path / "gone") in target.availability().detail


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo 'ERROR: Failed to construct interpreter'; exit 1", "Failed to construct"),
        ("head -c 3000 /dev/urandom", "no summary"),
        ("true", "no summary"),
        ("kill -ILL $$", "SIGILL"),
        ("kill -SEGV $$", "SIGSEGV"),
        ("kill -KILL $$", "SIGKILL"),
        ("echo count=5; echo Inference timings in us: Init: 1", "unknown statistics"),
    ],
)
def test_failing_tool_is_an_error_measurement(adb, int8_file: Path, does: str, said: str) -> None:
    adb.install(does=does)
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=2, runs=8))
    assert said in str(measurement.error)
    assert list(adb.home.iterdir()) == [adb.home / "benchmark_model"]


def test_hanging_tool_is_ended_on_the_phone_too(adb, int8_file: Path) -> None:
    pid = adb.root / "pid"
    adb.install(does=f"echo $$ > {pid}; exec sleep 600")
    plan = MeasuringPlan(rounds=1, runs=8, time_limit=1)
    (measurement,) = measure({"int8": int8_file}, phones(), plan=plan)
    assert measurement.error == "no answer within 1 s"
    assert not Path("/proc", pid.read_text().strip()).exists()


def test_tool_runs_on_as_many_of_the_last_cores_as_it_has_threads(adb, int8_file: Path) -> None:
    last = max(os.sched_getaffinity(0))
    (adb.root / "sys/devices/system/cpu/online").write_text(f"{last}\n")
    mask = adb.root / "mask"
    adb.install(does=f"taskset -p $$ > {mask}; cat {OUTPUTS}/tf2.8_profile.txt")
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert mask.read_text().split()[-1] == f"{1 << last:x}"
    assert not any("pinned" in warning for warning in measurement.warnings)


def test_phone_that_refuses_to_pin_is_cautioned(adb, int8_file: Path) -> None:
    adb.install()
    adb.place("bin/taskset", "#!/bin/sh\nexit 1\n")
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert measurement.error is None
    assert any("pinned" in warning for warning in measurement.warnings)


def test_phone_that_goes_away_keeps_what_it_gave(adb, float_file: Path, int8_file: Path) -> None:
    adb.install()
    (target,) = phones()
    files, plan = {"float32": float_file, "int8": int8_file}, MeasuringPlan(rounds=1, runs=8)

    def unplug_later(command: str) -> None:
        if "--num_runs" in command and len(adb.ran) == 2:  # one measured, one profiled
            adb.unplug()

    adb.before_command = unplug_later
    first = measure(files, [target], plan=plan)
    none, error = sorted(m.error or "" for m in first)
    assert error.startswith(
        f"the phone {SERIAL} went away; then: target android:{SERIAL}: no phone"
    )
    assert none == ""

    adb.devices[SERIAL] = "device"
    adb.before_command = lambda command: None
    counts: list[int] = []
    again = measure(
        files,
        [target],
        plan=plan,
        earlier=first,
        on_progress=lambda _, done, total: counts.append(done),
    )
    assert counts == [1]
    assert [m.error for m in again] == [None, None]


@pytest.mark.parametrize("step", ["mkdir", "getprop", "thermal_zone", "cpuinfo"])
def test_phone_lost_at_any_step_is_lost(
    adb, int8_file: Path, job_for: Callable[..., Job], step: str
) -> None:
    adb.install()
    adb.before_command = lambda command: adb.unplug() if step in command else None
    with pytest.raises(TargetLostError, match=SERIAL), Android(SERIAL).open() as session:
        session(job_for(int8_file), 60)


@pytest.mark.parametrize("step", ["pm path", "mkdir", "getprop", "cpuinfo"])
def test_phone_that_does_not_answer_while_it_is_opened_costs_its_own_rows_only(
    adb, int8_file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    adb.install()
    shell = Phone.shell

    def silent_at_one_step(phone: Phone, script: str, *limits: float) -> tuple[int, str]:
        if step in script and ready:
            raise TimeoutError("adb read timeout")
        if "test -x" in script:
            ready.append(script)
        return shell(phone, script, *limits)

    ready: list[str] = []
    """Once it was asked whether it can measure, it falls silent."""
    monkeypatch.setattr(Phone, "shell", silent_at_one_step)
    other = Local()
    other.machine = "another board"
    plan = MeasuringPlan(rounds=1, runs=8, warmup=0)
    phone, board = measure({"int8": int8_file}, [Android(SERIAL), other], plan=plan)
    assert "the phone does not answer" in str(phone.error)
    assert board.error is None


def test_tool_of_the_user_that_went_away_is_told(
    adb, int8_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "benchmark_model"
    tool.write_text("#!/bin/sh\n")
    monkeypatch.setenv("POCKETGAN_BENCHMARK_MODEL", str(tool))
    target = Android(SERIAL)
    monkeypatch.setattr(target, "require", tool.unlink)
    with pytest.raises(PocketganError, match="cannot be read"), target.open():
        pass


def test_lost_server_is_a_lost_phone_and_none_is_started(adb) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    phone = Phone(Client("127.0.0.1", port), SERIAL)
    with pytest.raises(TargetLostError):
        phone.shell("true")
    assert Client("127.0.0.1", port).states() is None


def test_full_phone_is_an_error_measurement(adb, int8_file: Path) -> None:
    adb.install()
    adb.full = True
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert "did not take a file" in str(measurement.error)


def test_what_is_pushed_comes_back_byte_by_byte(adb) -> None:
    phone = Phone(Client("127.0.0.1", adb.server_address[1]), SERIAL)
    content = np.random.default_rng(3).bytes(300_001)
    phone.push(content, "/data/local/tmp/bytes", 0o640)
    assert phone.pull("/data/local/tmp/bytes") == content
    assert (adb.home / "bytes").stat().st_mode & 0o777 == 0o640
    adb.full = True
    with pytest.raises(PhoneError):
        phone.push(content, "/data/local/tmp/more")


def test_hostile_file_name_is_only_a_name(adb, float_file: Path, tmp_path: Path) -> None:
    adb.install()
    path = tmp_path / "--graph=x; touch owned `touch owned` '.tflite"
    path.write_bytes(float_file.read_bytes())
    (measurement,) = measure({"odd": path}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert measurement.error is None
    assert list(tmp_path.rglob("owned")) == []


def test_each_phone_is_offered_and_found(adb) -> None:
    adb.install()
    adb.devices["emulator-5554"] = "offline"
    names = {f"android:{SERIAL}", "android:emulator-5554"}
    assert names <= {target.name for target in offered()}
    assert find_target(f"android:{SERIAL}").availability().ready


def test_only_phone_needs_no_serial(adb) -> None:
    adb.install()
    assert find_target("android").availability().ready


@pytest.mark.parametrize("name", ["android", "android:nothing"])
def test_choice_between_phones_lists_them(adb, int8_file: Path, name: str) -> None:
    adb.devices["192.168.0.7:5555"] = "device"
    with pytest.raises(PocketganError, match="say which phone") as caught:
        measure({"int8": int8_file}, [find_target(name)], plan=MeasuringPlan())
    assert f"android:{SERIAL}, android:192.168.0.7:5555" in caught.value.problem


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("unauthorized", "allow USB debugging"),
        ("offline", "plug it in again"),
        ("no permissions", "udev"),
        ("recovery", "start it anew"),
    ],
)
def test_phone_that_is_not_ready_says_what_to_do(adb, state: str, remedy: str) -> None:
    adb.devices[SERIAL] = state
    (target,) = phones()
    availability = target.availability()
    assert not availability.ready
    assert remedy in availability.detail


def test_server_without_a_phone_is_told(adb) -> None:
    adb.devices.clear()
    (target,) = phones()
    assert "no phone is connected" in target.availability().detail


@pytest.mark.parametrize("port", ["1", "99999999", "none"])
def test_no_server_is_told_with_the_command_that_starts_it(
    adb, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", port)
    if port == "none":  # adb's own port, wherever that is free
        monkeypatch.setenv("ANDROID_ADB_SERVER_ADDRESS", "127.255.255.254")
    (target,) = phones()
    state = target.availability()
    assert (target.name, state.remedy) == ("android", "adb start-server")


def test_other_server_at_that_port_is_no_adb_server(adb, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shouting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Shouting) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(other.server_address[1]))
        (target,) = phones()
        state = target.availability()
        other.shutdown()
        thread.join()
    assert "no adb server answers" in state.detail


@pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb")
def test_real_adb_server_without_a_phone_is_understood(
    adb, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    command = ["adb", "-L", f"tcp:localhost:{port}", "server", "nodaemon"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as server:
        try:
            for _ in range(200):
                if (state := Android().availability()).remedy != "adb start-server":
                    break
                time.sleep(0.05)
        finally:
            server.kill()
    assert "no phone is connected" in state.detail


@pytest.mark.parametrize(
    ("properties", "device"),
    [
        ("Google\nPixel 7\n14\nGS201\ngs201\n", "Google Pixel 7, Android 14, GS201"),
        ("samsung\nSamsung A5\n9\n\nexynos9\n", "Samsung A5, Android 9, exynos9"),
        ("\r\nX\r\n\r\n\r\n\r\n", "X"),
        ("\n\n\n\n\n", None),
        ("", None),
    ],
)
def test_device_is_named_by_what_the_phone_tells(properties: str, device: str | None) -> None:
    assert read_device(properties) == device
