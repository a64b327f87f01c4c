from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.machine import (
    Machine,
    advice,
    describe_machine,
    graphics_cards,
    listed_numbers,
    memory_bandwidth,
)

CPU = "sys/devices/system/cpu"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_machine_can_be_described() -> None:
    machine = describe_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.versions.keys() == {"python", "ai-edge-litert", "numpy"}


def test_arm_board_is_read_from_its_system_files(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/cpuinfo": "Features\t: fp asimd asimddp crc32\nCPU part\t: 0xd0b\n",
            "proc/meminfo": "MemTotal:        1000 kB\nMemAvailable: 600 kB\nSwapTotal: 100 kB\n",
            "proc/loadavg": "0.52 0.58 0.59 1/97 10973\n",
            f"{CPU}/cpu0/cpufreq/scaling_governor": "ondemand\n",
            f"{CPU}/present": "0-3,8\n",
            f"{CPU}/cpu0/topology/thread_siblings_list": "0\n",
            f"{CPU}/cpufreq/boost": "0\n",
        },
    )
    machine = describe_machine(root)
    assert machine.cpu == "Cortex-A76"
    assert machine.flags == ("asimd", "asimddp")
    assert machine.governor == "ondemand"
    assert machine.cores_installed == 5
    assert machine.threads_a_core == 1
    assert machine.boost is False
    assert machine.load == 0.52
    assert machine.memory == 1_024_000
    assert machine.memory_free == 614_400
    assert machine.memory_swap == 102_400
    assert machine.virtual is None
    assert machine.memory_limit is None
    assert machine.container is None


def test_x86_flags_are_those_that_matter(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/cpuinfo": "flags\t\t: fpu avx_vnni avx2 hypervisor sse\n"})
    assert describe_machine(root).flags == ("avx2", "avx_vnni", "hypervisor")


def test_what_the_system_does_not_tell_is_none(tmp_path: Path) -> None:
    machine = describe_machine(tmp_path)
    always = {"system", "cpu", "cores", "versions"}
    untold = {name: value for name, value in vars(machine).items() if name not in always}
    assert untold.pop("flags") == ()
    assert set(untold.values()) == {None}


def test_lowest_limit_of_the_control_groups_above_counts(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/docker/box\n",
            "sys/fs/cgroup/docker/box/memory.max": "max\n",
            "sys/fs/cgroup/docker/memory.max": "2000\n",
            "sys/fs/cgroup/memory.max": "3000\n",
        },
    )
    machine = describe_machine(root)
    assert machine.memory_limit == 2000
    assert machine.container == "docker"


def test_version_1_control_groups_without_a_limit_have_none(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu:/a\n4:memory:/a\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert describe_machine(root).memory_limit is None


def test_podman_leaves_its_mark(tmp_path: Path) -> None:
    assert describe_machine(write(tmp_path, {"run/.containerenv": ""})).container == "podman"


@pytest.mark.parametrize(
    ("files", "boost"),
    [
        ({f"{CPU}/cpufreq/boost": "1"}, True),
        ({f"{CPU}/intel_pstate/no_turbo": "0"}, True),
        ({f"{CPU}/intel_pstate/no_turbo": "1"}, False),
    ],
)
def test_boost_is_told_in_two_ways(files: dict[str, str], boost: bool, tmp_path: Path) -> None:
    assert describe_machine(write(tmp_path, files)).boost is boost


def test_hardware_threads_of_a_core_are_counted(tmp_path: Path) -> None:
    files = {f"{CPU}/cpu0/topology/thread_siblings_list": "0,4\n"}
    assert describe_machine(write(tmp_path, files)).threads_a_core == 2


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/box\n",
            "sys/fs/cgroup/box/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
        },
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/box\n",
            "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    ],
    ids=["version 2", "version 1"],
)
def test_limit_on_processor_time_is_in_cores(files: dict[str, str], tmp_path: Path) -> None:
    assert describe_machine(write(tmp_path, files)).core_limit == 1.5


