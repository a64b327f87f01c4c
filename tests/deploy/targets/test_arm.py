"""Real files on emulated cores. The heavier tests are slow: an emulated start takes seconds."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy import agent, cache_folder
from deploy.agent import BEGIN_MARK, EMPTY_BRACKETS, END_MARK
from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Measurement
from deploy.targets import arm, sysroot
from deploy.targets.arm import Arm, cores
from deploy.targets.sysroot import ARM64, MACHINES

LATENT = 16
OFFERED = [target.name for target in cores()]


def named(name: str) -> Arm:
    return next(target for target in cores() if target.name == name)


@pytest.fixture
def on() -> Callable[..., list[Measurement]]:
    """Measure files on a target by its name."""

    def run(name: str, *files: Path) -> list[Measurement]:
        state = named(name).availability()
        if not state.ready:
            pytest.skip(f"{state.detail}: {state.remedy}")
        return measure(
            {file.stem: file for file in files}, [named(name)], plan=MeasuringPlan(threads=(1, 2))
        )

    return run


def test_every_core_is_offered_once_with_each_runtime_that_has_wheels() -> None:
    both = [f"arm:{core}" for core in ARM64.cores]
    assert sorted(OFFERED) == sorted(
        ["arm:cortex-a15", *both, *(f"{name}:tflite-runtime" for name in both)]
    )
    assert len(both) == 4


def test_a_core_with_dot_products_uses_them_for_int8_and_draws_what_the_desktop_draws(
    on: Callable[..., list[Measurement]], int8_file: Path, float_file: Path
) -> None:
    int8, floats = on("arm:cortex-a76", int8_file, float_file)
    assert int8.error is floats.error is None
    assert int8.threads == 1
    assert int8.cpu == "Cortex-A76"
    assert int8.device is not None
    assert int8.device.startswith("emulated by QEMU 7")
    assert int8.agreement is not None
    assert int8.agreement.equal
    assert int8.instructions is not None
    assert int8.dot_products is not None
    assert int8.loads is not None
    assert int8.stores is not None
    # 16 multiplications a dot product: a network of 16·32 + 32·64 weights needs 160 of them.
    assert 160 <= int8.dot_products < int8.instructions
    assert 0 < int8.stores < int8.loads < int8.instructions
    assert floats.dot_products == 0


def test_nothing_is_timed_and_each_missing_figure_says_why(
    on: Callable[..., list[Measurement]], int8_file: Path
) -> None:
    (measurement,) = on("arm:cortex-a15", int8_file)
    assert measurement.error is None
    assert (measurement.cpu, measurement.runtime) == ("Cortex-A15", "tflite-runtime")
    assert measurement.p50_ms is measurement.first_ms is measurement.histogram is None
    assert measurement.absent["p90_ms"] == "emulated time says nothing"
    assert measurement.absent["peak_rss_kb"] == arm.OF_THE_EMULATOR
    assert not {"instructions", "dot_products", "loads", "stores"} & set(measurement.absent)
    assert measurement.dot_products == 0
    assert measurement.warnings == ()
    assert measurement.before is measurement.after is None


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL"),
    ],
)
def test_signal_inside_the_emulator_is_named(
    code: str,
    said: str,
    on: Callable[..., list[Measurement]],
    float_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = tmp_path / "agent.py"
    script.write_text(code)
    monkeypatch.setattr(agent, "__file__", str(script))
    (measurement,) = on("arm:cortex-a53", float_file)
    assert measurement.error is not None
    assert said in measurement.error


def test_an_emulator_that_does_not_count_is_an_error(
    on: Callable[..., list[Measurement]], float_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm, "counter_options", lambda answer: [])
    (measurement,) = on("arm:cortex-a53", float_file)
    assert measurement.error == "the emulator did not count each run"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder on PATH; and an empty cache."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path / "cache"))
    yield folder
    arm.loads_plugins.cache_clear()


def emulator(folder: Path, help_text: str) -> None:
    (folder / "qemu-aarch64").write_text(f"#!/bin/sh\necho '{help_text}'\n")
    (folder / "qemu-aarch64").chmod(0o755)


def test_missing_emulator_is_not_ready_and_names_its_package(tools: Path) -> None:
    state = Arm(ARM64, "cortex-a53", "ai-edge-litert").availability()
    assert not state.ready
    assert state.remedy == "apt-get install qemu-user"


def test_emulator_without_plugins_is_not_ready_and_says_so(tools: Path) -> None:
    emulator(tools, "-cpu model")
    state = Arm(ARM64, "cortex-a53", "ai-edge-litert").availability()
    assert not state.ready
    assert state.detail == "not measurable here: this QEMU cannot load plugins"


def test_missing_sysroot_names_the_command_that_adds_it(tools: Path) -> None:
    emulator(tools, "-plugin file")
    (tools / "cc").symlink_to("/bin/true")
    state = Arm(ARM64, "cortex-a53", "ai-edge-litert").availability()
    assert not state.ready
    assert state.remedy == "pocketgan targets install arm"


@pytest.mark.slow
@pytest.mark.parametrize("core", [core for machine in MACHINES for core in machine.cores])
def test_instruction_counts_repeat_over_five_processes(
    core: str, on: Callable[..., list[Measurement]], int8_file: Path, float_file: Path
) -> None:
    rounds = [on(f"arm:{core}", int8_file, float_file) for _ in range(5)]
    for variant in zip(*rounds, strict=True):
        counts = [measurement.instructions or 0 for measurement in variant]
        assert max(counts) - min(counts) <= 1e-4 * min(counts)
        assert min(counts) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFERED)
def test_ten_int8_generators_draw_the_same_on_every_core(
    name: str, on: Callable[..., list[Measurement]], generators: list[Path]
) -> None:
    measurements = on(name, *generators)
    assert len(measurements) == 10
    litert = name in {f"arm:{core}" for core in ARM64.cores}
    for measurement in measurements:
        assert measurement.error is None, (measurement.variant, measurement.error)
        assert measurement.agreement is not None
        # Layers behind tflite-runtime's bilinear resize make two steps of its one.
        most = 0 if litert else 2 if measurement.variant == "bilinear-conv" else 1
        assert measurement.agreement.largest <= most, measurement.variant


@pytest.fixture(scope="session")
def generators(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten int8 generators, random weights: each way to double a picture, each activation."""
    import tf_keras
    from tf_keras import layers as k

    from pipeline.networks.layers import DepthToSpace
    from pipeline.tflite.convert import to_int8_post_training

    tf_keras.utils.set_random_seed(3)
    up = {"strides": 2, "padding": "same"}
    bodies: dict[str, list[object]] = {
        "dense": [k.Dense(64, activation="relu"), k.Dense(64, activation="tanh")],
        "dense-leaky": [k.Dense(64), k.LeakyReLU(0.2), k.Dense(64, activation="sigmoid")],
        "transposed-conv": _map(k.Conv2DTranspose(8, 4, activation="relu", **up)),
        "transposed-conv-leaky": _map(k.Conv2DTranspose(8, 4, **up), k.LeakyReLU(0.2)),
        "nearest-conv": _map(k.UpSampling2D(), k.Conv2D(8, 3, padding="same", activation="relu")),
        "bilinear-conv": _map(
            k.UpSampling2D(interpolation="bilinear"), k.Conv2D(8, 3, padding="same")
        ),
        "depth-to-space": _map(k.Conv2D(32, 3, padding="same"), DepthToSpace(2)),
        "depthwise": _map(
            k.UpSampling2D(), k.DepthwiseConv2D(3, padding="same"), k.Conv2D(8, 1), k.ReLU(6.0)
        ),
        "two-transposed": _map(
            k.Conv2DTranspose(12, 4, activation="relu", **up), k.Conv2DTranspose(6, 3, **up)
        ),
        "residual-free-deep": _map(
            *(k.Conv2D(12, 3, padding="same", activation="relu") for _ in range(3)),
            k.Conv2DTranspose(8, 2, **up),
        ),
    }
    folder = tmp_path_factory.mktemp("generators")
    latents = np.random.default_rng(3).standard_normal((32, LATENT)).astype(np.float32)
    paths = []
    for name, body in bodies.items():
        network = tf_keras.Sequential([k.Input((LATENT,), batch_size=1), *body])
        path = folder / f"{name}.tflite"
        path.write_bytes(to_int8_post_training(network, latents))
        paths.append(path)
    return paths


