"""What kind of machine figures come from: all that a reader needs to judge times by."""

import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from deploy.agent import conditions, free_bytes, parse_cpu_name, read_text, usable_cores

# Instructions that int8 arithmetic profits from, as /proc/cpuinfo calls them; and a hypervisor's
# mark, because a virtual machine's clock has neighbours.
RELEVANT_FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),
    *("neon", "asimd", "asimddp", "i8mm", "sve"),
    "hypervisor",
)
# Of x86 and ARM: several int8 products summed up by one instruction.
DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}
VERSIONS = ("ai-edge-litert", "numpy")

# A minute's load above this, a core, is other programs' doing.
BUSY_LOAD = 0.5
LITTLE_MEMORY = 1 << 30
# Copied to measure bandwidth: more than most caches hold.
COPIED_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine. Sizes in bytes; None where the system does not tell."""

    system: str  # e.g. "Linux 6.1.0 x86_64"
    cpu: str
    cores: int  # that this process may use
    cores_installed: int | None
    threads_a_core: int | None  # hardware threads that share one core's units (SMT)
    flags: tuple[str, ...]  # of RELEVANT_FLAGS
    governor: str | None  # frequency scaling, e.g. "performance"
    boost: bool | None  # whether the processor may exceed its base frequency for a while
    load: float | None  # programs running or waiting to run, mean of the last minute
    core_limit: float | None  # cores' worth of time that the control groups allow
    memory: int | None  # installed
    memory_free: int | None  # for new programs here, without swapping
    memory_limit: int | None  # of the control groups this process is in
    memory_swap: int | None
    container: str | None  # e.g. "docker"
    virtual: str | None  # virtual machine: whose, e.g. "QEMU"; None where none shows
    versions: dict[str, str]  # of Python and the packages that measure


def describe_machine(root: Path = Path("/")) -> Machine:
    """Describe this machine from the system files below ``root``."""
    cpuinfo = read_text(root / "proc/cpuinfo")
    cpus = root / "sys/devices/system/cpu"
    siblings = cpus / "cpu0/topology/thread_siblings_list"
    meminfo = read_text(root / "proc/meminfo")
    kilobytes = dict(re.findall(r"^(\w+):\s*(\d+) kB$", meminfo, re.MULTILINE))
    sizes = {name: int(size) * 1024 for name, size in kilobytes.items()}
    load = read_text(root / "proc/loadavg").split()
    limits = [numbers[0] for numbers in group_limits(root, "memory") if numbers[0] < NO_LIMIT]
    quotas = [numbers for numbers in group_limits(root, "cpu") if len(numbers) == 2]
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=parse_cpu_name(cpuinfo) or platform.machine(),
        cores=len(usable_cores()),
        cores_installed=len(listed_numbers(read_text(cpus / "present"))) or None,
        threads_a_core=len(listed_numbers(read_text(siblings))) or None,
        flags=relevant_flags(cpuinfo),
        governor=conditions(root)["governor"],
        boost=boost(cpus),
        load=float(load[0]) if load else None,
        core_limit=min((quota / period for quota, period in quotas), default=None),
        memory=sizes.get("MemTotal"),
        memory_free=free_bytes(root),
        memory_limit=min(limits, default=None),
        memory_swap=sizes.get("SwapTotal"),
        container=container(root),
        virtual=virtual(root, cpuinfo),
        versions={"python": platform.python_version()} | {n: metadata.version(n) for n in VERSIONS},
    )


def advice(machine: Machine) -> list[str]:
    """What in this machine makes figures doubtful and what to do, a sentence or two each."""
    sentences = []
    if machine.load is not None and machine.load > BUSY_LOAD * machine.cores:
        sentences.append(
            f"Other programs are busy: the load of the last minute is {machine.load:.1f} on "
            f"{machine.cores} cores. End them or wait; until then trust no time."
        )
    if machine.governor is not None and machine.governor != "performance":
        sentences.append(
            f"The frequency governor is {machine.governor}: the processor may run slower than it "
            "can and change its speed in the middle. For steady times run: "
            "sudo cpupower frequency-set -g performance"
        )
    if machine.virtual is not None:
        sentences.append(
            "This is a virtual machine: its neighbours take time that shows nowhere. Trust ratios "
            "of variants measured together, not times; measure times on the device itself."
        )
    if machine.core_limit is not None and machine.core_limit < machine.cores:
        sentences.append(
            f"The container may use {machine.core_limit:g} of {machine.cores} cores' time and is "
            "paused when that is spent. Raise its limit, or measure outside of it."
        )
    limits = [size for size in (machine.memory_limit, machine.memory_free) if size is not None]
    if limits and min(limits) < LITTLE_MEMORY:
        sentences.append(
            f"Only {min(limits) / 2**20:.0f} MiB of memory may be used: larger models will be "
            "ended, or swapped. Free some, or raise the container's limit."
        )
    if machine.flags and not DOT_PRODUCTS & set(machine.flags):
        sentences.append(
            "This processor has no int8 dot product: int8 gains less here than on newer phones "
            "and desktops. Do not choose a variant for those by its times; measure a target that "
            "has it."
        )
    return sentences


def usable_memory(root: Path = Path("/")) -> int | None:
    """Bytes that programs may fill: what is installed, or less where control groups say so."""
    machine = describe_machine(root)
    sizes = (machine.memory, machine.memory_limit)
    return min((size for size in sizes if size is not None), default=None)


def graphics_cards(root: Path = Path("/")) -> list[str]:
    """The NVIDIA cards that a driver serves, by name, from the system files below ``root``."""
    folders = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    models = (re.search(r"^Model:\s*(.+)$", read_text(file), re.MULTILINE) for file in folders)
    return [match[1].strip() for match in models if match]


def memory_bandwidth() -> float:
    """Bytes a second, read and written together, of copying 64 MiB: the best of a few.

    As STREAM's copy counts them (McCalpin, "Memory bandwidth and machine balance in current high
    performance computers", 1995). One thread.
    """
    source = np.ones(COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    best = float("inf")
    for _ in range(6):  # the first one brings the target's pages in
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2 * COPIED_BYTES / best


def listed_numbers(ranges: str) -> list[int]:
    """The numbers in a list of the kernel, like ``0-3,8``; ascending."""
    bounds = re.findall(r"(\d{1,4})(?:-(\d{1,4}))?", ranges)
    return [each for first, last in bounds for each in range(int(first), int(last or first) + 1)]


def boost(cpus: Path) -> bool | None:
    """Whether the processor may exceed its base frequency; Intel's driver tells the opposite."""
    text, opposite = read_text(cpus / "cpufreq/boost"), read_text(cpus / "intel_pstate/no_turbo")
    if text:
        return text == "1"
    return opposite == "0" if opposite else None


