"""What both backends for a phone share: what the phone is and does, and how a job may fail."""

import hashlib
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import Conditions, Job, Measurement, failure
from deploy.targets.adb import Phone
from deploy.targets.target import TargetLostError

SHOW_DEVICE = """
for name in product.manufacturer product.model build.version.release soc.model board.platform; do
  echo "$(getprop ro.$name)"
done
"""
SHOW_CONDITIONS = """
for file in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor \\
    /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq \\
    /sys/class/thermal/thermal_zone*/type /sys/class/thermal/thermal_zone*/temp; do
  echo "$file $(cat "$file")"
done 2>/dev/null
"""
CONDITION = re.compile(r"^(/sys/(?:\w+/)+\w+) (.+)$", re.MULTILINE | re.ASCII)


class AndroidBackend(ABC):
    """The demo app, or the user's tool, on ``phone``. What does not change is asked once."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._sent: set[str] = set()
        """Names of the files that are on the phone already."""
        self._cores = read_cores(phone.shell("cat /sys/devices/system/cpu/online")[1])
        self._device = read_device(phone.shell(SHOW_DEVICE)[1])
        self._cpu = agent.parse_cpu_name(phone.shell("cat /proc/cpuinfo")[1]) or None

    def answer(self, job: Job, time_limit: float) -> Measurement:
        """Carry out ``job`` in a fresh process; only TargetLostError is raised."""
        try:
            return self._measure(job, time_limit)
        except TargetLostError:
            raise
        except PocketganError as error:
            return failure(job, error.problem)
        except TimeoutError:
            return failure(job, f"no answer within {time_limit:g} s")
        except ValueError as error:
            return failure(job, str(error))
        except OSError as error:
            return failure(job, f"cannot be read: {error}")

    @abstractmethod
    def _measure(self, job: Job, time_limit: float) -> Measurement:
        """The figures; raises whatever goes wrong."""

    def _put(self, path: str, folder: str, suffix: str) -> str:
        """Push a file to ``folder`` unless it is there; its name there is made from its content."""
        content = Path(path).read_bytes()
        name = hashlib.sha256(content).hexdigest() + suffix
        if name not in self._sent:
            self._phone.push(content, f"{folder}/{name}")
            self._sent.add(name)
        return name

    def _last_cores(self, job: Job) -> list[int]:
        """The cores that ``job`` is given, one a thread: the big ones where cores differ."""
        return self._cores[-job.threads :]

    def _conditions(self, cores: Sequence[int]) -> Conditions:
        """What these cores are doing now."""
        files = CONDITION.findall(self._phone.shell(SHOW_CONDITIONS)[1].replace("\r", ""))
        with tempfile.TemporaryDirectory() as root:
            for path, content in files:
                file = Path(root, path.lstrip("/"))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content, encoding="utf-8")
            return Conditions(**agent.conditions(Path(root), cores))


def read_cores(online: str) -> list[int]:
    """The numbers in the kernel's list of ``online`` cores, e.g. "0-3,6"; ascending."""
    cores: list[int] = []
    for first, last in re.findall(r"(\d{1,3})(?:-(\d{1,3}))?", online):
        cores += range(int(first), int(last or first) + 1)
    return cores


def read_device(properties: str) -> str | None:
    """The phone as its maker calls it, its Android and its chip; None where it tells nothing."""
    maker, model, release, chip, board, *_ = [*map(str.strip, properties.splitlines()), *[""] * 5]
    name = model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()
    android = f"Android {release}" if release else ""
    return ", ".join(part for part in (name, android, chip or board) if part) or None
