"""What a phone is and what its processor is doing, asked through its shell."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy import agent
from deploy.jobs import Conditions
from deploy.targets.adb import Phone

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


class Facts:
    """Of one phone: what does not change is asked once."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self.cores = read_cores(phone.shell("cat /sys/devices/system/cpu/online")[1])
        self.device = read_device(phone.shell(SHOW_DEVICE)[1])
        self.cpu = agent.parse_cpu_name(phone.shell("cat /proc/cpuinfo")[1]) or None

    def last_cores(self, threads: int) -> list[int]:
        """The cores that a job with so many threads is given: the big ones where cores differ."""
        return self.cores[-threads:]

    def conditions(self, cores: Sequence[int]) -> Conditions:
        """What these cores are doing now."""
        shown = CONDITION.findall(self._phone.shell(SHOW_CONDITIONS)[1].replace("\r", ""))
        with tempfile.TemporaryDirectory() as root:
            for path, content in shown:
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


def read_device(shown: str) -> str | None:
    """The phone as its maker calls it, its Android and its chip; None where it tells nothing."""
    maker, model, release, chip, board, *_ = [*map(str.strip, shown.splitlines()), *[""] * 5]
    name = model if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()
    android = f"Android {release}" if release else ""
    return ", ".join(part for part in (name, android, chip or board) if part) or None
