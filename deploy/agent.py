"""The agent: measures one .tflite on the device it runs on. Job in, measurement out.

This file is copied to a target, ``energy.py`` beside it. Both need Python 3.9, numpy and a TFLite
runtime, and nothing else of this repository; ``deploy/jobs.py`` says what is read and printed::

    python agent.py JOB.json        # or the job on standard input
    {"schema_version": 2, "target": "local", "p90_ms": 0.041, ..., "error": null}

Standard output carries exactly that one line. A failure is a measurement too: its ``error`` says
what went wrong, and the exit code is 1. (A job that cannot be read has no subject to echo; its
answer holds the error only.)

Method: MLPerf's single stream (Janapa Reddi et al., "MLPerf Mobile Inference Benchmark", 2022):
one query at a time, the 90th percentile as headline, at least 1,024 samples. The clock brackets
``invoke()`` alone. Setting inputs and reading outputs are left out: an app does them in its own
way.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import importlib.util
import json
import os
import platform
import re
import signal
import sys
import time
import zlib
from array import array
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    import numpy as np

SCHEMA_VERSION = 2

# Packages that hold an ``interpreter`` module, best first.
RUNTIMES = (("ai-edge-litert", "ai_edge_litert"), ("tflite-runtime", "tflite_runtime"))

# What the answer repeats of the job, so that it can be read alone.
SUBJECT = (
    "target",
    "variant",
    "sha256",
    "bytes",
    "bytes_gzip",
    "bytes_zstd",
    "threads",
    "delegate",
)
SETTINGS = (
    *("path", "warmup", "runs", "seed", "latents", "keep_samples", "keep_outputs"),
    *("count", "sustain_s", "energy_s", "budget_s"),
)

TIMES = (
    *("init_ms", "first_ms", "p50_ms", "p90_ms", "p99_ms", "mean_ms", "min_ms"),
    *("overhead_ns", "per_second"),
)
COUNTS = ("instructions", "dot_products", "loads", "stores")
# access() modes that no file system knows; deploy/targets/counter.c knows them.
BEGIN_MARK = 0x50470001
END_MARK = 0x50470002
# Pairs of marks around nothing, to be subtracted.
EMPTY_BRACKETS = 31

# Inputs drawn where none are given: outputs are compared on all of them.
RANDOM_INPUTS = 4
# Outputs worth carrying home for a comparison.
KEPT_BYTES = 1 << 20
# The first input's outputs are, unless no answer should be as large.
MOST_KEPT_BYTES = 64 << 20

# However slow a model is, the clock sees it this often.
FEWEST_RUNS = 8
# Of the budget, for the warm-up.
WARMUP_SHARE = 0.25

WARMUP_BLOCK = 32
# A block of warm-up runs that is not this much faster than the one before ends the warm-up.
WARMUP_GAIN = 0.02

# A sustained run is told in equal stretches of about this long, in seconds; of four at least.
STRETCH_S = 30.0

PR_SET_PDEATHSIG = 1  # man 2 prctl

NEWER_RUNTIME = "use a newer runtime, or convert the file without it (to int8, say, or float32)"

NO_CUSTOM = "convert the file with operations of TFLite only"

NS_PER_MS = 1e6
ERROR_LENGTH = 1000

ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd49": "Neoverse-N2",
    "0xc0f": "Cortex-A15",
}

# Thermal zones are named by their makers: cpu-thermal, x86_pkg_temp, soc_thermal, bigcore0-thermal.
PROCESSOR_SENSOR = re.compile("cpu|pkg|package|soc|core", re.IGNORECASE)


class AgentError(Exception):
    """A failure that the agent can name itself."""


class Runtime(NamedTuple):
    """A TFLite runtime: its package's name and version, and its ``interpreter`` module."""

    name: str
    version: str
    module: Any


class Memory(NamedTuple):
    """Peak resident memory of an idle interpreter, in KiB, or why it is not known."""

    idle_kb: int | None
    reason: str
    warning: str | None


