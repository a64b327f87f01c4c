"""Meters in made-up trees of system files."""

import ast
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from deploy import energy

Tree = dict[str, str | int]
PACKAGE = "powercap/intel-rapl:0"
BATTERY = "power_supply/BAT0"
CHARGING = "power_supply/AC"
RAPL: Tree = {
    f"{PACKAGE}/name": "package-0",
    f"{PACKAGE}/energy_uj": 1_000_000,
    f"{PACKAGE}/max_energy_range_uj": 1_500_000,
}
DISCHARGING: Tree = {f"{BATTERY}/type": "Battery", f"{BATTERY}/status": "Discharging"}


class Clock:
    """Stands in for the module time."""

    now = 5.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(energy, "time", clock)
    return clock


def write(root: Path, tree: Tree) -> Path:
    for name, content in tree.items():
        file = root / "sys/class" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        put(file, content)
    return root


def put(file: Path, content: str | int) -> None:
    """The file's content, whole at any moment."""
    aside = file.with_name(f".{file.name}")
    aside.write_text(f"{content}\n")
    aside.replace(file)


@contextmanager
def moving(root: Path, name: str, value: Callable[[float], int], every: float) -> Iterator[None]:
    """Meanwhile ``name`` holds ``value`` of the seconds since, renewed as often."""
    over = threading.Event()
    start = time.perf_counter()

    def move() -> None:
        while not over.wait(every):
            put(root / "sys/class" / name, value(time.perf_counter() - start))

    mover = threading.Thread(target=move)
    mover.start()
    try:
        yield
    finally:
        over.set()
        mover.join()


def call() -> None:
    time.sleep(0.002)


def moved(read: Callable[[], float], file: Path, *values: int) -> list[float]:
    """What a meter reads before, and after each new content of its file."""
    readings = [read()]
    for value in values:
        put(file, value)
        readings.append(read())
    return readings


def test_energy_of_a_call_is_power_times_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "ENOUGH_STEPS", 30)
    meter = energy.Meter("clock", lambda: 5e6 * time.perf_counter())
    watts, calls, took = energy.watch_calls(call, meter, 600)
    assert watts == pytest.approx(5, rel=0.2)
    assert calls * 0.002 <= took


def test_power_is_that_between_the_first_and_the_last_step() -> None:
    meter = energy.Meter("counter", pytest.fail)
    steps = [(10 + 0.1 * n, 1e6 + 2e5 * n) for n in range(30)]
    assert energy.mean_power(steps, meter, 9) == pytest.approx(2)


def test_nothing_runs_and_nothing_is_absent_where_nobody_asks(tmp_path: Path) -> None:
    assert energy.of_one_call(pytest.fail, None, tmp_path) == (None, None, {})


def test_stretch_ends_once_the_counter_moved_often_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "ENOUGH_STEPS", 30)
    write(tmp_path, RAPL)
    # 5 W, around the end of the counter's range several times.
    with moving(tmp_path, f"{PACKAGE}/energy_uj", lambda s: int(5e6 * s) % 1_500_000, 0.005):
        result = energy.of_one_call(lambda: time.sleep(0.02), 600, tmp_path)
    assert (result.source, result.absent) == ("RAPL package-0", {})
    assert result.mj is not None
    assert 80 < result.mj < 500  # 100, unless the machine is busy


def test_inference_longer_than_the_stretch_is_watched_while_it_runs() -> None:
    meter = energy.Meter("clock", lambda: 1e6 * time.perf_counter())
    watts, calls, _ = energy.watch_calls(lambda: time.sleep(2), meter, 0.01)
    assert calls == 1
    assert watts == pytest.approx(1, rel=0.2)


def test_counter_starts_anew_after_its_range(tmp_path: Path) -> None:
    write(tmp_path, RAPL)
    read = energy.find_meter(tmp_path).read
    file = tmp_path / "sys/class" / PACKAGE / "energy_uj"
    assert moved(read, file, 1_400_000, 200_000) == [0, 400_000, 700_000]


