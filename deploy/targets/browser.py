"""A browser of this machine, without a window: LiteRT compiled to WebAssembly.

The page runs the very file, int8 inputs and outputs included. It is served on the loopback address
with the headers that isolate it from other pages: only then has a browser's clock steps of 5 µs.
Other pages of the same origin there are none.
"""

import hashlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deploy import agent
from deploy.bundle.drawing import draw, wire
from deploy.bundle.schema import TensorSpec
from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, Subject, failure
from deploy.targets.target import Availability, Target
from deploy.web.bench import Accelerator, Answer, BenchAnswer, BenchJob, BenchProblem, serve
from deploy.web.browsers import (
    VARIABLE,
    WITH_GPU,
    WITHOUT_GPU,
    find_browser,
    headless_command,
    is_firefox,
)

LITERT_JS = "2.5.3"
"""Version of the runtime in the page: that of deploy/web/package.json."""
UNHURRIED_MS = 60_000.0
_WATCHED = ("sh", "-c", '"$@" < /dev/null & cat > /dev/null; kill -KILL 0', "sh")
"""Starts the command that follows, and kills the process group at the end of its own input."""
PLAYED_GPU = "swiftshader"
"""Chromium's name for what draws where it finds no GPU."""
PRODUCTS = (
    *("HeadlessChrome", "Firefox", "FxiOS", "CriOS", "EdgA", "Edg", "OPR", "SamsungBrowser"),
    *("Chrome", "Safari"),
)
"""Browsers' names, those first that also call themselves by a later one."""


class Browser(Target):
    """A Chromium or Firefox of this machine, without a window; its GPU in a Chromium only."""

    timed_here = True
    profiled = False

    def __init__(self, accelerator: Accelerator = "wasm") -> None:
        self.accelerator = accelerator
        self.name = "browser" if accelerator == "wasm" else f"browser:{accelerator}"

    def threads(self, wanted: Sequence[int]) -> Sequence[int]:
        return wanted if self.accelerator == "wasm" else (1,)

    def availability(self) -> Availability:
        path = find_browser()
        if self.accelerator == "webgpu" and path is not None and is_firefox(path):
            return Availability(f"WebGPU is measured in a Chromium only: name one in {VARIABLE}")
        if path is None:
            return Availability(
                f"no Chromium or Firefox on this machine: install one, or name it in {VARIABLE}"
            )
        return Availability(f"{path}, LiteRT.js {LITERT_JS}", ready=True)

    def answer(self, job: Job, time_limit: float) -> Measurement:
        program = find_browser()
        if program is None:
            return failure(job, self.availability().detail)

        def ask(order: BenchJob, blobs: Mapping[str, bytes]) -> Answer:
            with serve() as bench:
                bench.assign(order, blobs)
                switches = WITHOUT_GPU if self.accelerator == "wasm" else WITH_GPU
                with _browsing(program, bench.url, switches):
                    answer = bench.wait(time_limit)
            return answer or BenchProblem(error=f"no answer within {time_limit:g} s")

        machine = {"device": agent.device_name(), "cpu": agent.cpu_name()}
        return measured_by_page(job, ask, self.accelerator).model_copy(update=machine)


def measured_by_page(
    job: Job,
    ask: Callable[[BenchJob, Mapping[str, bytes]], Answer],
    accelerator: Accelerator = "wasm",
) -> Measurement:
    """What the benchmark page measures of a job's file, wherever ``ask`` lets it do so."""
    try:
        content = Path(job.path).read_bytes()
        source, target = _interface(content)
        inputs = _inputs(job, source)
    except (PocketganError, agent.AgentError, OSError) as error:
        return failure(job, getattr(error, "problem", str(error)))
    order = BenchJob(
        warmup=job.warmup,
        runs=job.runs,
        inputs=len(inputs),
        budget=job.budget_s * 1e3 if job.budget_s else UNHURRIED_MS,
        threads=job.threads,
        accelerator=accelerator,
    )
    answer = ask(order, {"file": content, "inputs": wire(inputs)})
    if isinstance(answer, BenchProblem):
        return failure(job, answer.error)
    return _measurement(job, answer, target, len(inputs))


