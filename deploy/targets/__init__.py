"""Where a variant can be measured. One file a kind of place; a name is KIND or KIND:DETAIL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.errors import PocketganError, one_of
from deploy.targets import android, arm, npu, shelf, sysroot, vela
from deploy.targets.browser import Browser
from deploy.targets.browser_phone import PhoneBrowser
from deploy.targets.litert_benchmark import LitertBenchmark
from deploy.targets.local import Local, Micro, TfliteRuntime
from deploy.targets.ssh import Ssh
from deploy.targets.target import Say, Target


@dataclass(frozen=True)
class TargetKind:
    """A kind of target."""

    describe: str
    offered: Callable[[], Sequence[Target]]
    """Those that this machine has, or could have."""
    find: Callable[[str], Target | None] = lambda detail: None
    """One by the DETAIL of its name, where that cannot be listed (a host); None: no such one."""


KINDS: Mapping[str, TargetKind] = {
    "local": TargetKind("this machine", lambda: [Local(), Local(xnnpack=False), TfliteRuntime()]),
    "litert-benchmark": TargetKind(
        "this machine by LiteRT's own tool: a second opinion", lambda: [LitertBenchmark()]
    ),
    "browser": TargetKind(
        "a browser: of this machine, or of a phone that scans a code, browser:phone[:ADDRESS]; "
        "browser:webgpu and browser:phone:webgpu draw by the GPU",
        lambda: [Browser(), Browser("webgpu"), PhoneBrowser()],
        PhoneBrowser.named,
    ),
    "micro": TargetKind("a microcontroller's runtime: memory, not speed", lambda: [Micro()]),
    "arm": TargetKind("an ARM core, emulated: its instructions are counted", arm.cores),
    "npu": TargetKind("an Arm NPU, by its compiler's report: nothing is run", npu.accelerators),
    "android": TargetKind("a phone, through adb: android:SERIAL", android.phones, android.Android),
    "ssh": TargetKind("a board reached by ssh: ssh:user@host[:port]", list, Ssh),
}

INSTALLERS: Mapping[str, Callable[[Say], None]] = {
    "tflite-runtime": TfliteRuntime.environment.install,
    "arm": sysroot.install,
    "micro": Micro.environment.install,
    "npu": vela.ENVIRONMENT.install,
}
"""What ``pocketgan targets install NAME`` adds; each tells its steps, a line at a time."""


def install(name: str, say: Say) -> None:
    """Add what the targets that need ``name`` lack.

    Raises:
        PocketganError: nothing is called so (lists what is), or a step failed.
    """
    if name not in INSTALLERS:
        raise PocketganError(f"nothing to install is called {name!r}", one_of(name, INSTALLERS))
    INSTALLERS[name](say)


def offered() -> list[Target]:
    """All targets that can be listed, whether or not they are ready."""
    return [target for kind in KINDS.values() for target in kind.offered()]


def find_target(name: str, say: Say = Target.say) -> Target:
    """The target called ``name``, which calls ``say`` with what a person must do there.

    Raises:
        PocketganError: there is no such target; lists those that there are.
    """
    if boards := _boards(name):
        raise PocketganError(
            f"{name} is a shelf, and one target is meant", one_of("", boards.values())
        )
    kind, _, detail = name.partition(":")
    match = next((target for target in offered() if target.name == name), None)
    if match is None and kind in KINDS:
        match = KINDS[kind].find(detail)
    if match is None:
        names = [target.name for target in offered()]
        raise PocketganError(f"no target is called {name!r}", one_of(name, names))
    match.say = say
    return match


def find_targets(names: Sequence[str], say: Say = Target.say) -> list[Target]:
    """The targets called ``names``, each once, with the boards of a shelf in its place.

    Raises:
        PocketganError: there is no such target or shelf, a shelf cannot be read, or two boards have
            one label.
    """
    targets: dict[str, Target] = {}
    owners: dict[str, str] = {}
    for name in names:
        boards = _boards(name)
        for label, board in boards.items():
            if owners.setdefault(label, board) != board:
                problem = f"{name} calls {board} {label!r}, and another shelf {owners[label]}"
                raise PocketganError(problem, "Give one of them another label.")
            target = find_target(board, say)
            target.label = label
            targets[board] = target
        if not boards and name not in targets:
            targets[name] = find_target(name, say)
    return list(targets.values())


def _boards(name: str) -> dict[str, str]:
    """Label → target's name, of a shelf; of nothing else."""
    return {k: v for path in shelf.paths([name]) for k, v in shelf.read_shelf(path).items()}