def test_packages_count_once_and_their_parts_do_not(tmp_path: Path) -> None:
    write(tmp_path, RAPL)
    for zone, name in {
        "intel-rapl:1": "package-1",
        "intel-rapl:0:0": "core",
        "intel-rapl-mmio:0": "package-0",
    }.items():
        content = {
            f"{PACKAGE.replace('intel-rapl:0', zone)}/{k.rsplit('/')[-1]}": v
            for k, v in RAPL.items()
        }
        write(tmp_path, {**content, f"powercap/{zone}/name": name})
    meter = energy.find_meter(tmp_path)
    assert meter.source == "RAPL package-0 + package-1"
    meter.read()
    for zone in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0", "intel-rapl-mmio:0"):
        write(tmp_path, {f"powercap/{zone}/energy_uj": 1_000_100})
    assert meter.read() == 200


def test_dies_of_a_package_count_together(tmp_path: Path) -> None:
    for die in range(2):
        content = {name.replace(":0", f":{die}"): value for name, value in RAPL.items()}
        write(tmp_path, {**content, f"powercap/intel-rapl:{die}/name": f"package-0-die-{die}"})
    assert energy.find_meter(tmp_path).source == "RAPL package-0-die-0 + package-0-die-1"


@pytest.mark.parametrize("name", ["energy_uj", "max_energy_range_uj"])
def test_unreadable_counter_is_absent_with_what_opens_it(tmp_path: Path, name: str) -> None:
    write(tmp_path, RAPL)
    file = tmp_path / "sys/class" / PACKAGE / name
    file.unlink()
    file.mkdir()  # unreadable for root as well
    reason = energy.of_one_call(call, 1, tmp_path).absent["energy_mj"]
    assert "root alone" in reason
    assert f"sudo chmod a+r {file}" in reason


@pytest.mark.parametrize(
    ("tree", "source", "microwatts"),
    [
        ({"name": "ina219", "power1_input": 2_500_000}, "INA219 hwmon0, 1", 2_500_000),
        (
            {"name": "ina226", "curr1_input": 500, "in1_input": 5_000, "in0_input": 9},
            "INA226 hwmon0, 1",
            2_500_000,
        ),
        (
            {"name": "ina226", "curr1_input": -500, "in1_input": 5_000},
            "INA226 hwmon0, 1",
            2_500_000,
        ),
        (
            {
                "name": "ina3221",
                "curr1_input": 1_000,
                "in1_input": 5_000,
                "in1_label": "VDD_IN",
                "in2_label": "VDD_CPU",
                "curr2_input": 400,
                "in2_input": 5_000,
            },
            "INA3221 VDD_IN",
            5_000_000,
        ),
        (
            {
                "name": "ina3221",
                "curr1_input": 100,
                "in1_input": 5_000,
                "curr3_input": 200,
                "in3_input": 5_000,
                "curr4_input": 300,
                "in4_input": 1,
            },
            "INA3221 hwmon0, 1 + INA3221 hwmon0, 3",
            1_500_000,
        ),
    ],
)
def test_board_sensor_tells_power_in_its_own_units(
    tmp_path: Path, clock: Clock, tree: Tree, source: str, microwatts: int
) -> None:
    write(tmp_path, {f"hwmon/hwmon0/{name}": content for name, content in tree.items()})
    meter = energy.find_meter(tmp_path)
    assert meter.source == source
    assert meter.read() == 0
    clock.now += 2
    assert meter.read() == 2 * microwatts


def test_sensor_of_something_else_is_no_meter(tmp_path: Path) -> None:
    write(tmp_path, {"hwmon/hwmon0/name": "amdgpu", "hwmon/hwmon0/power1_input": 9})
    assert energy.of_one_call(call, 1, tmp_path).absent == {"energy_mj": energy.NO_METER}