def relevant_flags(cpuinfo: str) -> tuple[str, ...]:
    """Those of RELEVANT_FLAGS that ``cpuinfo`` lists (x86 says flags, ARM Features)."""
    match = re.search(r"^(?:flags|Features)\s*: (.+)$", cpuinfo, re.MULTILINE)
    listed = set(match.group(1).split()) if match else set()
    return tuple(flag for flag in RELEVANT_FLAGS if flag in listed)


# Controller → the files that hold its limit, in control groups of version 1 and of version 2.
LIMITS = {
    "memory": (("memory.limit_in_bytes",), ("memory.max",)),
    "cpu": (("cpu.cfs_quota_us", "cpu.cfs_period_us"), ("cpu.max",)),
}
# Version 1 control groups write "none" as the largest page-aligned 64-bit number.
NO_LIMIT = 1 << 62


def group_limits(root: Path, controller: str) -> Iterator[list[int]]:
    """The limits of this process's control groups for ``controller`` and of those above them: of
    memory in bytes, of the processor's time as quota and period."""
    mount = root / "sys/fs/cgroup"
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        names = LIMITS[controller][0 if controllers else 1]
        folder = (mount / controller if controllers else mount) / path.lstrip("/")
        for group in (folder, *folder.parents):
            numbers = " ".join(read_text(group / name) for name in names).split()
            if numbers and group.is_relative_to(mount) and all(map(str.isdigit, numbers)):
                yield [int(number) for number in numbers]


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


# Words in the names of makers and products that are virtual machines, and what to call them.
HYPERVISORS = {
    "qemu": "QEMU",
    "kvm": "KVM",
    "vmware": "VMware",
    "virtualbox": "VirtualBox",
    "microsoft corporation virtual": "Hyper-V",
    "xen": "Xen",
    "amazon ec2": "Amazon EC2",
    "google compute": "Google Compute Engine",
    "parallels": "Parallels",
}


def virtual(root: Path, cpuinfo: str) -> str | None:
    """The virtual machine that this seems to be. x86 has a flag for it, ARM only names."""
    flagged = "hypervisor" in relevant_flags(cpuinfo)
    if re.search(r"^flags\s*:", cpuinfo, re.MULTILINE) and not flagged:
        return None  # a whole machine out of a cloud bears the cloud's name too
    names = ("sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name", "sys/hypervisor/type")
    maker = " ".join(read_text(root / name) for name in names).lower()
    for word, name in HYPERVISORS.items():
        if word in maker:
            return name
    return "of unknown make" if flagged else None
