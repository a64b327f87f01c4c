"""The agent for TensorFlow Lite Micro, the runtime of microcontrollers. Job in, measurement out.

It speaks as ``deploy/agent.py`` does and borrows from it what it can, but measures other things:
does the file run, what does it draw, and how many bytes of arena (the one block of memory that such
a device must set aside) does it need. Nothing is timed: these are the reference kernels on a
desktop.

The arena is what the runtime's recording allocator counts, exact to its alignment of 16 bytes: an
arena that is smaller by more is refused. It is an upper bound for a device, where pointers have
four bytes instead of eight and nothing is recorded; both concern the small part that holds
structures, not the activations.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import sys
import tempfile
from importlib import metadata
from typing import TYPE_CHECKING, Any

from deploy import agent
from deploy.agent import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

# More than any microcontroller has. Untouched pages of it cost nothing here.
ARENA_LIMIT = 64 << 20

ABSENT = {
    **dict.fromkeys(
        (*agent.TIMES, "runs", "spread"),
        "reference kernels on a desktop tell nothing of a microcontroller's speed",
    ),
    **dict.fromkeys(agent.COUNTS, "counted on emulated ARM cores only"),
    "peak_rss_kb": "the arena is all the memory that this runtime takes",
    "delegated": "this runtime has no delegates",
}


class Interpreter:
    """The runtime's interpreter, with the methods that the agent calls."""

    def __init__(self, path: str) -> None:
        from tflite_micro import runtime

        try:
            with explained():
                self._interpreter = runtime.Interpreter.from_file(path, arena_size=ARENA_LIMIT)
        except (struct.error, TypeError, ValueError) as error:  # as Python reads the file first
            raise AgentError(f"the file is damaged, or is no .tflite: {error}") from error

    def get_input_details(self) -> list[dict[str, Any]]:
        return list(describe(self._interpreter.get_input_details))

    def get_output_details(self) -> list[dict[str, Any]]:
        return list(describe(self._interpreter.get_output_details))

    def set_tensor(self, index: int, values: np.ndarray) -> None:
        self._interpreter.set_input(values, index)

    def invoke(self) -> None:
        with explained():
            self._interpreter.invoke()

    def get_tensor(self, index: int) -> np.ndarray:
        values: np.ndarray = self._interpreter.get_output(index)
        return values

    def arena_bytes(self) -> int:
        """What has been used of the arena. The runtime prints it, and has no other way to tell."""
        with overheard() as said:
            self._interpreter.print_allocations()
        arena = agent.find_int(r"Arena allocation total (\d+) bytes", "\n".join(said))
        if arena is None:
            raise AgentError("the runtime no longer prints its arena as this agent expects")
        return arena


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out ``job``; return the measurement's fields but the subject's.

    Raises:
        AgentError: the file is missing or another one, the runtime cannot run it, or the latents
            do not fit its input.
    """
    agent.check_file(job)
    latents = agent.load_latents(job["latents"])
    agent.leave_memory_to_others()
    interpreter = Interpreter(job["path"])
    feeds = agent.make_feeds(interpreter.get_input_details(), latents, job["seed"])
    digest, outputs = agent.draw_outputs(interpreter, feeds, keep=job["keep_outputs"])
    return {
        "runtime": "tflite-micro",
        "runtime_version": metadata.version("tflite-micro"),
        "arena_bytes": interpreter.arena_bytes(),
        "output_sha256": digest,
        "outputs": outputs,
        "absent": ABSENT,
        "error": None,
    }


def describe(details: Callable[[int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each tensor's details as LiteRT gives them; this runtime knows neither names nor a number."""
    with overheard(), contextlib.suppress(IndexError):  # the end is out of range, and it says so
        for index in range(sys.maxsize):
            detail = details(index)
            scales = detail["quantization_parameters"]["scales"]
            zero_points = detail["quantization_parameters"]["zero_points"]
            per_tensor = len(scales) == 1
            yield {
                "index": index,
                "name": f"number {index}",
                "dtype": detail["dtype"],
                "shape": detail["shape"],
                "quantization": (float(scales[0]), int(zero_points[0])) if per_tensor else (0.0, 0),
            }


@contextlib.contextmanager
def overheard() -> Iterator[list[str]]:
    """The lines that are printed to standard error meanwhile; there when the context is left."""
    lines: list[str] = []
    own = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(own, 2)
            os.close(own)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn a failure, whose reason the runtime only prints, into an error that tells it."""
    try:
        with overheard() as said:
            yield
    except RuntimeError as error:
        raise AgentError(explain([line for line in said if line.strip()]) or str(error)) from error


def explain(said: Sequence[str]) -> str:
    """Why this runtime refused, from what it printed; names the operation. "" if it said nothing.

    Seen: "Didn't find op for builtin opcode 'ATAN2'", then "Failed to get registration from op code
    ATAN2"; a reason, then "Node FULLY_CONNECTED (number 0) failed to prepare with status 1";
    "Failed to resize buffer. Requested: 68992, available 57872, missing: 11120".
    """
    text = "\n".join(said)
    match = re.search(r"Failed to get registration from op code (\w+)", text)
    if match:
        return f"TFLite Micro has no operation {match.group(1)}"
    match = re.search(r"^Node (\w+) \(number (\d+)\)", text, re.MULTILINE)
    if match:
        reason = text[: match.start()].strip() or "it did not say why"
        return f"TFLite Micro cannot run {match.group(1)} (operation {match.group(2)}): {reason}"
    if re.search(r"Failed to (resize|allocate)", text):
        return f"no arena of {ARENA_LIMIT >> 20} MiB is enough: {said[0]}"
    return said[-1] if said else ""