def _interface(content: bytes) -> tuple[TensorSpec, TensorSpec]:
    """What a file reads and draws, told by the runtime in a process of its own."""
    nothing = draw(content, np.zeros((0, 1), np.float32))
    return nothing.input, nothing.output


def _inputs(job: Job, tensor: TensorSpec) -> np.ndarray:
    """All inputs of a job, of the file's own type: the same as every other target's."""
    detail = {
        "index": 0,
        "name": tensor.name,
        "dtype": np.dtype(tensor.dtype),
        "shape": np.array(tensor.shape),
        "quantization": (tensor.scale, tensor.zero_point),
    }
    feeds = agent.make_feeds([detail], agent.load_latents(job.latents), job.seed)
    return np.concatenate([feed[0] for feed in feeds])


@contextmanager
def _browsing(program: Path, url: str, switches: Sequence[str]) -> Iterator[None]:
    """The browser at that address, in a process group and with a profile of its own.

    It ends with this process, however that ends: a shell beside it then reads the end of its input.
    """
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [*_WATCHED, *headless_command(program, profile, url, switches)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _measurement(job: Job, answer: BenchAnswer, tensor: TensorSpec, inputs: int) -> Measurement:
    try:
        shape = (inputs, *tensor.shape[1:])
        outputs = np.frombuffer(
            answer.outputs_bytes, np.dtype(tensor.dtype).newbyteorder("<")
        ).reshape(shape)
    except ValueError:
        return failure(job, "the browser drew more or less than was asked of it")
    count = max(1, agent.KEPT_BYTES // max(1, outputs[0].nbytes))
    packed = None
    if job.keep_outputs and outputs[0].nbytes <= agent.MOST_KEPT_BYTES:
        packed = [agent.pack(tensor.name, [row[np.newaxis] for row in outputs[:count]])]
    return Measurement.model_validate(
        {
            **job.model_dump(include=set(Subject.model_fields)),
            "device": _system(answer.browser),
            "runtime": ", ".join([_runtime(answer.gpu), _product(answer.browser)]),
            "runtime_version": LITERT_JS,
            "init_ms": answer.init_ms,
            "first_ms": answer.first_ms,
            **agent.summarize(answer.samples_ns),
            "overhead_ns": answer.overhead_ns,
            "samples_ns": answer.samples_ns if job.keep_samples else None,
            "output_sha256": hashlib.sha256(answer.outputs_bytes).hexdigest(),
            "outputs": packed,
            "absent": {
                **dict.fromkeys(agent.COUNTS, "counted on emulated ARM cores only"),
                **dict.fromkeys(("peak_rss_kb", "arena_bytes", "delegated"), "a page cannot tell"),
                "spread": "needs more than one round",
            },
            "warnings": list(_warnings(job, answer)),
        }
    )


def _runtime(gpu: str | None) -> str:
    return "LiteRT.js" if gpu is None else f"LiteRT.js on WebGPU ({gpu})"


def _warnings(job: Job, answer: BenchAnswer) -> Iterator[str]:
    if not answer.isolated:
        yield "the page was not isolated: its clock has coarse steps"
    if job.sustain_s is not None:
        yield "sustained speed was not measured: the page cannot"
    if answer.gpu is not None:
        yield "drawn by a GPU: its pictures are compared with the desktop's, and may differ"
    if PLAYED_GPU in (answer.gpu or ""):
        yield f"the processor played the GPU ({PLAYED_GPU}): the times are none of a GPU's"


def _product(user_agent: str) -> str:
    """ "Chrome/147.0.0.0" of a browser's long name for itself."""
    parts = dict(part.split("/", 1) for part in user_agent.split() if "/" in part)
    return next((f"{name}/{parts[name]}" for name in PRODUCTS if name in parts), "a browser")


def _system(user_agent: str) -> str | None:
    """ "Linux; Android 10; K": all that a browser tells of the machine that it runs on."""
    match = re.search(r"\(([^()]+)\)", user_agent)
    return match[1] if match else None
