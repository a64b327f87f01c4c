"""Let a file draw through the local TFLite runtime, in a process of its own.

A runtime trusts the file it is given: one that is damaged can end the process, or never end.
"""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from deploy.agent import AgentError, leave_memory_to_others, load_runtime, plain_kernels
from deploy.bundle.numbers import encode
from deploy.bundle.schema import TensorSpec
from deploy.errors import PocketganError

SECONDS = 120.0
_CHILD = "import sys; sys.path[:] = {path}; from deploy.bundle import runtime; runtime.answer()"


@dataclass(frozen=True, kw_only=True)
class GeneratorRun:
    """What a file is, as the runtime tells it, and what it drew.

    ``inputs`` [N, L] and ``outputs`` [N, H, W, C] are of the file's own types.
    """

    runtime: str
    input: TensorSpec
    output: TensorSpec
    inputs: np.ndarray
    outputs: np.ndarray


def draw(content: bytes, inputs: np.ndarray, *, plain: bool = False) -> GeneratorRun:
    """Let a file draw of each row of ``inputs`` [N, L].

    Rows of float32 are real numbers and rounded to the file's type; others must be of that type.
    ``plain`` leaves out the XNNPACK delegate that the runtime applies by itself.
    Raises PocketganError where the file does not run, takes other rows, or is no generator with
    one input and one output, a picture at a time.
    """
    question = io.BytesIO()
    np.savez(question, content=np.frombuffer(content, np.uint8), inputs=inputs, plain=plain)
    child = _CHILD.format(path=repr([os.path.abspath(folder) for folder in sys.path]))
    try:
        done = subprocess.run(
            [sys.executable, "-c", child],
            input=question.getvalue(),
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise _does_not_run(f"no end after {SECONDS:g} s") from error
    if done.returncode < 0:
        raise _does_not_run(f"the runtime was ended by signal {-done.returncode}")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _does_not_run(said[-1] if said else f"exit code {done.returncode}")
    with np.load(io.BytesIO(done.stdout)) as arrays:
        facts = json.loads(str(arrays["facts"]))
        if "error" in facts:
            raise _does_not_run(facts["error"])
        return GeneratorRun(
            runtime=facts["runtime"],
            input=TensorSpec.model_validate(facts["input"]),
            output=TensorSpec.model_validate(facts["output"]),
            inputs=arrays["inputs"],
            outputs=arrays["outputs"],
        )


def _does_not_run(why: str) -> PocketganError:
    return PocketganError(f"the file does not run: {why}", "`pocketgan inspect` may tell more.")


# ---------------------------------------------------------------------- in the other process


def answer() -> None:
    """Read a question on standard input, write the answer to standard output."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a runtime prints is no answer
    leave_memory_to_others()  # a file may ask for any amount
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as arrays:
        content, inputs = arrays["content"].tobytes(), arrays["inputs"]
        plain = bool(arrays["plain"])
    try:
        facts, tensors = _draw(content, inputs, plain=plain)
    except (AgentError, OSError, RuntimeError, ValueError, IndexError, MemoryError) as error:
        facts, tensors = {"error": " ".join(str(error).split()) or type(error).__name__}, {}
    np.savez(channel, facts=np.array(json.dumps(facts)), **tensors)  # type: ignore[arg-type]
    channel.close()


def _draw(
    content: bytes, inputs: np.ndarray, *, plain: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    runtime = load_runtime()
    options = {"experimental_op_resolver_type": plain_kernels(runtime)} if plain else {}
    interpreter = runtime.module.Interpreter(model_content=content, num_threads=1, **options)
    interpreter.allocate_tensors()
    source, target = _tensor_specs(interpreter)
    rows = inputs
    if inputs.dtype != source.dtype:
        if inputs.dtype != np.float32:
            raise ValueError(f"the file takes {source.dtype}, and was given {inputs.dtype}")
        rows = encode(inputs, source)
    first, last = (
        interpreter.get_input_details()[0]["index"],
        interpreter.get_output_details()[0]["index"],
    )
    outputs = np.empty((len(rows), *target.shape[1:]), target.dtype)
    for number, row in enumerate(rows):
        interpreter.set_tensor(first, row[np.newaxis])
        interpreter.invoke()
        outputs[number] = interpreter.get_tensor(last)[0]
    facts = {
        "runtime": f"{runtime.name} {runtime.version}",
        "input": source.model_dump(),
        "output": target.model_dump(),
    }
    return facts, {"inputs": rows, "outputs": outputs}


def _tensor_specs(interpreter: Any) -> tuple[TensorSpec, TensorSpec]:
    """Input and output as the file's signature and tensors tell them."""
    signature: dict[str, list[str]] = next(iter(interpreter.get_signature_list().values()), {})
    names = signature.get("inputs", []), signature.get("outputs", [])
    details = interpreter.get_input_details(), interpreter.get_output_details()
    if any(len(side) != 1 for side in (*names, *details)):
        raise ValueError("it has not one input and one output with a name each")
    source, target = (
        _tensor_spec(name[0], side[0]) for name, side in zip(names, details, strict=True)
    )
    if source.shape[0] != 1 or target.shape[0] != 1:
        raise ValueError(f"it draws {source.shape[0]} pictures at a time, not one")
    return source, target


def _tensor_spec(name: str, detail: dict[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    try:
        return TensorSpec(
            name=name,
            dtype=np.dtype(detail["dtype"]).name,
            shape=tuple(detail["shape"].tolist()),
            scale=float(scale),
            zero_point=int(zero_point),
        )
    except ValidationError as error:
        raise ValueError(f"its {name} is of a kind that no bundle holds") from error
