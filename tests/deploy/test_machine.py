from pathlib import Path

from deploy.machine import describe_machine


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_machine_can_be_described() -> None:
    machine = describe_machine()
    assert machine.cpu
    assert machine.cores >= 1


def test_arm_board_is_read_from_its_system_files(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/cpuinfo": "Features\t: fp asimd asimddp crc32\nCPU part\t: 0xd0b\n",
            "proc/meminfo": "MemTotal:        1000 kB\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        },
    )
    machine = describe_machine(root)
    assert machine.cpu == "Cortex-A76"
    assert machine.flags == ("asimd", "asimddp")
    assert machine.governor == "ondemand"
    assert machine.memory == 1_024_000
    assert machine.memory_limit is None
    assert machine.container is None


def test_x86_flags_are_those_that_matter(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/cpuinfo": "flags\t\t: fpu avx_vnni avx2 hypervisor sse\n"})
    assert describe_machine(root).flags == ("avx2", "avx_vnni", "hypervisor")


def test_what_the_system_does_not_tell_is_none(tmp_path: Path) -> None:
    machine = describe_machine(tmp_path)
    assert (machine.governor, machine.memory, machine.memory_limit) == (None, None, None)
    assert machine.flags == ()


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
