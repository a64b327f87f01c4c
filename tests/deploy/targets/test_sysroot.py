import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.agent import ARM_PARTS
from deploy.errors import PocketganError
from deploy.targets import sysroot
from deploy.targets.arm import cores
from deploy.targets.sysroot import MACHINES, ArmMachine

CORES = [(machine, core) for machine in MACHINES for core in machine.cores]


def stand_in(folder: Path, name: str, script: str = "exit 0") -> None:
    """A program ``name`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, with both emulators in it; and an empty cache."""
    folder = tmp_path / "tools"
    for machine in MACHINES:
        stand_in(folder, machine.emulator)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path / "cache"))
    return folder


def needs_sysroot() -> None:
    state = cores()[0].availability()
    if not state.ready:
        pytest.skip(f"{state.detail}: {state.remedy}")


@pytest.mark.parametrize(("machine", "core"), CORES, ids=[core for _, core in CORES])
def test_each_core_tells_its_own_name_and_the_system_behind_it_is_one(
    machine: ArmMachine, core: str
) -> None:
    needs_sysroot()
    python, environment = sysroot.emulation(machine, core, runtime=next(iter(machine.runtimes)))
    code = "import platform; print(platform.machine(), open('/proc/cpuinfo').read())"
    done = subprocess.run(
        [*python, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    architecture, cpuinfo = done.stdout.split(" ", 1)
    assert architecture == {"arm64": "aarch64", "armhf": "armv7l"}[machine.name]
    part = next(part for part, name in ARM_PARTS.items() if name.lower() == core)
    assert f"CPU part\t: {part}\n" in cpuinfo


def test_installed_sysroots_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_sysroot()
    lines: list[str] = []
    sysroot.install(lines.append)
    assert len(lines) == 1
    assert "already" in lines[0]

    newer = replace(MACHINES[0], packages=(*MACHINES[0].packages, "another"))
    monkeypatch.setattr(sysroot, "MACHINES", (newer, *MACHINES[1:]))
    assert not sysroot.ready()


def test_missing_emulator_is_named_with_its_package(tools: Path) -> None:
    (tools / "qemu-arm").unlink()
    with pytest.raises(PocketganError, match="qemu-arm is not installed") as caught:
        sysroot.install(lambda line: None)
    assert caught.value.remedy == "apt-get install qemu-user"


def test_system_without_debian_packages_is_told_so(tools: Path) -> None:
    with pytest.raises(PocketganError, match="no apt-get here") as caught:
        sysroot.install(lambda line: None)
    assert "Debian" in caught.value.remedy


def test_failed_download_says_why_and_leaves_nothing_behind(tools: Path) -> None:
    stand_in(tools, "dpkg")
    stand_in(tools, "apt-get", "echo 'E: Unable to locate package python3.11-minimal'; exit 100")
    with pytest.raises(PocketganError, match="Unable to locate package python") as caught:
        sysroot.install(lambda line: None)
    assert "Debian 12" in caught.value.remedy
    assert list(sysroot.folder().parent.iterdir()) == []


def test_download_asks_for_each_machine_and_keeps_to_folders_of_its_own(
    tools: Path, tmp_path: Path
) -> None:
    commands_file = tmp_path / "seen"
    stand_in(tools, "dpkg")
    stand_in(
        tools,
        "apt-get",
        f'echo "$@" >> {commands_file}; /bin/cat "$2" >> {commands_file}; exit 100',
    )
    with pytest.raises(PocketganError):
        sysroot.install(lambda line: None)
    text = commands_file.read_text()
    assert "libc6:arm64" in text
    assert "python3-numpy:armhf" in text
    parent = str(sysroot.folder().parent)
    for setting in ("Dir::State ", "Dir::State::status ", "Dir::Cache "):
        assert f'{setting}"{parent}' in text


@pytest.mark.slow
def test_whole_installation_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_sysroot()
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    lines: list[str] = []
    sysroot.install(lines.append)
    assert sysroot.ready()
    assert "ready" in lines[-1]
    assert [path.name for path in (tmp_path / "arm").iterdir()] == ["sysroots"]
