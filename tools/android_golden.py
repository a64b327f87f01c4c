"""Make the golden files that the Android app's tests are held against, and its copy of the tiles.

    python -m tools.android_golden

Numbers come from `deploy/agent.py`'s own functions, so that the app's Kotlin and the agent's Python
cannot drift apart; the bundles are of the tiny generators that `android_tiny_model.py` made, drawn
by LiteRT. `Tiles.kt` is the bundles' own code. A test of this project makes all anew and compares.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deploy import agent
from deploy.bundle import schema, sheet, texts
from deploy.bundle.drawing import stored_pictures
from deploy.jobs import weigh
from tools.android_tests import TESTS
from tools.build_apk import VARIANTS

LENGTH, CLASSES, COUNT = 6, 10, 8
TILES = "../main/kotlin/org/pocketgan/demo/Tiles.kt"
SEEDS = (0, 1, 42, 20261124, 2**32 - 4)


def golden_files() -> Iterator[tuple[str, bytes]]:
    """Path below the tests' folder, and content."""
    yield "golden/numbers.json", dumps(numbers())
    for variant in VARIANTS:
        yield from bundle(variant)
        yield from picture_bundle(f"pictures/{variant}", PICTURE)
    yield from picture_bundle("holes/int8", HOLES)
    routine = (Path(texts.__file__).parent / "templates/Tiles.kt").read_bytes()
    yield TILES, b"package org.pocketgan.demo\n\n" + routine


def numbers() -> dict[str, Any]:
    return {
        "random": [random_inputs(seed, dtype) for seed in SEEDS for dtype in DTYPES],
        "encode": [encoded(*encoding) for encoding in ENCODINGS],
        "statistics": [statistics(count) for count in (1, 2, 3, 10, 99, 100, 101, 1024)],
        "cpu": [[text, agent.parse_cpu_name(text)] for text in CPU_INFO],
    }


DTYPES = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool")
ENCODINGS = (("int8", 0.5, 3), ("int8", 0.03, -3), ("int16", 0.25, 0), ("float32", 0.0, 0))
CPU_INFO = (
    "processor\t: 0\nCPU part\t: 0xd05\n\nprocessor\t: 4\nCPU part\t: 0xd41\n",
    "processor\t: 0\nCPU part\t: 0xfff\n",
    "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n",
)