def _map(*body: object) -> list[object]:
    """A dense layer to a small map, ``body``, a convolution to a grey picture in [-1, 1]."""
    from tf_keras import layers as k

    last = k.Conv2D(1, 3, padding="same", activation="tanh")
    return [k.Dense(4 * 4 * 12, activation="relu"), k.Reshape((4, 4, 12)), *body, last]


# The counter counts what is known to be executed: machine code written here.

CORE = "cortex-a76"

# A64, as an assembler writes them. x0 points to 64 bytes that can be written.
NOP = 0xD503201F
LOAD = 0xF9400001  # ldr x1, [x0]
LOAD_VECTOR = 0x3DC00000  # ldr q0, [x0]: 16 bytes
STORE = 0xF9000001  # str x1, [x0]
MULTIPLY = 0x9B007C02  # mul x2, x0, x0
FLOAT_PRODUCT = 0x4E22CC20  # fmla v0.4s, v1.4s, v2.4s
INT8_PRODUCTS = {
    "sdot v0.4s, v1.16b, v2.16b": 0x4E829420,
    "sdot v0.2s, v1.8b, v2.8b": 0x0E829420,
    "udot v0.4s, v1.16b, v2.16b": 0x6E829420,
    "sdot v0.4s, v1.16b, v2.4b[3]": 0x4FA2E820,
    "udot v0.4s, v1.16b, v31.4b[1]": 0x6FBFE020,
}
OF_ARMV8_6 = {
    "usdot v0.4s, v1.16b, v2.16b": 0x4E829C20,
    "usdot v0.4s, v1.16b, v2.4b[2]": 0x4F82F820,
    "sudot v0.4s, v1.16b, v2.4b[1]": 0x4F22F020,
    "smmla v0.4s, v1.16b, v2.16b": 0x4E82A420,
    "ummla v0.4s, v1.16b, v2.16b": 0x6E82A420,
    "usmmla v0.4s, v1.16b, v2.16b": 0x4E82AC20,
}