@pytest.mark.parametrize(
    ("tree", "name", "fallen", "microjoules"),
    [
        # 1 µWh = 3,600 µJ; 1 µAh at 3.8 V = 13,680 µJ.
        (
            {"energy_now": 40_000_000, "current_now": 9, "voltage_now": 9},
            "energy_now",
            1_000,
            3.6e6,
        ),
        ({"charge_counter": 2_000_000, "voltage_now": 3_800_000}, "charge_counter", 100, 1.368e6),
        ({"charge_now": 2_000_000, "voltage_now": 3_800_000}, "charge_now", 100, 1.368e6),
    ],
)
def test_battery_that_discharges_counts_what_leaves_it(
    tmp_path: Path, tree: Tree, name: str, fallen: int, microjoules: float
) -> None:
    write(tmp_path, DISCHARGING | {f"{BATTERY}/{key}": value for key, value in tree.items()})
    meter = energy.find_meter(tmp_path)
    assert meter.source.startswith(f"battery BAT0, {name}")
    before, after = moved(
        meter.read, tmp_path / "sys/class" / BATTERY / name, int(tree[name]) - fallen
    )
    assert after - before == pytest.approx(microjoules)


def test_voltage_that_sags_under_load_is_not_taken_for_charge(tmp_path: Path) -> None:
    tree: Tree = {f"{BATTERY}/charge_now": 3_000_000, f"{BATTERY}/voltage_now": 3_800_000}
    write(tmp_path, DISCHARGING | tree)
    read = energy.find_meter(tmp_path).read
    assert moved(read, tmp_path / "sys/class" / BATTERY / "voltage_now", 3_700_000) == [0, 0]


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("name", ["current_now", "power_now"])
def test_what_flows_from_a_battery_counts_when_it_is_renewed(
    tmp_path: Path, clock: Clock, name: str, sign: int
) -> None:
    value = {"current_now": 500_000, "power_now": 1_900_000}[name]
    tree: Tree = {f"{BATTERY}/{name}": sign * value, f"{BATTERY}/voltage_now": 3_800_000}
    write(tmp_path, DISCHARGING | tree)
    read = energy.find_meter(tmp_path).read
    readings = [read()]
    for factor in (1, 2, 2, 1):
        put(tmp_path / "sys/class" / BATTERY / name, sign * factor * value)
        clock.now += 10
        readings.append(read())
    assert readings == pytest.approx([0, 0, 20 * 3.8e6, 20 * 3.8e6, 20 * 5.7e6])


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({}, energy.NO_METER),
        ({f"{BATTERY}/type": "Battery", f"{BATTERY}/scope": "Device"}, energy.NO_METER),
        ({f"{CHARGING}/type": "Mains", f"{CHARGING}/energy_now": 1}, energy.NO_METER),
        (
            DISCHARGING | {f"{BATTERY}/status": "Charging", f"{BATTERY}/energy_now": 5},
            "the battery BAT0 does not feed this device (Charging): unplug the cable",
        ),
        (DISCHARGING, "the battery BAT0 tells neither charge nor current"),
        (
            DISCHARGING | {f"{BATTERY}/energy_now": 5_000_000},
            "battery BAT0, energy_now: moved 0 times in 0 s, and 21 are needed: give it longer, "
            "--energy SECONDS",
        ),
    ],
)
def test_absent_energy_says_why(tmp_path: Path, tree: Tree, reason: str) -> None:
    result = energy.of_one_call(call, 0.05, write(tmp_path, tree))
    assert result == (None, None, {"energy_mj": reason})


def test_battery_that_is_charged_meanwhile_gives_no_energy() -> None:
    meter = energy.Meter("battery BAT0, energy_now", pytest.fail)
    with pytest.raises(energy.NoMeterError, match="BAT0, energy_now: it was charged meanwhile"):
        energy.mean_power([(n, -n) for n in range(30)], meter, 30)


def test_meter_that_goes_away_gives_no_energy(tmp_path: Path) -> None:
    write(tmp_path, RAPL)
    file = tmp_path / "sys/class" / PACKAGE / "energy_uj"
    calls = count()

    def unplug() -> None:
        call()
        if next(calls) == 20:
            file.unlink()

    reason = energy.of_one_call(unplug, 600, tmp_path).absent["energy_mj"]
    assert "can no longer be read" in reason


def test_reading_is_python_3_9() -> None:
    ast.parse(Path(energy.__file__).read_text(), feature_version=(3, 9))