def random_inputs(seed: int, dtype: str) -> dict[str, Any]:
    """Two inputs in a row, as a file with two inputs gets them: the first bytes, and all hashed."""
    details = [
        {"index": index, "name": "x", "dtype": np.dtype(dtype), "shape": np.array(shape)}
        for index, shape in enumerate([(1, 700), (3, 5)])
    ]
    feed = agent.random_feed(details, seed)
    content = b"".join(feed[index].tobytes() for index in (0, 1))
    return {
        "seed": seed,
        "dtype": dtype,
        "first": content[:32].hex(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def encoded(dtype: str, scale: float, zero_point: int) -> dict[str, Any]:
    """Halves, to see that they round to even, and values beyond the type's ends."""
    scale = float(np.float32(scale))
    values = np.array([*np.arange(-4, 4.25, 0.25), -1e6, 1e6, 0.1, -0.1], np.float32)
    detail = {
        "dtype": np.dtype(dtype),
        "quantization": (np.float32(scale), zero_point),
        "name": "x",
    }
    return {
        "dtype": dtype,
        "scale": scale,
        "zero_point": zero_point,
        "values": [float(value) for value in values],
        "bytes": agent.encode(values, detail).tobytes().hex(),
    }


def statistics(count: int) -> dict[str, Any]:
    samples = [int(value) for value in np.random.RandomState(count).randint(1000, 9_000_000, count)]
    return {"samples": samples, "summary": agent.summarize(samples)}


def bundle(variant: str) -> Iterator[tuple[str, bytes]]:
    """A bundle of the tiny generator, as docs/bundle.md says, less what the app does not read."""
    folder = f"bundles/{variant}"
    interpreter, plain = both_kernels(folder)
    (entry,) = interpreter.get_input_details()
    latents = np.array([latent(seed, seed % CLASSES) for seed in range(COUNT)], np.float32)
    inputs = agent.encode(latents, entry)
    model = {
        **described(folder, variant, "latent"),
        "version": 1,
        "latent": {
            "length": LENGTH,
            "prior": "normal",
            "classes": CLASSES,
            "class_names": [str(label) for label in range(CLASSES)],
        },
        "pixels": {"low": -1.0, "high": 1.0, "channels": "grey"},
    }
    yield f"{folder}/golden/latents.f32", latents.astype("<f4").tobytes()
    yield from model_and_outputs(folder, model, inputs)
    yield f"golden/{variant}.json", dumps(agent_outputs(plain))


def picture_bundle(folder: str, reads: schema.PictureInput) -> Iterator[tuple[str, bytes]]:
    """A bundle of a tiny generator that reads pictures, less what the app does not read."""
    model = {
        **described(folder, Path(folder).name, "picture"),
        "version": 2,
        "latent": None,
        "picture": reads.model_dump(mode="json"),
        "pixels": {"low": -1.0, "high": 1.0, "channels": "rgb"},
    }
    pictures = example_pictures()
    if reads.mask:
        masks = np.where(pictures[..., :1] > 160, np.uint8(255), np.uint8(0))
        pictures = np.where(masks > 0, np.uint8(reads.hidden or 0), pictures)
        yield f"{folder}/golden/masks.png", sheet.stacked(masks)
    yield f"{folder}/golden/pictures.png", sheet.stacked(pictures)
    if reads.mask:
        pictures = np.concatenate([pictures, masks], axis=-1)
    inputs = stored_pictures(pictures, reads, schema.TensorSpec(**model["input"]))
    yield from model_and_outputs(folder, model, inputs)


PICTURE = schema.PictureInput(
    low=-1.0,
    high=1.0,
    channels="rgb",
    tiles=schema.Tiles(scale=1, multiple=1, margin=2, seamless=True),
)

HOLES = schema.PictureInput(
    low=-1.0,
    high=1.0,
    channels="rgb",
    mask=True,
    hidden=128,
    tiles=schema.Tiles(scale=1, multiple=1, margin=1, seamless=True),
)


def example_pictures() -> np.ndarray:
    """Slopes and waves of colour, uint8 [8, 16, 16, 3]."""
    count, y, x, channel = np.ogrid[:COUNT, :16, :16, :3]
    waves = np.sin(x / (2 + channel) + count) + np.cos(y / (2 + count % 3) + channel)
    pictures: np.ndarray = np.rint(127.5 + 63 * waves).astype(np.uint8)
    return pictures


def described(folder: str, variant: str, reads: str) -> dict[str, Any]:
    """What the model.json of every bundle begins with."""
    interpreter, _ = both_kernels(folder)
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    return {
        "schema": "pocketgan.bundle",
        "version": 0,  # in its place; each kind has its own
        "name": "tiny",
        "variant": variant,
        "file": sizes((TESTS / folder / "generator.tflite").read_bytes()),
        "input": port(reads, entry),
        "output": port("image", exit_),
    }


def model_and_outputs(
    folder: str, model: dict[str, Any], inputs: np.ndarray
) -> Iterator[tuple[str, bytes]]:
    """The files that all bundles have: model.json, and what is drawn of the inputs."""
    interpreter, plain = both_kernels(folder)
    golden = {
        "count": COUNT,
        "plain": "golden/plain.bin",
        "runtime": "ai-edge-litert 2.3.0",
        "cpu": "x86-64",
    }
    yield f"{folder}/model.json", dumps({**model, "golden": golden})
    yield f"{folder}/golden/inputs.bin", inputs.tobytes()
    yield f"{folder}/golden/outputs.bin", draw(interpreter, inputs)
    yield f"{folder}/golden/plain.bin", draw(plain, inputs)


def both_kernels(folder: str) -> tuple[Interpreter, Interpreter]:
    """The generator of a tests' folder with XNNPACK, and without."""
    content = (TESTS / folder / "generator.tflite").read_bytes()
    return opened(content), opened(content, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def opened(content: bytes, kernels: OpResolverType = OpResolverType.AUTO) -> Interpreter:
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    return interpreter


def draw(interpreter: Interpreter, inputs: np.ndarray) -> bytes:
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for row in inputs:
        interpreter.set_tensor(entry["index"], row[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(exit_["index"]))
    return np.concatenate(outputs).tobytes()


def agent_outputs(interpreter: Interpreter) -> dict[str, Any]:
    """What the agent draws of random inputs: another runtime must give the same digest."""
    feeds = agent.make_feeds(interpreter.get_input_details(), None, 7)
    digest, outputs = agent.draw_outputs(interpreter, feeds, keep=True)
    return {"seed": 7, "output_sha256": digest, "outputs": outputs}


def sizes(content: bytes) -> dict[str, Any]:
    return {"path": "generator.tflite", **weigh(content)}


def port(name: str, detail: dict[str, Any]) -> dict[str, Any]:
    scale, zero_point = detail["quantization"]
    return {
        "name": name,
        "dtype": np.dtype(detail["dtype"]).name,
        "shape": [int(size) for size in detail["shape"]],
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def latent(seed: int, label: int) -> list[float]:
    """A bundle's input vector of a seed: SplitMix64, Box and Muller, then the class."""
    uniform = split_mix(seed)
    normal = [
        math.sqrt(-2 * math.log(1 - next(uniform))) * math.cos(2 * math.pi * next(uniform))
        for _ in range(LENGTH)
    ]
    return [*normal, *(float(place == label) for place in range(CLASSES))]


def split_mix(state: int) -> Iterator[float]:
    mask = (1 << 64) - 1
    while True:
        state = state + 0x9E3779B97F4A7C15 & mask
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        yield ((z ^ z >> 31) >> 11) * 2.0**-53


def dumps(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def main() -> None:
    for path, content in golden_files():
        (TESTS / path).parent.mkdir(parents=True, exist_ok=True)
        (TESTS / path).write_bytes(content)


if __name__ == "__main__":
    main()
