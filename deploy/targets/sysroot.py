"""What an emulated ARM program finds around it: libraries, a Python, runtimes, a /proc/cpuinfo.

One folder a machine (arm64, armhf), unpacked from Debian packages and wheels. No root rights, no
containers, and the host's own packages and architectures stay as they are: apt gets a state folder
of its own, and nothing is installed, only unpacked. QEMU's user emulation (``-L FOLDER``) then
looks up each file that the program opens in there first.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy import cache_folder
from deploy.agent import read_text
from deploy.errors import PocketganError
from deploy.targets.installing import (
    LITERT,
    PIP,
    QUIET,
    TFLITE_RUNTIME,
    run_step,
    wheel_options,
)
from deploy.targets.target import Say

INSTALL_COMMAND = "pocketgan targets install arm"

# Of Debian 12, as are the names of the packages.
PYTHON = "3.11"
GLIBC_MINOR = 36  # wheels for this glibc (2.36) and all older ones run

PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3", "libffi8"),
    *("libbz2-1.0", "liblzma5", "libuuid1"),
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
)


@dataclass(frozen=True, kw_only=True)
class ArmMachine:
    """A kind of ARM system, and the cores that QEMU offers for it."""

    name: str
    """Debian's name of the architecture."""
    emulator: str
    packages: tuple[str, ...]
    wheels: str
    """The architecture in a wheel's name."""
    libraries: str
    """The folder of its libraries in /usr/lib."""
    runtimes: Mapping[str, tuple[str, ...]]
    """Runtime → the package to import, then what pip installs. The first is the usual one."""
    cores: Mapping[str, str]
    """QEMU's name of a core → the lines of /proc/cpuinfo that tell it."""

    @property
    def folder(self) -> Path:
        return folder() / self.name


def _cpuinfo(part: str, features: str, *, architecture: int = 8, variant: int = 0) -> str:
    """As the kernel writes it (arch/arm64/kernel/cpuinfo.c), for one core."""
    return (
        f"processor\t: 0\nBogoMIPS\t: 125.00\nFeatures\t: {features}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: {architecture}\nCPU variant\t: {variant:#x}\nCPU part\t: {part}\n"
        "CPU revision\t: 1\n\n"
    )


_ARMV8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_ARMV8_2 = f"{_ARMV8} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
_ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae"

ARM64 = ArmMachine(
    name="arm64",
    emulator="qemu-aarch64",
    packages=PACKAGES,
    wheels="aarch64",
    libraries="aarch64-linux-gnu",
    runtimes={
        "ai-edge-litert": ("ai_edge_litert", LITERT, "numpy==2.4.*"),
        "tflite-runtime": ("tflite_runtime", TFLITE_RUNTIME, "numpy==1.26.4"),
    },
    # LiteRT chooses its kernels by the part number; one that is not the emulated core's ends in
    # SIGILL, and none at all in SIGSEGV.
    cores={
        "cortex-a53": _cpuinfo("0xd03", _ARMV8),
        "cortex-a72": _cpuinfo("0xd08", _ARMV8),
        "cortex-a76": _cpuinfo("0xd0b", _ARMV8_2, variant=4),
        "neoverse-n1": _cpuinfo("0xd0c", _ARMV8_2, variant=4),
    },
)

ARMHF = ArmMachine(
    name="armhf",
    emulator="qemu-arm",
    # There are no wheels of numpy for 32-bit ARM.
    packages=(*PACKAGES, "python3-numpy", "libblas3", "liblapack3", "libgfortran5"),
    wheels="armv7l",
    libraries="arm-linux-gnueabihf",
    runtimes={"tflite-runtime": ("tflite_runtime", TFLITE_RUNTIME)},
    cores={"cortex-a15": _cpuinfo("0xc0f", _ARMV7, architecture=7, variant=4)},
)

MACHINES = (ARM64, ARMHF)


def folder() -> Path:
    """Where the sysroots live."""
    return cache_folder.cache() / "arm" / "sysroots"


def ready() -> bool:
    """Whether the sysroots are there, made as this version of pocketgan makes them."""
    return read_text(folder() / _RECORD) == _recipe()


