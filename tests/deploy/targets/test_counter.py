"""The counter counts what is known to be executed: machine code written here."""

import re
import subprocess
from pathlib import Path

import pytest

from deploy import cache_folder
from deploy.agent import BEGIN_MARK, EMPTY_BRACKETS, END_MARK
from deploy.errors import PocketganError
from deploy.targets import counter, sysroot
from deploy.targets.arm import cores
from deploy.targets.sysroot import ARM64

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
def emulator() -> None:
    state = cores()[0].availability()
    if not state.ready:
        pytest.skip(f"{state.detail}: {state.remedy}")
    counter.compile_plugin()


def count(code: list[int], folder: Path, core: str = CORE) -> list[int]:
    """Instructions, int8 products, loads and stores of ``code``."""
    answer = folder / "counts, all"  # a comma means something to QEMU
    python, environment = sysroot.emulation(ARM64, CORE, runtime="ai-edge-litert")
    python[python.index("-cpu") + 1] = core
    python[1:1] = counter.options(answer)
    command = [*python, "-c", PROGRAM, *map(str, (BEGIN_MARK, END_MARK, *code))]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    rows = [[int(field) for field in line.split()] for line in answer.read_text().splitlines()]
    assert len(rows) == 40
    without, with_code = rows[19], rows[39]  # the last of each: Python has settled
    costs = [b - a for a, b in zip(without, with_code, strict=True)]
    assert all(cost % 10 == 0 for cost in costs)
    return [cost // 10 for cost in costs]


@pytest.mark.usefixtures("emulator")
def test_instructions_loads_and_stores_are_counted_exactly(tmp_path: Path) -> None:
    code = [NOP, LOAD, MULTIPLY, LOAD, STORE, FLOAT_PRODUCT, LOAD_VECTOR]
    # A vector of 16 bytes is two accesses.
    assert count(code, tmp_path) == [7, 0, 4, 1]


@pytest.mark.usefixtures("emulator")
def test_int8_products_are_told_from_other_instructions(tmp_path: Path) -> None:
    code = [NOP, *INT8_PRODUCTS.values(), FLOAT_PRODUCT, MULTIPLY]
    assert count(code, tmp_path) == [len(code), len(INT8_PRODUCTS), 0, 0]


@pytest.mark.usefixtures("emulator")
def test_matrix_instructions_count_as_int8_products(tmp_path: Path) -> None:
    code = list(OF_ARMV8_6.values())
    assert count(code, tmp_path, "max") == [len(code), len(code), 0, 0]


def test_the_marks_are_those_that_the_agent_sets() -> None:
    values = dict(re.findall(r"(\w+_MARK) = (0x[0-9a-f]+)", counter.SOURCE.read_text()))
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
    assert counter.read_counts(answer, 3) == expected


@pytest.mark.parametrize("runs", [0, 2, 4])
def test_counts_of_another_number_of_runs_are_no_counts(runs: int, tmp_path: Path) -> None:
    assert counter.read_counts(write_counts(tmp_path / "counts", [1100] * 3), runs) is None
    assert counter.read_counts(tmp_path / "nothing", runs) is None


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not counter.can_compile()
    with pytest.raises(PocketganError, match="no C compiler") as caught:
        counter.compile_plugin()
    assert "gcc" in caught.value.remedy
    assert not list((cache_folder.cache() / "arm").iterdir())