@pytest.mark.parametrize(
    ("cpuinfo", "vendor", "virtual"),
    [
        ("flags\t: fpu hypervisor\n", "QEMU", "QEMU"),
        ("flags\t: fpu hypervisor\n", "Microsoft Corporation", "of unknown make"),
        ("flags\t: fpu hypervisor\n", "", "of unknown make"),
        ("flags\t: fpu\n", "Amazon EC2", None),  # bare metal
        ("flags\t: fpu\n", "LENOVO", None),
        ("Features\t: asimd\n", "QEMU", "QEMU"),
        ("Features\t: asimd\n", "", None),
    ],
)
def test_virtual_machine_shows_by_its_flag_or_its_makers_name(
    cpuinfo: str, vendor: str, virtual: str | None, tmp_path: Path
) -> None:
    files = {"proc/cpuinfo": cpuinfo, "sys/class/dmi/id/sys_vendor": f"{vendor}\n"}
    assert describe_machine(write(tmp_path, files)).virtual == virtual


GIB = 1 << 30
FINE = Machine(
    system="Linux 6.1 aarch64",
    cpu="Cortex-A76",
    cores=4,
    cores_installed=4,
    threads_a_core=1,
    flags=("asimd", "asimddp"),
    governor="performance",
    boost=None,
    load=0.3,
    core_limit=None,
    memory=8 * GIB,
    memory_free=6 * GIB,
    memory_limit=None,
    memory_swap=0,
    container=None,
    virtual=None,
    versions={},
)


def test_nothing_is_said_against_a_quiet_board_or_one_that_tells_nothing() -> None:
    assert advice(FINE) == []
    fields = {"system": "", "cpu": "", "cores": 1, "flags": (), "versions": {}}
    assert advice(Machine(**dict.fromkeys(vars(FINE)) | fields)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"load": 2.1}, "load of the last minute is 2.1 on 4 cores"),
        ({"governor": "powersave"}, "cpupower frequency-set -g performance"),
        ({"virtual": "KVM"}, "virtual machine"),
        ({"core_limit": 0.5}, "0.5 of 4 cores"),
        ({"memory_limit": 512 << 20}, "512 MiB"),
        ({"memory_free": 100 << 20}, "100 MiB"),
        ({"flags": ("asimd",)}, "no int8 dot product"),
        ({"flags": ("avx2",)}, "no int8 dot product"),
    ],
)
def test_advice_names_what_makes_figures_doubtful(change: dict[str, Any], said: str) -> None:
    (sentence,) = advice(replace(FINE, **change))
    assert said in sentence


@pytest.mark.parametrize(
    "change",
    [
        {"load": 2.0},
        {"core_limit": 4.0},
        {"memory_limit": GIB},
        {"flags": ("avx2", "avx_vnni")},
        {"boost": True, "threads_a_core": 2},
    ],
)
def test_advice_is_silent_at_the_limits(change: dict[str, Any]) -> None:
    assert advice(replace(FINE, **change)) == []


def test_memory_bandwidth_counts_what_is_read_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0, 9, 10, 14, 20, 22, 30, 35, 40, 47, 50, 53])  # the fastest copy takes 2
    monkeypatch.setattr("deploy.machine.time.perf_counter", lambda: next(seconds))
    assert memory_bandwidth() == 64 << 20


def test_numbers_are_read_from_the_kernels_list() -> None:
    assert listed_numbers("0-3,6-7\n") == [0, 1, 2, 3, 6, 7]
    assert listed_numbers("0\n") == [0]
    assert listed_numbers("cat: Permission denied") == []


def test_cards_are_named_by_their_drivers_files(tmp_path: Path) -> None:
    folder = "proc/driver/nvidia/gpus"
    root = write(
        tmp_path,
        {
            f"{folder}/0000:01:00.0/information": "Model: \t\t NVIDIA T4\nIRQ:   16\n",
            f"{folder}/0000:02:00.0/information": "IRQ:   16\n",
        },
    )
    assert graphics_cards(root) == ["NVIDIA T4"]
    assert graphics_cards(tmp_path / "nothing") == []
