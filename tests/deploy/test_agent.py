import ast
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from deploy import agent
from deploy.jobs import FIGURES, Job, Measurement
from deploy.machine import describe_machine
from deploy.targets.local import COMMAND

MakeJob = Callable[..., Job]
# What one round on a desktop cannot tell.
UNTOLD = {*agent.COUNTS, "arena_bytes", "spread"}


def ask(job: Job | str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the agent; return the process and its answer."""
    text = job if isinstance(job, str) else job.model_dump_json()
    process = subprocess.run(COMMAND, input=text, capture_output=True, text=True, timeout=60)
    return process, json.loads(process.stdout)


def infer(path: Path, feeds: list[np.ndarray]) -> str:
    """sha256 of the outputs of ``feeds``, by the plainest means."""
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    outputs = b""
    for feed in feeds:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], feed)
        interpreter.invoke()
        index = interpreter.get_output_details()[0]["index"]
        outputs += interpreter.get_tensor(index).tobytes()
    return hashlib.sha256(outputs).hexdigest()


@pytest.mark.parametrize("kind", ["float_file", "int8_file"])
def test_agent_measures_a_good_file(
    kind: str, request: pytest.FixtureRequest, job_for: MakeJob
) -> None:
    path = request.getfixturevalue(kind)
    process, answer = ask(job_for(path, keep_samples=True))
    measurement = Measurement.model_validate(answer)
    assert process.returncode == 0
    assert measurement.error is None
    assert measurement.variant == path.stem
    assert measurement.runtime == "ai-edge-litert"
    assert measurement.runs == len(measurement.samples_ns or ()) == 16
    assert set(measurement.absent) <= UNTOLD | {"peak_rss_kb"}
    assert set(FIGURES) - set(measurement.absent) == {
        name for name in FIGURES if getattr(measurement, name) is not None
    }


def test_agent_prints_one_line_though_the_runtime_chatters(
    float_file: Path, job_for: MakeJob
) -> None:
    process, _ = ask(job_for(float_file))
    assert process.stdout.endswith("}\n")
    assert process.stdout.count("\n") == 1
    assert "XNNPACK" in process.stderr


def test_claimed_stdout_is_out_of_reach_for_native_prints() -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); import agent; "
        "channel = agent.claim_stdout(); os.write(1, b'noise'); print('more', flush=True); "
        "channel.write('answer'); channel.flush()"
    )
    folder = str(Path(agent.__file__).parent)
    process = subprocess.run([sys.executable, "-I", "-c", code, folder], capture_output=True)
    assert process.stdout == b"answer"
    assert process.stderr == b"noisemore\n"


def test_agent_keeps_samples_only_on_request(float_file: Path, job_for: MakeJob) -> None:
    assert ask(job_for(float_file))[1]["samples_ns"] is None


def test_agent_reads_a_job_file(float_file: Path, job_for: MakeJob, tmp_path: Path) -> None:
    job_file = tmp_path / "job.json"
    job_file.write_text(job_for(float_file).model_dump_json())
    process = subprocess.run([*COMMAND, str(job_file)], capture_output=True, text=True)
    assert json.loads(process.stdout)["error"] is None


@pytest.mark.parametrize("kind", ["float_file", "int8_file"])
def test_outputs_are_equal_for_any_number_of_threads(
    kind: str, request: pytest.FixtureRequest, job_for: MakeJob, latents_file: Path
) -> None:
    path = request.getfixturevalue(kind)
    answers = [ask(job_for(path, threads=n, latents=str(latents_file)))[1] for n in (1, 2)]
    assert answers[0]["output_sha256"] == answers[1]["output_sha256"] is not None


def test_output_hash_covers_all_latents(
    float_file: Path, job_for: MakeJob, latents_file: Path
) -> None:
    _, answer = ask(job_for(float_file, latents=str(latents_file)))
    assert answer["output_sha256"] == infer(float_file, list(np.load(latents_file)[:, None]))


def test_latents_are_quantized_for_an_int8_file(
    int8_file: Path, job_for: MakeJob, latents_file: Path
) -> None:
    scale, zero_point = Interpreter(str(int8_file)).get_input_details()[0]["quantization"]
    steps = np.round(np.load(latents_file)[:, None].astype(np.float64) / scale) + zero_point
    _, answer = ask(job_for(int8_file, latents=str(latents_file)))
    assert answer["output_sha256"] == infer(
        int8_file, list(np.clip(steps, -128, 127).astype(np.int8))
    )


def test_random_inputs_depend_on_the_seed_only(int8_file: Path, job_for: MakeJob) -> None:
    first, again, other = (
        ask(job_for(int8_file, seed=seed))[1]["output_sha256"] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_agent_runs_without_xnnpack(float_file: Path, job_for: MakeJob) -> None:
    process, answer = ask(job_for(float_file, delegate="none"))
    assert answer["error"] is None
    assert answer["delegate"] == "none"
    assert "XNNPACK" not in process.stderr


@pytest.mark.parametrize(("delegate", "share"), [("xnnpack", 1.0), ("none", 0.0)])
def test_delegated_share_is_seen(
    delegate: str, share: float, int8_file: Path, job_for: MakeJob
) -> None:
    assert ask(job_for(int8_file, delegate=delegate))[1]["delegated"] == share


class Listing:
    """A runtime that lists operations as (name, inputs, outputs)."""

    def __init__(self, operations: list[tuple[str, list[int], list[int]]]) -> None:
        self.operations = operations

    def _get_ops_details(self) -> list[dict[str, Any]]:
        return [
            {"index": place, "op_name": name, "inputs": inputs, "outputs": outputs}
            for place, (name, inputs, outputs) in enumerate(self.operations)
        ]


def test_delegated_share_counts_what_lies_between_a_parts_inputs_and_outputs() -> None:
    graph = Listing(
        [
            ("FULLY_CONNECTED", [0, 10], [1]),
            ("RESHAPE", [1, 11], [2]),
            ("RESIZE_NEAREST_NEIGHBOR", [2], [3]),
            ("CONV_2D", [3, 12], [4]),
            ("DELEGATE", [0, 10, 11], [2]),
            ("DELEGATE", [3, 12], [4]),
        ]
    )
    assert agent.delegated_share(graph) == 0.75


def test_delegated_share_of_a_runtime_that_does_not_list_is_unknown() -> None:
    assert agent.delegated_share(object()) is None


def test_sustained_run_is_told_in_equal_stretches(int8_file: Path, job_for: MakeJob) -> None:
    measurement = Measurement.model_validate(ask(job_for(int8_file, sustain_s=0.2))[1])
    assert measurement.sustained is not None
    assert measurement.sustained.stretch_s == pytest.approx(0.05)
    assert measurement.sustained.runs >= 4
    assert measurement.runs == 16  # the ordinary samples are others


def test_energy_is_told_or_absent_with_the_reason(int8_file: Path, job_for: MakeJob) -> None:
    measurement = Measurement.model_validate(ask(job_for(int8_file, energy_s=0.5))[1])
    assert measurement.error is None
    if measurement.energy_mj is None:
        assert measurement.absent["energy_mj"]
    else:
        assert measurement.energy_source


@pytest.mark.parametrize(
    ("seconds", "stretch"), [(8, 2), (100, 25), (120, 30), (130, 32.5), (600, 30)]
)
def test_sustained_stretches_last_half_a_minute_or_a_quarter(
    seconds: float, stretch: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**15, 10**9))  # every look takes a second
    monkeypatch.setattr(agent.time, "perf_counter_ns", lambda: next(clock))
    figures = agent.sustain(lambda: None, seconds)
    assert figures["stretch_s"] == stretch
    assert (figures["first_ms"], figures["last_ms"]) == (1000, 1000)
    assert figures["runs"] >= seconds


def test_sustained_run_tells_the_first_and_last_stretch_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0

    def look() -> int:
        return now

    def call() -> None:  # slower each time
        nonlocal now
        now += 10**7 + now // 100

    monkeypatch.setattr(agent.time, "perf_counter_ns", look)
    figures = agent.sustain(call, 8)
    assert 10 < figures["first_ms"] < 30
    assert 70 < figures["last_ms"] < 100


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_conditions_of_a_board_are_its_busiest_cores_and_hottest_sensors(tmp_path: Path) -> None:
    cpu = "sys/devices/system/cpu/cpu"
    heat = "sys/class/thermal/thermal_zone"
    write(
        tmp_path,
        {
            f"{cpu}0/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}0/cpufreq/scaling_cur_freq": "600000\n",
            f"{cpu}1/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}1/cpufreq/scaling_cur_freq": "1500000\n",
            f"{cpu}2/cpufreq/scaling_governor": "performance\n",
            f"{cpu}2/cpufreq/scaling_cur_freq": "2400000\n",
            f"{heat}0/type": "cpu-thermal\n",
            f"{heat}0/temp": "48312\n",
            f"{heat}1/type": "soc_thermal\n",
            f"{heat}1/temp": "51000\n",
            f"{heat}2/type": "battery\n",
            f"{heat}2/temp": "90000\n",
        },
    )
    assert agent.conditions(tmp_path, [0, 1]) == {
        "governor": "ondemand",
        "mhz": 1500,
        "celsius": 51,
    }
    assert agent.conditions(tmp_path, [1, 2])["governor"] == "ondemand + performance"


def test_frequency_without_scaling_is_what_x86_tells(tmp_path: Path) -> None:
    block = "processor\t: {}\nvendor_id\t: x\ncpu MHz\t\t: {}\ncache size\t: 1 KB\n"
    text = "\n".join(block.format(core, mhz) for core, mhz in [(0, 2100.5), (1, 3000)])
    write(tmp_path, {"proc/cpuinfo": text})
    assert agent.conditions(tmp_path, [0])["mhz"] == 2100.5
    assert agent.conditions(tmp_path, [0, 1])["mhz"] == 3000


def test_conditions_that_the_system_does_not_tell_are_none(tmp_path: Path) -> None:
    write(tmp_path, {"sys/class/thermal/thermal_zone0/type": "cpu-thermal"})
    assert agent.conditions(tmp_path) == {"governor": None, "mhz": None, "celsius": None}


@pytest.mark.parametrize(
    ("group", "free"),
    [
        ({}, 6 << 30),
        ({"max": "max", "current": 3 << 30}, 6 << 30),
        ({"max": 4 << 30, "current": 3 << 30}, 1 << 30),
        (
            {
                "max": 4 << 30,
                "current": 4 << 30,
                "stat": f"file {3 << 30}\ninactive_file {2 << 30}",
            },
            2 << 30,
        ),
    ],
)
def test_files_that_a_container_holds_in_memory_are_no_used_memory(
    group: dict[str, object], free: int, tmp_path: Path
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(f"MemAvailable: {6 << 20} kB\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    for name, content in group.items():
        (tmp_path / f"sys/fs/cgroup/memory.{name}").write_text(f"{content}\n")
    assert agent.free_bytes(tmp_path) == free
    assert describe_machine(tmp_path).memory_free == free


def test_agent_cannot_take_all_the_memory_there_is() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import agent\n"
        "free = agent.free_bytes()\n"
        "agent.leave_memory_to_others()\n"
        "bytes(free // 4)\n"
        "try: bytes(free * 3 // 4)\n"
        "except MemoryError: print('refused')"
    )
    folder = str(Path(agent.__file__).parent)
    process = subprocess.run(
        [sys.executable, "-I", "-c", code, folder], capture_output=True, text=True
    )
    assert process.stdout == "refused\n", process.stderr


@pytest.mark.parametrize(("limit", "most", "rows"), [(200, 999, 3), (130, 999, 2), (1, 64, 1)])
def test_outputs_are_kept_for_as_many_inputs_as_there_is_room(
    limit: int,
    most: int,
    rows: int,
    int8_file: Path,
    latents_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent, "KEPT_BYTES", limit)
    monkeypatch.setattr(agent, "MOST_KEPT_BYTES", most)
    interpreter = Interpreter(str(int8_file))
    interpreter.allocate_tensors()
    feeds = agent.make_feeds(interpreter.get_input_details(), np.load(latents_file), seed=0)
    _, outputs = agent.draw_outputs(interpreter, feeds, keep=True)
    assert outputs is not None
    assert [output["shape"] for output in outputs] == [[rows, 64]]


def test_outputs_larger_than_an_answer_should_be_are_not_kept(
    int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "MOST_KEPT_BYTES", 63)
    interpreter = Interpreter(str(int8_file))
    interpreter.allocate_tensors()
    feeds = agent.make_feeds(interpreter.get_input_details(), None, seed=0)
    digest, outputs = agent.draw_outputs(interpreter, feeds, keep=True)
    assert outputs is None
    assert len(digest) == 64


def test_conditions_are_told_of_timed_runs_only(int8_file: Path, job_for: MakeJob) -> None:
    timed, counted = (ask(job_for(int8_file, count=count))[1] for count in (False, True))
    names = {"governor", "mhz", "celsius"}
    assert timed["before"].keys() == timed["after"].keys() == names
    assert (counted["before"], counted["after"]) == (None, None)


def test_missing_file_is_an_error_measurement(float_file: Path, job_for: MakeJob) -> None:
    process, answer = ask(job_for(float_file, path="/nowhere/x.tflite"))
    assert process.returncode == 1
    assert Measurement.model_validate(answer).error == "no such file: /nowhere/x.tflite"
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: np.random.default_rng(3).bytes(len(content)),
        lambda content: b"",
    ],
    ids=["truncated", "random", "empty"],
)
def test_broken_file_is_an_error_measurement(
    spoil: Callable[[bytes], bytes], float_file: Path, job_for: MakeJob, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(spoil(float_file.read_bytes()))
    process, answer = ask(job_for(broken))
    assert process.returncode == 1
    assert Measurement.model_validate(answer).error
    assert "Traceback" not in process.stderr


def test_another_file_than_the_job_speaks_of_is_an_error(
    float_file: Path, int8_file: Path, job_for: MakeJob
) -> None:
    _, answer = ask(job_for(float_file, path=str(int8_file)))
    assert "sha256 differs" in answer["error"]


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.zeros((2, 17), np.float32), r"\[2, 17\] do not fit the input \[1, 16\]"),
        (np.zeros(16, np.float32), r"\[N, L\]"),
        (np.zeros((0, 16), np.float32), r"\[N, L\]"),
        (np.zeros((2, 16), np.int8), r"int8 \[2, 16\]"),
        (np.array([["pickled"]], dtype=object), "cannot be read"),
    ],
)
def test_latents_that_do_not_fit_are_an_error(
    latents: np.ndarray, message: str, float_file: Path, job_for: MakeJob, tmp_path: Path
) -> None:
    path = tmp_path / "latents.npy"
    np.save(path, latents)
    process, answer = ask(job_for(float_file, latents=str(path)))
    assert process.returncode == 1
    assert re.search(message, answer["error"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "JSON"),
        ("not json", "JSON"),
        ("[]", "schema version 2"),
        ('{"schema_version": 99}', "schema version 2"),
        ('{"schema_version": 2}', "lacks target"),
    ],
)
def test_job_that_cannot_be_read_is_an_error(text: str, message: str) -> None:
    process, answer = ask(text)
    assert process.returncode == 1
    assert message in answer["error"]
    assert "Traceback" not in process.stderr


def test_agent_imports_neither_tensorflow_nor_the_workshop(
    int8_file: Path, job_for: MakeJob
) -> None:
    python, *rest = COMMAND
    process = subprocess.run(
        [python, "-X", "importtime", *rest],
        input=job_for(int8_file).model_dump_json(),
        capture_output=True,
        text=True,
    )
    imported = set(re.findall(r"^import time:.*\|\s*(\w+)", process.stderr, re.MULTILINE))
    assert {"numpy", "ai_edge_litert"} <= imported
    assert not imported & {"tensorflow", "tf_keras", "keras", "pipeline", "deploy", "pydantic"}


def test_peak_memory_counts_from_the_idle_interpreter() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import agent\n"
        "freed_before = len(b'x' * 60_000_000)\n"
        "memory = agent.watch_memory()\n"
        "freed_after = len(b'x' * 20_000_000)\n"
        "print(agent.peak_above_idle(memory) if memory.warning is None else -1)"
    )
    folder = str(Path(agent.__file__).parent)
    process = subprocess.run(
        [sys.executable, "-I", "-c", code, folder], capture_output=True, check=True
    )
    peak = int(process.stdout)
    if peak < 0:
        pytest.skip("this system does not let a process reset its peak")
    assert 19_000 < peak < 30_000


def test_agent_is_python_3_9() -> None:
    ast.parse(Path(agent.__file__).read_text(), feature_version=(3, 9))


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        ([5], 50, 5),
        ([1, 2], 50, 1),
        ([1, 2, 3], 50, 2),
        (list(range(1, 11)), 90, 9),
        (list(range(1, 11)), 99, 10),
        (list(range(1, 1025)), 90, 922),
        (list(range(1, 1025)), 99, 1014),
        ([1, 2, 3], 0, 1),
        ([1, 2, 3], 100, 3),
    ],
)
def test_percentile_is_the_nearest_rank(samples: list[int], percent: int, expected: int) -> None:
    assert agent.percentile(samples, percent) == expected


def test_summary_is_in_milliseconds() -> None:
    summary = agent.summarize([n * 1_000_000 for n in range(100, 0, -1)])
    assert summary == {
        "p50_ms": 50.0,
        "p90_ms": 90.0,
        "p99_ms": 99.0,
        "mean_ms": 50.5,
        "min_ms": 1.0,
        "runs": 100,
        "per_second": pytest.approx(1000 / 50.5),
    }


def test_warm_up_never_exceeds_its_limit() -> None:
    calls: list[int] = []
    agent.warm_up(lambda: calls.append(1), 5)
    assert len(calls) == 5


def test_warm_up_ends_when_calls_no_longer_become_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**9, 100))  # every call takes the same time
    monkeypatch.setattr(agent.time, "perf_counter_ns", lambda: next(clock))
    calls: list[int] = []
    agent.warm_up(lambda: calls.append(1), 10_000)
    assert len(calls) == 2 * agent.WARMUP_BLOCK


def detail(dtype: Any, shape: tuple[int, ...] = (1, 500), scale: float = 0.5) -> dict[str, Any]:
    """An input as a runtime describes it."""
    return {
        "name": "input",
        "index": 7,
        "shape": np.array(shape, np.int32),
        "dtype": dtype,
        "quantization": (scale, 10),
    }


def test_encode_rounds_shifts_and_clips() -> None:
    values = np.array([[0.0, 0.5, -1.2, 1e6, -1e6]], np.float32)
    assert agent.encode(values, detail(np.int8)).tolist() == [[10, 11, 8, 127, -128]]


def test_encode_refuses_an_integer_input_without_a_scale() -> None:
    with pytest.raises(agent.AgentError, match="int32"):
        agent.encode(np.zeros((1, 2), np.float32), detail(np.int32, scale=0.0))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.int8, -128, 127), (np.uint8, 0, 255), (np.int32, 0, 1), (np.bool_, 0, 1)],
)
def test_random_feed_covers_the_range_of_integers(dtype: Any, low: int, high: int) -> None:
    feed = agent.random_feed([detail(dtype, shape=(4, 5000))], seed=1)[7]
    assert feed.dtype == dtype
    assert feed.shape == (4, 5000)
    assert (int(feed.min()), int(feed.max())) == (low, high)


def test_random_feed_of_floats_is_the_same_on_every_target() -> None:
    feed = agent.random_feed([detail(np.float32, shape=(1, 3))], seed=0)[7]
    # RandomState(0)'s published stream starts 0.5488135, 0.71518937, 0.60276338.
    assert feed.dtype == np.float32
    np.testing.assert_allclose(feed, [[0.097627, 0.430379, 0.205527]], atol=1e-6)


def test_feeds_take_as_many_latents_as_the_batch() -> None:
    latents = np.arange(12, dtype=np.float32).reshape(4, 3)
    feeds = list(agent.make_feeds([detail(np.float32, shape=(2, 1, 1, 3))], latents, seed=0))
    assert [feed[7].shape for feed in feeds] == [(2, 1, 1, 3)] * 2
    assert feeds[1][7].ravel().tolist() == [6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("vendor_id\t: x\nmodel name\t: Some CPU @ 2 GHz\n", "Some CPU @ 2 GHz"),
        ("CPU part\t: 0xd03\n" * 4 + "CPU part\t: 0xd08\n" * 2, "Cortex-A53 + Cortex-A72"),
        ("CPU part\t: 0xfff\n", "ARM part 0xfff"),
        ("", ""),
    ],
)
def test_cpu_name_is_found_on_x86_and_arm(cpuinfo: str, name: str) -> None:
    assert agent.parse_cpu_name(cpuinfo) == name


def test_slow_model_gets_the_runs_that_its_budget_affords(
    float_file: Path, job_for: MakeJob
) -> None:
    _, short = ask(job_for(float_file, runs=100_000, warmup=1000, budget_s=1e-6))
    assert short["runs"] == agent.FEWEST_RUNS
    _, plenty = ask(job_for(float_file, runs=50, budget_s=60))
    assert plenty["runs"] == 50


def test_agent_ends_with_who_started_it(float_file: Path, job_for: MakeJob) -> None:
    starter = (
        "import subprocess, sys\n"
        "agent = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE)\n"
        "agent.stdin.write(sys.argv[1].encode())\n"
        "agent.stdin.close()\n"
        "print(agent.pid, flush=True)\n"
        "agent.wait()\n"
    )
    endless = job_for(float_file, runs=10**8, budget_s=1000).model_dump_json()
    command = [sys.executable, "-c", starter, endless, *COMMAND]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        maps = Path("/proc", waiting.stdout.readline().strip(), "maps")
        wait_until(lambda: "numpy" in maps.read_text())  # loaded after the agent's first steps
        waiting.kill()
    wait_until(lambda: not maps.exists())


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")