def emulation(
    machine: ArmMachine,
    core: str,
    *,
    runtime: str,
    options: Sequence[str] = (),
    home: Path | None = None,
) -> tuple[list[str], dict[str, str]]:
    """The command that runs emulated Python on ``core``, and its whole environment.

    ``options`` are more of QEMU's; ``home`` is the machine's folder while it is being made.
    Nothing but the arguments of Python is left to add.

    Raises:
        PocketganError: the emulator is missing.
    """
    home = home or machine.folder
    qemu = [find_emulator(machine), "-L", str(home / "cores" / core), "-cpu", core, *options]
    # No script folder, no user packages. Not -I: that would ignore PYTHONHASHSEED.
    python = [str(home / "root" / "usr" / "bin" / f"python{PYTHON}"), "-s", "-P"]
    environment = {
        "PYTHONPATH": str(home / "runtimes" / runtime),
        "PYTHONHASHSEED": "0",  # the same dictionaries, the same number of instructions
        "OPENBLAS_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }
    return [*qemu, *python], environment


def find_emulator(machine: ArmMachine) -> str:
    """The path of QEMU's user emulation for ``machine``.

    Raises:
        PocketganError: it is not installed.
    """
    path = shutil.which(machine.emulator)
    if path is None:
        raise PocketganError(f"{machine.emulator} is not installed", "apt-get install qemu-user")
    return path


def install(say: Say) -> None:
    """Make the sysroots of all machines aside, then move them into place.

    Raises:
        PocketganError: QEMU, apt or pip is missing, the network is, or what was made does not run.
    """
    if ready():
        say(f"arm: sysroots already in {folder()}")
        return
    for machine in MACHINES:
        find_emulator(machine)
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            problem = f"no {tool} here: the ARM sysroots are made of Debian's packages"
            raise PocketganError(problem, "Use a Debian 12 system, or a container with one.")
    with cache_folder.aside(folder()) as aside:
        home = aside / "sysroots"
        _download(aside, say)
        for machine in MACHINES:
            _unpack(aside, machine, home / machine.name, say)
            _add_runtimes(machine, home / machine.name, say)
            _try(machine, home / machine.name, say)
        (home / _RECORD).write_text(_recipe())
        shutil.rmtree(folder(), ignore_errors=True)  # of another version, or broken
        home.rename(folder())
    say(f"arm: sysroots ready in {folder()}")


_RECORD = "sysroots.json"

# Packages of another architecture from the host's own sources, with a state of its own. What the
# host's settings do after an update or a download concerns the host's caches: not here.
_APT_SETTINGS = """
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
APT::Architecture "{native}";
APT::Architectures {{ {architectures} }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
"""


def _recipe() -> str:
    """All that the sysroots are made of, as text."""
    return json.dumps([vars(machine) for machine in MACHINES], indent=1)


def _download(aside: Path, say: Say) -> None:
    """Bring the packages of all machines to ``aside``/packages."""
    names = [machine.name for machine in MACHINES]
    apt = aside / "apt"
    for part in ("state/lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    settings = apt / "apt.conf"
    architectures = " ".join(f'"{name}";' for name in names)
    settings.write_text(
        _APT_SETTINGS.format(folder=apt, native=names[0], architectures=architectures)
    )
    packages = aside / "packages"
    packages.mkdir()
    say("arm: asking this system's package sources for ARM packages")
    # Sources without ARM packages make it complain; whether ours are there shows at the download.
    with suppress(PocketganError):
        run_step(["apt-get", "-c", str(settings), "-q", "update"], "apt-get")
    wanted = [f"{package}:{machine.name}" for machine in MACHINES for package in machine.packages]
    say(f"arm: downloading {len(wanted)} packages")
    run_step(
        ["apt-get", "-c", str(settings), "-q", "download", *wanted],
        "the Debian packages cannot be downloaded",
        remedy="Is the network there? And are Debian 12's packages among this system's sources?",
        cwd=packages,
    )


def _unpack(aside: Path, machine: ArmMachine, home: Path, say: Say) -> None:
    """The system, and what ``-L`` serves: a folder a core, all the same but for /proc/cpuinfo."""
    root = home / "root"
    root.mkdir(parents=True)
    say(f"arm: unpacking {machine.name}")
    for package in sorted((aside / "packages").glob(f"*_{machine.name}.deb")):
        run_step(["dpkg", "-x", str(package), str(root)], f"{package.name} cannot be unpacked")
    libraries = root / "usr" / "lib" / machine.libraries
    for name in ("blas", "lapack"):  # what Debian's alternatives would do
        if (libraries / name).is_dir():
            (libraries / f"lib{name}.so.3").symlink_to(f"{name}/lib{name}.so.3")
    for core, cpuinfo in machine.cores.items():
        served = home / "cores" / core
        (served / "proc").mkdir(parents=True)
        (served / "proc" / "cpuinfo").write_text(cpuinfo)
        for part in root.iterdir():
            (served / part.name).symlink_to(Path("../../root") / part.name)


def _add_runtimes(machine: ArmMachine, home: Path, say: Say) -> None:
    """Each runtime in a folder of its own: one wants numpy 1, the other numpy 2."""
    selected = wheel_options(PYTHON, machine.wheels, GLIBC_MINOR)
    for runtime, (_, *requirements) in machine.runtimes.items():
        say(f"arm: installing {', '.join(requirements)} for {machine.name}")
        target = str(home / "runtimes" / runtime)
        # Python compiles the few modules that are imported; pip would compile all.
        pip = [*PIP, "install", *QUIET, "--no-deps", "--no-compile"]
        run_step(
            [*pip, *selected, "--target", target, *requirements],
            f"the wheels of {runtime} for {machine.name} cannot be installed",
            remedy="Is the network there? Then try again.",
        )


def _try(machine: ArmMachine, home: Path, say: Say) -> None:
    """Import each runtime on the plainest core. Python keeps what it compiles for later."""
    core = next(iter(machine.cores))
    for runtime, (package, *_) in machine.runtimes.items():
        say(f"arm: trying {runtime} on an emulated {core}")
        command, environment = emulation(machine, core, runtime=runtime, home=home)
        run_step(
            [*command, "-c", f"import numpy, {package}.interpreter"],
            f"{runtime} does not run on an emulated {core}",
            environment=environment,
        )
