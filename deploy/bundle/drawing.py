"""From a seed to pixels: latents, the numbers that a file takes and draws, and the local runtime.

A seed is a number below 2⁶⁴. Its random numbers are SplitMix64's (Steele, Lea & Flood 2014), which
is six lines in any language; two of them make a normal number by Box and Muller's transform. All
five code files of a bundle do the same.

The runtime has a process of its own. It trusts the file it is given: one that is damaged can end
the process, or never end.
"""

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from deploy import agent
from deploy.bundle.schema import Latent, PictureInput, Pixels, TensorSpec
from deploy.errors import PocketganError

SEEDING = (
    "Seed s (below 2^64): z_n is SplitMix64's n-th output from state s (state += "
    "0x9E3779B97F4A7C15; z = state; z = (z xor z>>30) * 0xBF58476D1CE4E5B9; z = (z xor z>>27) * "
    "0x94D049BB133111EB; z xor z>>31; all modulo 2^64). u_n = (z_n >> 11) * 2^-53. Number k of the "
    "latent (k = 0, 1, ...) is sqrt(-2 ln(1 - u_2k)) * cos(2 pi u_2k+1), n counted from 0, in "
    "float64, then rounded to float32. Golden latent i is that of seed i with class i modulo the "
    "number of classes. PictureInput n of a series that starts with seed s has seed s + n."
)

SECONDS = 120.0
_ALL_BITS = (1 << 64) - 1
_CHILD = "import sys; sys.path[:] = {path}; from deploy.bundle import drawing; drawing.answer()"


def latents(latent: Latent, seeds: Sequence[int], labels: Sequence[int]) -> np.ndarray:
    """Input vectors, float32 [N, length + classes]; ``labels`` are looked at with classes only."""
    vectors = np.zeros((len(seeds), latent.width), np.float32)
    for row, seed, label in zip(vectors, seeds, labels, strict=True):
        row[: latent.length] = normal(seed, latent.length)
        if latent.classes:
            row[latent.length + label] = 1
    return vectors


def normal(seed: int, count: int) -> list[float]:
    """The first ``count`` normal numbers of a seed."""
    uniform = _uniform(seed)
    # By the math module: numpy's vectors round otherwise on another processor.
    return [
        math.sqrt(-2 * math.log(1 - next(uniform))) * math.cos(2 * math.pi * next(uniform))
        for _ in range(count)
    ]


def _uniform(seed: int) -> Iterator[float]:
    """Numbers in [0, 1)."""
    state = seed
    while True:
        state = state + 0x9E3779B97F4A7C15 & _ALL_BITS
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _ALL_BITS
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _ALL_BITS
        yield ((z ^ z >> 31) >> 11) * 2.0**-53


def encode(values: np.ndarray, tensor: TensorSpec) -> np.ndarray:
    """Real numbers as the tensor's type: round(v / scale) + zero_point, half to even, clipped."""
    quantization = (tensor.scale, tensor.zero_point)
    detail = {"name": tensor.name, "dtype": tensor.dtype, "quantization": quantization}
    with np.errstate(all="ignore"):  # a stranger's scale and latents may be anything
        return agent.encode(values, detail)


def stored_pictures(pictures: np.ndarray, picture: PictureInput, tensor: TensorSpec) -> np.ndarray:
    """Pictures uint8 [N, h, w, c] as the tensor's type, by way of their real numbers in float64."""
    levels = np.arange(256, dtype=np.float64)
    with np.errstate(all="ignore"):  # a stranger's black and white may be anything, too
        real = picture.low + (picture.high - picture.low) * levels / 255
    table = encode(real, tensor)
    stored: np.ndarray = table[pictures]
    return stored


def to_pixels(outputs: np.ndarray, tensor: TensorSpec, pixels: Pixels) -> np.ndarray:
    """What the file draws, in its own type → uint8 of the same shape, black 0 and white 255."""
    values = outputs.astype(np.float64)
    if tensor.scale:
        values = (values - tensor.zero_point) * tensor.scale
    levels = np.rint((values - pixels.low) / (pixels.high - pixels.low) * 255)
    return np.clip(levels, 0, 255).astype(np.uint8)


def wire(array: np.ndarray) -> bytes:
    """The values in order, little-endian."""
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def unwire(content: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The opposite of ``wire``. Raises ValueError where there are more bytes or fewer."""
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape).astype(dtype)


@dataclass(frozen=True, kw_only=True)
class GeneratorRun:
    """What a file is, as the runtime tells it, and what it drew.

    ``inputs`` [N, L] or [N, h, w, c] and ``outputs`` [N, H, W, C] are of the file's own types.
    """

    runtime: str
    input: TensorSpec
    output: TensorSpec
    inputs: np.ndarray
    outputs: np.ndarray


def draw(content: bytes, inputs: np.ndarray, *, plain: bool = False) -> GeneratorRun:
    """Let a file draw of each row of ``inputs`` [N, L] or [N, h, w, c]; of none, it only says what
    it reads and draws.

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
    agent.leave_memory_to_others()  # a file may ask for any amount
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as arrays:
        content, inputs = arrays["content"].tobytes(), arrays["inputs"]
        plain = bool(arrays["plain"])
    try:
        facts, tensors = _draw(content, inputs, plain=plain)
    except (agent.AgentError, OSError, RuntimeError, ValueError, IndexError, MemoryError) as error:
        facts, tensors = {"error": " ".join(str(error).split()) or type(error).__name__}, {}
    np.savez(channel, facts=np.array(json.dumps(facts)), **tensors)  # type: ignore[arg-type]
    channel.close()


def _draw(
    content: bytes, inputs: np.ndarray, *, plain: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    runtime = agent.load_runtime()
    options = {"experimental_op_resolver_type": agent.plain_kernels(runtime)} if plain else {}
    interpreter = runtime.module.Interpreter(model_content=content, num_threads=1, **options)
    interpreter.allocate_tensors()
    signature: dict[str, list[str]] = next(iter(interpreter.get_signature_list().values()), {})
    names = signature.get("inputs", []), signature.get("outputs", [])
    details = interpreter.get_input_details(), interpreter.get_output_details()
    if any(len(side) != 1 for side in (*names, *details)):
        raise ValueError("it has not one input and one output with a name each")
    (first,), (last,) = details
    source, target = _tensor_spec(names[0][0], first), _tensor_spec(names[1][0], last)
    if source.shape[0] != 1 or target.shape[0] != 1:
        raise ValueError(f"it draws {source.shape[0]} pictures at a time, not one")
    rows = inputs
    if inputs.dtype != source.dtype:
        if inputs.dtype != np.float32:
            raise ValueError(f"the file takes {source.dtype}, and was given {inputs.dtype}")
        rows = encode(inputs, source)
    outputs = np.empty((len(rows), *target.shape[1:]), target.dtype)
    for number, row in enumerate(rows):
        interpreter.set_tensor(first["index"], row[np.newaxis])
        interpreter.invoke()
        outputs[number] = interpreter.get_tensor(last["index"])[0]
    facts = {
        "runtime": f"{runtime.name} {runtime.version}",
        "input": source.model_dump(),
        "output": target.model_dump(),
    }
    return facts, {"inputs": rows, "outputs": outputs}


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