def answer(arguments: Sequence[str], carry_out: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Answer the job in the file named first, or on standard input; return the exit code.

    ``carry_out`` takes the job and gives the measurement's fields but the subject's. A runtime of
    another kind has an agent of its own.
    """
    channel = claim_stdout()
    die_before_and_with_who_waits()
    subject: dict[str, Any] = {}
    try:
        job = read_job(arguments)
        subject = {key: job[key] for key in SUBJECT}
        figures = carry_out(job)
    except Exception as error:  # whatever a runtime raises belongs in the answer
        name = "" if isinstance(error, AgentError) else f"{type(error).__name__}: "
        figures = {"error": f"{name}{str(error) or 'no reason was given'}"[:ERROR_LENGTH]}
    measurement = {"schema_version": SCHEMA_VERSION, **subject, **figures}
    channel.write(json.dumps(measurement, allow_nan=False) + "\n")
    channel.flush()
    return 1 if figures["error"] else 0


def claim_stdout() -> TextIO:
    """Keep standard output for the answer; what a runtime prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def die_before_and_with_who_waits() -> None:
    """Ask the kernel to end the agent before whoever waits for its answer when memory runs out, and
    with the process that started it: a measurement that nobody waits for would spoil the next one.
    """
    with contextlib.suppress(OSError):  # not on this system: nothing is lost but the preference
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(Exception):  # no Linux, or no ctypes: likewise
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def read_job(arguments: Sequence[str]) -> dict[str, Any]:
    """Read the job; refuse one of another schema."""
    text = Path(arguments[0]).read_text(encoding="utf-8") if arguments else sys.stdin.read()
    job = json.loads(text)
    if not isinstance(job, dict) or job.get("schema_version") != SCHEMA_VERSION:
        raise AgentError(f"this agent reads jobs of schema version {SCHEMA_VERSION} only")
    missing = [key for key in (*SUBJECT, *SETTINGS) if key not in job]
    if missing:
        raise AgentError(f"the job lacks {', '.join(missing)}")
    return job


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out ``job``; return the measurement's fields but the subject's.

    Raises:
        AgentError: the file is not the job's, the runtime cannot run it, or the latents do not fit.
    """
    check_file(job)
    runtime = load_runtime()
    latents = load_latents(job["latents"])
    leave_memory_to_others()
    before = None if job["count"] else conditions()
    memory = watch_memory()
    start = time.perf_counter_ns()
    interpreter = open_interpreter(runtime, job)
    init_ns = time.perf_counter_ns() - start

    feeds = make_feeds(interpreter.get_input_details(), latents, job["seed"])
    set_inputs(interpreter, next(feeds))
    (first_ns,) = time_runs(interpreter.invoke, 1)
    affordable = affordable_runs(first_ns, job["budget_s"])
    warm_up(interpreter.invoke, min(job["warmup"], int(affordable * WARMUP_SHARE)))
    peak = peak_above_idle(memory)  # before the samples below need memory of their own

    gc.collect()
    gc.disable()
    if job["count"]:
        figures = count_runs(interpreter, job["runs"])
    else:
        figures = timed_figures(interpreter, job, init_ns=init_ns, first_ns=first_ns)
    energy = beside("energy").of_one_call(interpreter.invoke, job["energy_s"])
    after = None if job["count"] else conditions()
    gc.enable()

    feeds = make_feeds(interpreter.get_input_details(), latents, job["seed"])
    digest, outputs = draw_outputs(interpreter, feeds, keep=job["keep_outputs"])
    figures |= {"peak_rss_kb": peak, "delegated": delegated_share(interpreter), **energy.fields}
    return {
        "device": device_name(),
        "cpu": cpu_name(),
        "runtime": runtime.name,
        "runtime_version": runtime.version,
        **figures,
        "output_sha256": digest,
        "outputs": outputs,
        "before": before,
        "after": after,
        "absent": reasons(job, figures, memory) | energy.absent,
        "warnings": [memory.warning] if memory.warning else [],
        "error": None,
    }


def timed_figures(
    interpreter: Any, job: dict[str, Any], *, init_ns: int, first_ns: int
) -> dict[str, Any]:
    """The time fields of the job's runs, fewer than it asks for where they are not affordable."""
    runs = min(job["runs"], max(affordable_runs(first_ns, job["budget_s"]), FEWEST_RUNS))
    samples = time_runs(interpreter.invoke, runs)
    overhead = time_runs(lambda: None, runs)
    return {
        "init_ms": init_ns / NS_PER_MS,
        "first_ms": first_ns / NS_PER_MS,
        **summarize(samples),
        "overhead_ns": percentile(sorted(overhead), 50),
        "samples_ns": samples if job["keep_samples"] else None,
        "sustained": sustain(interpreter.invoke, job["sustain_s"]) if job["sustain_s"] else None,
    }


def beside(name: str) -> Any:
    """The module in the file beside this one: scripts that run isolated find none by its name."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def reasons(job: dict[str, Any], figures: dict[str, Any], memory: Memory) -> dict[str, str]:
    """Why each figure that could not be measured is missing."""
    absent = {
        **dict.fromkeys(COUNTS, "counted on emulated ARM cores only"),
        "arena_bytes": "this runtime's Python interface does not tell",
        "spread": "needs more than one round",
    }
    if job["count"]:
        absent.update(dict.fromkeys((*TIMES, "spread"), "emulated time says nothing"))
    if figures["peak_rss_kb"] is None:
        absent["peak_rss_kb"] = memory.reason
    if figures["delegated"] is None:
        absent["delegated"] = "this runtime's Python interface does not tell"
    return absent


def check_file(job: dict[str, Any]) -> None:
    """Make sure that the file is the one that the job speaks of."""
    path = Path(job["path"])
    if not path.is_file():
        raise AgentError(f"no such file: {path}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 16), b""):
            digest.update(block)
    if digest.hexdigest() != job["sha256"]:
        raise AgentError(f"{path} is not the file of the job: its sha256 differs")


def load_runtime() -> Runtime:
    """Import numpy and the first TFLite runtime found."""
    try:
        import numpy  # noqa: F401  (the idle interpreter that memory is compared with has it)
    except ImportError as error:
        raise AgentError(f"numpy cannot be imported here: {error}") from error
    failures = []
    for name, package in RUNTIMES:
        try:
            module = importlib.import_module(f"{package}.interpreter")
        except ImportError as error:
            failures.append(f"{name}: {error}")
        else:
            return Runtime(name, metadata.version(name), module)
    raise AgentError(f"no TFLite runtime can be imported here ({'; '.join(failures)})")


def open_interpreter(runtime: Runtime, job: dict[str, Any]) -> Any:
    """Create the interpreter and allocate its tensors: what an app waits for at its start."""
    options: dict[str, Any] = {"num_threads": job["threads"]}
    if job["delegate"] == "none":
        options["experimental_op_resolver_type"] = plain_kernels(runtime)
    try:
        interpreter = runtime.module.Interpreter(job["path"], **options)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        refusal, version = str(error), f"{runtime.name} {runtime.version}"
        custom = re.search(r"unresolved custom op: (\S+?)\.?(?:\s|\\n|$)", refusal)
        if custom:
            problem = f"has no kernel for the custom operation {custom.group(1)}"
            raise AgentError(f"{version} {problem}: {NO_CUSTOM}") from None
        lacking = missing_operation(refusal)
        if lacking is None:
            raise
        raise AgentError(f"{version} is too old for {lacking}: {NEWER_RUNTIME}") from None
    return interpreter


def missing_operation(refusal: str) -> str | None:
    """The operation and version in a runtime's complaint that it knows none such, or None."""
    match = re.search(r"builtin opcode '(\w+)' version '(\d+)'", refusal)
    if match:
        return f"{match.group(1)} version {match.group(2)}"
    match = re.search(r"builtin_code out of range: (\d+)", refusal)
    return f"the operation numbered {match.group(1)} in the schema" if match else None


def plain_kernels(runtime: Runtime) -> Any:
    """The runtime's optimised kernels without the XNNPACK delegate that it applies by itself."""
    try:
        return runtime.module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    except AttributeError:
        version = f"{runtime.name} {runtime.version}"
        raise AgentError(f"{version} cannot be run without its XNNPACK delegate") from None


def load_latents(path: str | None) -> np.ndarray | None:
    """Read latents, or pictures, as floats [N, L]; None for random inputs."""
    if path is None:
        return None
    import numpy as np

    try:
        latents: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AgentError(f"latents {path} cannot be read: {error}") from error
    if latents.ndim < 2 or len(latents) == 0 or latents.dtype.kind != "f":
        actual = f"{latents.dtype} {list(latents.shape)}"
        raise AgentError(f"latents must be floats [N, L], N ≥ 1; {path} holds {actual}")
    if not np.isfinite(latents).all():
        raise AgentError(f"latents must be finite; {path} holds infinite ones, or none (NaN)")
    return latents.reshape(len(latents), -1)


def make_feeds(
    details: Sequence[dict[str, Any]], latents: np.ndarray | None, seed: int
) -> Iterator[dict[int, np.ndarray]]:
    """Yield what to set before each inference: tensor index to array. At least one."""
    if latents is None:
        for turn in range(RANDOM_INPUTS):
            yield random_feed(details, seed + turn)
        return
    if len(details) != 1:
        raise AgentError(f"latents serve a file with one input; this one has {len(details)}")
    batch, *rest = (int(size) for size in details[0]["shape"])
    width = 1
    for size in rest:
        width *= size
    rows, length = latents.shape
    if length != width or rows % batch:
        raise AgentError(
            f"latents [{rows}, {length}] do not fit the input {[batch, *rest]}: "
            f"[a multiple of {batch}, {width}] would"
        )
    for start in range(0, rows, batch):
        values = latents[start : start + batch].reshape(batch, *rest)
        yield {details[0]["index"]: encode(values, details[0])}


def random_feed(details: Sequence[dict[str, Any]], seed: int) -> dict[int, np.ndarray]:
    """Inputs over the whole range of what each input can hold; the same on every target.

    Quantized inputs take every integer of their type, float ones values in [-1, 1). Both come from
    numpy's frozen legacy generator by steps that round alike everywhere, so that outputs can be
    compared bit by bit between numpy 1 and 2, x86 and ARM.
    """
    import numpy as np

    generator = np.random.RandomState(seed)
    feed = {}
    for detail in details:
        dtype, shape = np.dtype(detail["dtype"]), detail["shape"]
        if dtype.kind == "f":
            feed[detail["index"]] = (generator.random_sample(shape) * 2 - 1).astype(dtype)
        elif dtype.kind in "iu" and dtype.itemsize <= 2:
            limits = np.iinfo(dtype)
            values = generator.randint(int(limits.min), int(limits.max) + 1, size=shape)
            feed[detail["index"]] = values.astype(dtype)
        elif dtype.kind in "iub":  # wide integers are mostly indices: 0 and 1 exist everywhere
            feed[detail["index"]] = generator.randint(0, 2, size=shape).astype(dtype)
        else:
            raise AgentError(f"no random values for an input of type {dtype}: {detail['name']}")
    return feed


def encode(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Real ``values`` as the input's type: q = round(value / scale) + zero point, clipped."""
    import numpy as np

    dtype = np.dtype(detail["dtype"])
    if dtype.kind == "f":
        return values.astype(dtype)
    scale, zero_point = detail["quantization"]
    if dtype.kind not in "iu" or scale == 0:
        raise AgentError(f"latents are real numbers; the input {detail['name']} takes {dtype}")
    limits = np.iinfo(dtype)
    steps = np.rint(values.astype(np.float64) / float(scale)) + zero_point
    encoded: np.ndarray = np.clip(steps, limits.min, limits.max).astype(dtype)
    return encoded


def set_inputs(interpreter: Any, feed: dict[int, np.ndarray]) -> None:
    for index, values in feed.items():
        interpreter.set_tensor(index, values)


def time_runs(call: Callable[[], object], runs: int) -> list[int]:
    """Nanoseconds of each of ``runs`` calls. Nothing but the call lies between the clock reads."""
    clock = time.perf_counter_ns
    samples = [0] * runs
    for run in range(runs):
        start = clock()
        call()
        samples[run] = clock() - start
    return samples


def affordable_runs(first_ns: int, budget_s: float | None) -> int:
    """How many runs as long as the first one, mostly the longest, fit into the budget."""
    if budget_s is None:
        return sys.maxsize
    return int(budget_s * 1e9 / max(first_ns, 1))


def count_runs(interpreter: Any, runs: int) -> dict[str, Any]:
    """Mark EMPTY_BRACKETS calls of nothing, then ``runs`` inferences, for an emulator that counts.

    The runtime's own function is called, past the Python method around it: how many instructions
    that one takes changes over its first calls. Private, but it is there in each version that an
    emulated core runs.
    """
    for _ in range(EMPTY_BRACKETS):
        bracket(lambda: None)
    for _ in range(runs):
        bracket(interpreter._interpreter.Invoke)
    return {"runs": runs}


def bracket(call: Callable[[], object]) -> None:
    """Call between two marks. The kernel refuses such a mark at once and touches nothing."""
    os.access("", BEGIN_MARK)
    call()
    os.access("", END_MARK)


def warm_up(call: Callable[[], object], limit: int) -> None:
    """Call until a block of calls is no longer faster than the one before, or ``limit`` times."""
    before = float("inf")
    for start in range(0, limit, WARMUP_BLOCK):
        samples = time_runs(call, min(WARMUP_BLOCK, limit - start))
        median = percentile(sorted(samples), 50)
        if median > before * (1 - WARMUP_GAIN):
            return
        before = median


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Nearest rank: the smallest sample that ``percent`` % of all do not exceed.

    Always a value that was seen, never a mean of two. ``ordered`` ascends and is not empty.
    """
    rank = -(-len(ordered) * percent // 100)  # ceiling without floating point
    return ordered[max(rank, 1) - 1]


def summarize(samples_ns: Sequence[int]) -> dict[str, Any]:
    """A measurement's time fields, in ms, from the time of each run."""
    ordered = sorted(samples_ns)
    return {
        **{f"p{share}_ms": percentile(ordered, share) / NS_PER_MS for share in (50, 90, 99)},
        "mean_ms": sum(ordered) / len(ordered) / NS_PER_MS,
        "min_ms": ordered[0] / NS_PER_MS,
        "runs": len(ordered),
        "per_second": 1e9 * len(ordered) / sum(ordered),
    }


def sustain(call: Callable[[], object], seconds: float) -> dict[str, Any]:
    """Call for ``seconds`` without a pause; the fields of ``Sustained``.

    Only one stretch's samples are kept at a time, so that memory stays bounded.
    """
    stretch = seconds / max(4, int(seconds / STRETCH_S))
    medians, runs = [], 0
    for _ in range(round(seconds / stretch)):
        samples = run_for(call, stretch)
        medians.append(percentile(sorted(samples), 50) / NS_PER_MS)
        runs += len(samples)
    return {
        "seconds": seconds,
        "stretch_s": stretch,
        "runs": runs,
        "first_ms": medians[0],
        "last_ms": medians[-1],
    }


def run_for(call: Callable[[], object], seconds: float) -> array[int]:
    """Nanoseconds of each call, back to back, until ``seconds`` have passed. At least one."""
    clock = time.perf_counter_ns
    samples = array("Q")
    now = clock()
    end = now + seconds * 1e9
    while now < end or not samples:
        call()
        start, now = now, clock()
        samples.append(now - start)
    return samples


def draw_outputs(
    interpreter: Any, feeds: Iterator[dict[int, np.ndarray]], *, keep: bool
) -> tuple[str, list[dict[str, Any]] | None]:
    """sha256 over the bytes of all outputs, in order, for each of ``feeds`` in turn.

    With ``keep`` also the outputs themselves, of as many feeds as KEPT_BYTES hold; of at least
    one, unless that takes more than MOST_KEPT_BYTES.
    """
    digest = hashlib.sha256()
    details = interpreter.get_output_details()
    rows: list[list[np.ndarray]] = []
    size = 0
    for feed in feeds:
        set_inputs(interpreter, feed)
        interpreter.invoke()
        values = [interpreter.get_tensor(detail["index"]) for detail in details]
        for value in values:
            digest.update(value.tobytes())
        room = (KEPT_BYTES if size else MOST_KEPT_BYTES) - size
        if keep and sum(value.nbytes for value in values) <= room:
            size += sum(value.nbytes for value in values)
            rows.append(values)
    if not size:
        return digest.hexdigest(), None
    outputs = [pack(output["name"], [row[n] for row in rows]) for n, output in enumerate(details)]
    return digest.hexdigest(), outputs


def pack(name: str, values: Sequence[np.ndarray]) -> dict[str, Any]:
    """Arrays of one shape, put behind each other, as text: base64 of zlib."""
    import numpy as np

    together = np.concatenate([np.atleast_1d(value) for value in values])
    raw = together.astype(together.dtype.newbyteorder("<")).tobytes()
    return {
        "name": name,
        "dtype": str(together.dtype),
        "shape": list(together.shape),
        "data": base64.b64encode(zlib.compress(raw)).decode("ascii"),
    }


def delegated_share(interpreter: Any) -> float | None:
    """Share of the file's operations that delegates took; None where the runtime does not tell."""
    delegated = delegated_operations(interpreter)
    return sum(delegated) / len(delegated) if delegated else None


def delegated_operations(interpreter: Any) -> list[bool] | None:
    """For each of the file's operations whether a delegate took it; None where it is not told.

    The runtime lists the file's operations and, behind them, a DELEGATE for each part of the graph
    that was taken: all that leads from the inputs of that DELEGATE to its outputs.
    """
    try:
        listed = interpreter._get_ops_details()
    except AttributeError:
        return None
    parts = [each for each in listed if each["op_name"] == "DELEGATE"]
    operations = [each for each in listed if each["op_name"] != "DELEGATE"]
    makers = {tensor: each for each in operations for tensor in each["outputs"]}
    taken = set()
    for part in parts:
        visited = set(part["inputs"])
        ahead = set(part["outputs"])
        while ahead:
            tensor = ahead.pop()
            if tensor in makers and tensor not in visited:
                taken.add(makers[tensor]["index"])
                ahead.update(makers[tensor]["inputs"])
            visited.add(tensor)
    return [each["index"] in taken for each in operations]


def leave_memory_to_others() -> None:
    """Grow by half of the free memory at most: a file that claims huge tensors fails alone."""
    free = free_bytes()
    data_kb = find_int(r"^VmData:\s*(\d+) kB", read_text("/proc/self/status"))
    if free is None or data_kb is None:
        return
    with contextlib.suppress(ImportError, OSError, ValueError):  # a preference, as above
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (data_kb * 1024 + free // 2, most))


def free_bytes(root: Path = Path("/")) -> int | None:
    """Memory that the system, and the container if this is one, has left for new programs.

    What a container holds of files counts as used, though it is given up when memory is asked for:
    the part that was not read lately is taken for free.
    """
    free_kb = find_int(r"^MemAvailable:\s*(\d+) kB", read_text(root / "proc/meminfo"))
    group = root / "sys/fs/cgroup"
    limit, used = (read_text(group / f"memory.{name}") for name in ("max", "current"))
    left = [free_kb * 1024] if free_kb is not None else []
    if limit.isdigit() and used.isdigit():
        of_files = find_int(r"^inactive_file (\d+)", read_text(group / "memory.stat")) or 0
        left.append(max(int(limit) - int(used) + of_files, 0))
    return min(left, default=None)


def watch_memory() -> Memory:
    """Start to watch the peak of this process, which is still idle.

    The kernel keeps the highest resident size as VmHWM. Writing 5 to clear_refs lowers it to the
    present size (man 5 proc), so that what was freed after the imports does not hide what the model
    needs. Where that is forbidden the difference of two maxima is left: a lower bound. getrusage's
    ru_maxrss is of no use: a process inherits it from the one that started it.
    """
    warning = None
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        warning = "peak memory is a lower bound: the peak of the imports could not be reset"
    idle_kb = peak_kb()
    if idle_kb is None:
        return Memory(None, "this system shows no VmHWM in /proc/self/status", None)
    return Memory(idle_kb, "no growth above the idle interpreter was seen", warning)


def peak_above_idle(memory: Memory) -> int | None:
    peak = peak_kb()
    if memory.idle_kb is None or peak is None or peak <= memory.idle_kb:
        return None
    return peak - memory.idle_kb


def peak_kb() -> int | None:
    return find_int(r"^VmHWM:\s*(\d+) kB", read_text("/proc/self/status"))


def find_int(pattern: str, text: str) -> int | None:
    match = re.search(pattern, text, re.MULTILINE)
    return int(match.group(1)) if match else None


def read_text(path: str | Path) -> str:
    """A system file's text; empty where there is none or it may not be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def usable_cores() -> set[int]:
    """Numbers of the cores that this process may run on."""
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # not on this system
        return set(range(os.cpu_count() or 1))


def conditions(root: Path = Path("/"), cores: Iterable[int] | None = None) -> dict[str, Any]:
    """What the processor is doing: the fields of ``Conditions``, of ``cores`` or all usable ones.

    The frequency is the highest of the cores (one runs, the others may rest), and so is the
    temperature of the processor's sensors.
    """
    numbers = sorted(usable_cores() if cores is None else cores)
    scaling = [root / f"sys/devices/system/cpu/cpu{number}/cpufreq" for number in numbers]
    governors = {read_text(folder / "scaling_governor") for folder in scaling} - {""}
    khz = [find_int(r"^(\d+)$", read_text(folder / "scaling_cur_freq")) for folder in scaling]
    mhz = [each / 1e3 for each in khz if each] or cpuinfo_mhz(root, numbers)
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    heat = [
        find_int(r"^(-?\d+)$", read_text(zone / "temp"))
        for zone in zones
        if PROCESSOR_SENSOR.search(read_text(zone / "type"))
    ]
    return {
        "governor": " + ".join(sorted(governors)) or None,
        "mhz": max(mhz, default=None),
        "celsius": max((each / 1e3 for each in heat if each is not None), default=None),
    }


def cpuinfo_mhz(root: Path, cores: Sequence[int]) -> list[float]:
    """What x86 tells without frequency scaling."""
    frequencies = re.findall(
        r"^processor\s*: (\d+)$(?:\n.+)*?\ncpu MHz\s*: ([\d.]+)$",
        read_text(root / "proc/cpuinfo"),
        re.MULTILINE,
    )
    return [float(mhz) for core, mhz in frequencies if int(core) in cores]


def device_name() -> str:
    """What the maker calls this device. Not the host's name: reports are shared."""
    board = read_text("/proc/device-tree/model")
    product = read_text("/sys/class/dmi/id/product_name")
    return board or product or f"{platform.system()} {platform.machine()}"


def cpu_name() -> str:
    """The processor, as /proc/cpuinfo tells it."""
    return parse_cpu_name(read_text("/proc/cpuinfo")) or platform.machine()


def parse_cpu_name(cpuinfo: str) -> str:
    """The processor's name in ``cpuinfo``; ARM gives part numbers, big.LITTLE several of them."""
    parts = list(dict.fromkeys(re.findall(r"^CPU part\s*: (\w+)", cpuinfo, re.MULTILINE)))
    if parts:
        return " + ".join(ARM_PARTS.get(part, f"ARM part {part}") for part in parts)
    match = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return match.group(1).strip() if match else ""


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], measure))
