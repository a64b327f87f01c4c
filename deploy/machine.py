"""What kind of machine figures come from: all that a reader needs to judge times by."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from deploy.agent import find_int, parse_cpu_name, read_text

# Instructions that int8 arithmetic profits from, as /proc/cpuinfo calls them; and a hypervisor's
# mark, because a virtual machine's clock has neighbours.
RELEVANT_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
    "hypervisor",
)


@dataclass(frozen=True)
class Machine:
    """A machine. Sizes in bytes; None where the system does not tell."""

    system: str  # e.g. "Linux 6.1.0 x86_64"
    cpu: str
    cores: int  # that this process may use
    flags: tuple[str, ...]  # of RELEVANT_FLAGS
    governor: str | None  # frequency scaling, e.g. "performance"
    memory: int | None  # installed
    memory_limit: int | None  # of the control groups this process is in
    container: str | None  # e.g. "docker"


def describe_machine(root: Path = Path("/")) -> Machine:
    """Describe this machine from the system files below ``root``."""
    cpuinfo = read_text(root / "proc/cpuinfo")
    governor = read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    memory_kb = find_int(r"^MemTotal:\s*(\d+) kB", read_text(root / "proc/meminfo"))
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=parse_cpu_name(cpuinfo) or platform.machine(),
        cores=usable_cores(),
        flags=relevant_flags(cpuinfo),
        governor=governor or None,
        memory=None if memory_kb is None else memory_kb * 1024,
        memory_limit=memory_limit(root),
        container=container(root),
    )


def usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def relevant_flags(cpuinfo: str) -> tuple[str, ...]:
    """Those of RELEVANT_FLAGS that ``cpuinfo`` lists (x86 says flags, ARM Features)."""
    match = re.search(r"^(?:flags|Features)\s*: (.+)$", cpuinfo, re.MULTILINE)
    listed = set(match.group(1).split()) if match else set()
    return tuple(flag for flag in RELEVANT_FLAGS if flag in listed)


def memory_limit(root: Path) -> int | None:
    """The lowest memory limit, in bytes, of this process's control group and those above it."""
    limits = [
        int(text)
        for folder, file in control_groups(root)
        for group in (folder, *folder.parents)
        if group.is_relative_to(root / "sys/fs/cgroup")
        and (text := read_text(group / file)).isdigit()
    ]
    return min((limit for limit in limits if limit < NO_LIMIT), default=None)


# Version 1 control groups write "none" as the largest page-aligned 64-bit number.
NO_LIMIT = 1 << 62


def control_groups(root: Path) -> list[tuple[Path, str]]:
    """Folders of this process's memory control groups, versions 2 and 1, and the limit's file."""
    found = []
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        mount = root / "sys/fs/cgroup"
        if not controllers:
            found.append((mount / path.lstrip("/"), "memory.max"))
        elif "memory" in controllers.split(","):
            found.append((mount / "memory" / path.lstrip("/"), "memory.limit_in_bytes"))
    return found


def container(root: Path) -> str | None:
    """The kind of container that this process seems to run in."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    groups = read_text(root / "proc/self/cgroup")
    for word, kind in (("kubepods", "kubernetes"), ("docker", "docker"), ("lxc", "lxc")):
        if word in groups:
            return kind
    return None
