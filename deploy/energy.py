"""The energy of one inference, where the device counts it: INA sensors, RAPL, a battery.

Copied to a target beside ``agent.py``; needs Python 3.9 and nothing else.

The energy is the mean power over a stretch of inferences back to back, times the mean time of one
of them. A meter sees what it is soldered to: a board, a processor's package, a whole device. What
that draws at rest is not subtracted: a battery pays for it too, and it could not be measured under
the same load.

Sources: the kernel's Documentation/hwmon/sysfs-interface.rst, Documentation/power/powercap, and
Documentation/ABI/testing/sysfs-class-power.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[], float]

# Seconds between two readings, and how many times as long as a reading itself they are at least: a
# battery's controller may take milliseconds to answer, and what it costs must not be measured.
PERIOD_S = 0.01
READING_SHARE = 100
# A stretch ends when the meter has moved so often, and tells nothing when it moved fewer times: the
# first and the last step are each known to one step.
ENOUGH_STEPS = 200
FEWEST_STEPS = 20

UJ_PER_UWH = 3600.0
# An INA3221 has three channels; what it numbers higher are shunts and sums.
CHANNELS = (1, 2, 3)
# Labels of a channel that feeds the whole board, as NVIDIA's Jetsons have it: the others are parts.
WHOLE_BOARD = re.compile(r"(^|_)V?IN$")

NO_METER = (
    "this device shows no meter: no INA sensor (/sys/class/hwmon), no RAPL (/sys/class/powercap), "
    "no battery (/sys/class/power_supply)"
)


class Energy(NamedTuple):
    """Energy of one inference in mJ and what metered it, or why that is absent."""

    mj: float | None
    source: str | None
    absent: dict[str, str]

    @property
    def fields(self) -> dict[str, Any]:
        """As a measurement calls them."""
        return {"energy_mj": self.mj, "energy_source": self.source}


class Meter(NamedTuple):
    """Something that counts energy."""

    source: str
    """What it is, for a reader."""
    read: Read
    """µJ since some moment; raises OSError or ValueError where it cannot be read."""


class NoMeterError(Exception):
    """There is a meter, but it cannot be used; says why."""


def of_one_call(
    call: Callable[[], object], seconds: float | None, root: Path = Path("/")
) -> Energy:
    """The energy of ``call``, over and over for at most ``seconds``, by a meter below ``root``.

    Nothing is known, and nothing absent, where ``seconds`` is None: nobody asks.
    """
    if seconds is None:
        return Energy(None, None, {})
    try:
        meter = find_meter(root)
        watts, calls, took = watch_calls(call, meter, seconds)
    except NoMeterError as error:
        return Energy(None, None, {"energy_mj": str(error)})
    return Energy(watts * took / calls * 1e3, meter.source, {})


def watch_calls(
    call: Callable[[], object], meter: Meter, seconds: float
) -> tuple[float, int, float]:
    """Watts over many of ``call``, how many there were, and seconds that they took.

    Raises:
        NoMeterError: the meter tells too little for a figure, or nothing any more.
    """
    watch = Watch(meter)
    watch.start()
    clock = time.perf_counter
    calls, took, start = 0, 0.0, clock()
    while not calls or (took < seconds and watch.is_alive()):
        call()
        calls += 1
        took = clock() - start
    watch.end()
    if watch.problem:
        raise NoMeterError(f"{meter.source}: {watch.problem}")
    return mean_power(watch.steps, meter, took), calls, took


class Watch(threading.Thread):
    """Reads a meter until it has moved often enough, or until the end.

    Runtimes compute without Python's lock, so that a long inference is watched as well.
    """

    def __init__(self, meter: Meter) -> None:
        super().__init__(daemon=True)
        self.steps: list[tuple[float, float]] = []
        """Seconds and µJ at each change of the meter. What lies before the first one is unknown."""
        self.problem = ""
        self._meter = meter
        self._over = threading.Event()

    def run(self) -> None:
        clock = time.perf_counter
        last = None
        while len(self.steps) <= ENOUGH_STEPS and not self._over.is_set():
            start = clock()
            try:
                total = self._meter.read()
            except (OSError, ValueError) as error:
                self.problem = f"it can no longer be read: {error}"
                return
            now = clock()
            if last is not None and total != last:
                self.steps.append((now, total))
            last = total
            self._over.wait(max(PERIOD_S, READING_SHARE * (now - start)))

    def end(self) -> None:
        self._over.set()
        self.join()


def mean_power(steps: list[tuple[float, float]], meter: Meter, seconds: float) -> float:
    """Watts between the first and the last of ``steps`` (seconds, µJ), waited for ``seconds``.

    Raises:
        NoMeterError: they are too few for a figure, or the battery was charged meanwhile.
    """
    if len(steps) <= FEWEST_STEPS:
        raise NoMeterError(
            f"{meter.source}: moved {len(steps)} times in {seconds:.0f} s, and {FEWEST_STEPS + 1} "
            "are needed: give it longer, --energy SECONDS"
        )
    (begin, before), (end, after) = steps[0], steps[-1]
    if after <= before:
        raise NoMeterError(f"{meter.source}: it was charged meanwhile")
    return (after - before) / (end - begin) / 1e6


def find_meter(root: Path) -> Meter:
    """The first meter that can be used: a sensor of the board, the processor's own, a battery.

    Raises:
        NoMeterError: there is none, or none that can be used.
    """
    reasons = []
    for find in (find_ina, find_rapl, find_battery):
        try:
            meter = find(root / "sys/class")
        except NoMeterError as error:
            reasons.append(str(error))
        else:
            if meter is not None:
                return meter
    raise NoMeterError("; ".join(reasons) or NO_METER)


def find_ina(classes: Path) -> Meter | None:
    """INA2xx and INA3221 sensors: the channel of the whole board, or all channels together.

    hwmon tells power in µW, or current in mA and voltage in mV.
    """
    powers: dict[str, Read] = {}
    for folder in sorted((classes / "hwmon").glob("hwmon*")):
        chip = read_text(folder / "name")
        for channel in CHANNELS if re.fullmatch(r"ina\d{3,4}", chip) else ():
            power, current, voltage = (
                folder / f"{kind}{channel}_input" for kind in ("power", "curr", "in")
            )
            label = read_text(folder / f"in{channel}_label") or f"{folder.name}, {channel}"
            if can_read(power):
                powers[f"{chip.upper()} {label}"] = number_in(power)
            elif can_read(current) and can_read(voltage):
                powers[f"{chip.upper()} {label}"] = product(current, voltage)
    whole = [name for name in powers if WHOLE_BOARD.search(name)]
    chosen = whole[:1] or list(powers)
    reads = [powers[name] for name in chosen]
    return (
        Meter(" + ".join(chosen), flow(lambda: sum(read() for read in reads))) if chosen else None
    )


def find_rapl(classes: Path) -> Meter | None:
    """The processor's packages, without the parts that they contain. Two interfaces may show one.

    Raises:
        NoMeterError: only root may read it, as Linux has it since 5.10: who sees how much energy a
            computation takes can guess at its secrets (Lipp et al., "PLATYPUS", 2021).
    """
    zones: dict[str, Path] = {}
    for file in sorted((classes / "powercap").glob("*/energy_uj")):
        name = read_text(file.with_name("name"))
        if re.fullmatch(r"package-\d+(-die-\d+)?", name):  # a package of several dies has no other
            zones.setdefault(name, file)
    needed = (part for file in zones.values() for part in (file, _range_of(file)))
    closed = " ".join(str(file) for file in needed if not can_read(file))
    if closed:
        remedy = f"until the next start, sudo chmod a+r {closed} opens it"
        raise NoMeterError(f"RAPL is here, for root alone; {remedy}")
    reads = [rapl_counter(file) for file in zones.values()]
    return (
        Meter(f"RAPL {' + '.join(zones)}", lambda: sum(read() for read in reads)) if zones else None
    )


def find_battery(classes: Path) -> Meter | None:
    """The device's battery, while it feeds the device.

    Raises:
        NoMeterError: it does not, or its driver tells nothing of use.
    """
    reasons = []
    for folder in sorted((classes / "power_supply").glob("*")):
        if read_text(folder / "type") != "Battery" or read_text(folder / "scope") == "Device":
            continue  # a charger, or the battery of a mouse
        status = read_text(folder / "status")
        meter = battery_meter(folder)
        if status == "Discharging" and meter is not None:
            return meter
        problem = "tells neither charge nor current"
        if status != "Discharging":
            problem = f"does not feed this device ({status or 'status unknown'}): unplug the cable"
        reasons.append(f"the battery {folder.name} {problem}")
    if reasons:
        raise NoMeterError("; ".join(reasons))
    return None


def battery_meter(folder: Path) -> Meter | None:
    """By what the battery counts, or else by what flows: µWh, µAh, µW, µA and µV.

    Drivers do not agree on the sign of a current that leaves the battery.
    """
    energy, volts, power, current = (
        folder / f"{kind}_now" for kind in ("energy", "voltage", "power", "current")
    )
    charges = [folder / name for name in ("charge_counter", "charge_now")]
    charge = next(filter(can_read, charges), None)
    name = f"battery {folder.name}"
    if can_read(energy):
        microwatthours = number_in(energy)
        return Meter(f"{name}, energy_now", lambda: -microwatthours() * UJ_PER_UWH)
    if charge and can_read(volts):
        read = discharge(number_in(charge), number_in(volts))
        return Meter(f"{name}, {charge.name} × voltage_now", read)
    if can_read(power):
        return Meter(f"{name}, power_now", flow(number_in(power), renewed_seldom=True))
    if can_read(current) and can_read(volts):
        read = flow(product(current, volts, 1e-6), renewed_seldom=True)
        return Meter(f"{name}, current_now × voltage_now", read)
    return None


def _range_of(counter: Path) -> Path:
    return counter.with_name("max_energy_range_uj")


def rapl_counter(file: Path) -> Read:
    """µJ of a counter that starts anew after its range."""
    most = number_in(_range_of(file))()
    return summed(number_in(file), lambda before, now, _: (now - before) % most)


def discharge(charge: Read, voltage: Read) -> Read:
    """µJ of a charge in µAh that falls, at a voltage in µV."""
    factor = 1e-6 * UJ_PER_UWH
    return summed(charge, lambda before, now, _: (before - now) * voltage() * factor)


def flow(power: Read, *, renewed_seldom: bool = False) -> Read:
    """µJ of a power in µW of either sign: a reading holds for the time since the one before.

    One that is renewed seldom is the mean of the time since it was renewed before.
    """
    return summed(power, lambda _, now, seconds: abs(now) * seconds, at_changes=renewed_seldom)


def summed(
    read: Read, added: Callable[[float, float, float], float], *, at_changes: bool = False
) -> Read:
    """What has been added since the first call: by the reading before, the new one and the seconds
    in between. With ``at_changes`` a reading counts when it differs from the one before."""
    last: float | None = None
    since = total = 0.0

    def total_now() -> float:
        nonlocal last, since, total
        now, clock = read(), time.perf_counter()
        if last is None or now != last or not at_changes:
            total += 0.0 if last is None else added(last, now, clock - since)
            last, since = now, clock
        return total

    return total_now


def product(one: Path, other: Path, factor: float = 1.0) -> Read:
    first, second = number_in(one), number_in(other)
    return lambda: first() * second() * factor


def number_in(file: Path) -> Read:
    return lambda: int(file.read_text(encoding="ascii"))


def can_read(file: Path) -> bool:
    """Whether a number can be read there now."""
    try:
        number_in(file)()
    except (OSError, ValueError):
        return False
    return True


def read_text(file: Path) -> str:
    """A system file's text; empty where there is none or it may not be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