# Runs nothing, then ten times the code, between two marks.
PROGRAM = """
import ctypes, mmap, os, sys
begin, end, *code = map(int, sys.argv[1:])
page = mmap.mmap(-1, 1 << 16, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
start = ctypes.addressof(ctypes.c_char.from_buffer(page))
data = ctypes.create_string_buffer(64)
for times in (0, 10):
    words = code * times + [0xD65F03C0]  # ret
    place = 4096 * (1 + times)
    page[place : place + 4 * len(words)] = b"".join(w.to_bytes(4, "little") for w in words)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(start + place)
    for _ in range(20):
        os.access("", begin)
        function(data)
        os.access("", end)
"""


@pytest.fixture(scope="module")
def counter() -> None:
    state = cores()[0].availability()
    if not state.ready:
        pytest.skip(f"{state.detail}: {state.remedy}")
    arm.compile_counter()


def count(code: list[int], folder: Path, core: str = CORE) -> list[int]:
    """Instructions, int8 products, loads and stores of ``code``."""
    answer = folder / "counts, all"  # a comma means something to QEMU
    python, environment = sysroot.emulation(ARM64, CORE, runtime="ai-edge-litert")
    python[python.index("-cpu") + 1] = core
    python[1:1] = arm.counter_options(answer)
    command = [*python, "-c", PROGRAM, *map(str, (BEGIN_MARK, END_MARK, *code))]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    rows = [[int(field) for field in line.split()] for line in answer.read_text().splitlines()]
    assert len(rows) == 40
    without, with_code = rows[19], rows[39]  # the last of each: Python has settled
    costs = [b - a for a, b in zip(without, with_code, strict=True)]
    assert all(cost % 10 == 0 for cost in costs)
    return [cost // 10 for cost in costs]


@pytest.mark.usefixtures("counter")
def test_instructions_loads_and_stores_are_counted_exactly(tmp_path: Path) -> None:
    code = [NOP, LOAD, MULTIPLY, LOAD, STORE, FLOAT_PRODUCT, LOAD_VECTOR]
    # A vector of 16 bytes is two accesses.
    assert count(code, tmp_path) == [7, 0, 4, 1]


@pytest.mark.usefixtures("counter")
def test_int8_products_are_told_from_other_instructions(tmp_path: Path) -> None:
    code = [NOP, *INT8_PRODUCTS.values(), FLOAT_PRODUCT, MULTIPLY]
    assert count(code, tmp_path) == [len(code), len(INT8_PRODUCTS), 0, 0]


@pytest.mark.usefixtures("counter")
def test_matrix_instructions_count_as_int8_products(tmp_path: Path) -> None:
    code = list(OF_ARMV8_6.values())
    assert count(code, tmp_path, "max") == [len(code), len(code), 0, 0]


def test_the_marks_are_those_that_the_agent_sets() -> None:
    values = dict(re.findall(r"(\w+_MARK) = (0x[0-9a-f]+)", arm.COUNTER_SOURCE.read_text()))
    assert {name: int(value, 16) for name, value in values.items()} == {
        "BEGIN_MARK": BEGIN_MARK,
        "END_MARK": END_MARK,
    }


def write_counts(path: Path, runs: list[int]) -> Path:
    empty = ["100 0 10 5"] * EMPTY_BRACKETS
    path.write_text("\n".join([*empty, *(f"{run} 40 110 55" for run in runs)]) + "\n")
    return path


def test_a_cost_is_the_median_run_less_the_median_empty_bracket(tmp_path: Path) -> None:
    answer = write_counts(tmp_path / "counts", [1100, 9000, 1102])
    expected = {"instructions": 1002, "dot_products": 40, "loads": 100, "stores": 50}
    assert arm.read_counts(answer, 3) == expected


@pytest.mark.parametrize("runs", [0, 2, 4])
def test_counts_of_another_number_of_runs_are_no_counts(runs: int, tmp_path: Path) -> None:
    assert arm.read_counts(write_counts(tmp_path / "counts", [1100] * 3), runs) is None
    assert arm.read_counts(tmp_path / "nothing", runs) is None


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not arm.can_compile_counter()
    with pytest.raises(PocketganError, match="no C compiler") as caught:
        arm.compile_counter()
    assert "gcc" in caught.value.remedy
    assert not list(cache_folder.cache().glob("arm/*"))
