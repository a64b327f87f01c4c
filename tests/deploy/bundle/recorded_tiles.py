"""What Python makes of large pictures, tile by tile: what other languages are held against."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deploy.bundle.make import GOLDEN
from tests.deploy.bundle.picture_kinds import PICTURES

TILED = [name for name, kind in PICTURES.items() if not kind.cropped]
SIZES = [(16, 12), (5, 7), (16, 13), (39, 61), (40, 12)]
"""Heights and widths: of one tile, of less, of a pixel more, of many."""


def photo_of(kind: str, size: tuple[int, int]) -> np.ndarray:
    """A picture that such a generator reads, uint8 [*size, c]; a mask is 0 or 255."""
    depth = PICTURES[kind].colours + PICTURES[kind].mask
    coarse = np.random.default_rng(sum(size)).integers(0, 256, (*size, depth), np.uint8)
    if PICTURES[kind].mask:
        coarse[..., -1] = np.where(coarse[..., -1] > 200, 255, 0)
    return coarse


def _module(folder: Path) -> SimpleNamespace:
    """The Python code of a bundle."""
    scope: dict[str, Any] = {"__name__": "generator"}
    exec(compile((folder / "code/generator.py").read_text(), "generator.py", "exec"), scope)
    return SimpleNamespace(**scope)


def generator_of(folder: Path, *, plain: bool = False) -> Any:
    """The Python code's; ``plain``: without XNNPACK."""
    generator = _module(folder).Generator(str(folder / "generator.tflite"))
    if plain:
        generator.net = Interpreter(
            str(folder / "generator.tflite"),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        generator.net.allocate_tensors()
    return generator


def record(folder: Path, photos: list[np.ndarray]) -> list[np.ndarray]:
    """What Python makes of photos; every tile's stored input and output go into table.bin."""
    generator = generator_of(folder)
    run, pairs = generator.run, []

    def remember(taken: np.ndarray) -> np.ndarray:
        drawn: np.ndarray = run(taken)
        raw = generator.net.get_tensor(generator.net.get_output_details()[0]["index"])
        pairs.append(taken.tobytes() + raw.tobytes())
        return drawn

    generator.run = remember
    drawn = [generator.filter(photo) for photo in photos]
    (folder / "table.bin").write_bytes(b"".join(pairs))
    return drawn


def golden_table(contents: dict[str, bytes]) -> bytes:
    """The golden inputs of a bundle, each with its output behind it."""
    inputs, outputs = (contents[f"golden/{name}.bin"] for name in ("inputs", "outputs"))
    taken, given = len(inputs) // GOLDEN, len(outputs) // GOLDEN
    pairs = (inputs[at * taken :][:taken] + outputs[at * given :][:given] for at in range(GOLDEN))
    return b"".join(pairs)


def rgba(levels: np.ndarray) -> np.ndarray:
    """Grey or colour, uint8 [h, w, c], as red, green, blue and full alpha."""
    colours = np.broadcast_to(levels, (*levels.shape[:2], 3))
    return np.dstack([colours, np.full(levels.shape[:2], 255, np.uint8)])


def lay_out(folder: Path, kind: str, photos: list[np.ndarray]) -> list[dict[str, Any]]:
    """Photos as NUMBER.rgba and NUMBER.mask, and what they are called."""
    for number, photo in enumerate(photos):
        colours = photo[..., : PICTURES[kind].colours]
        (folder / f"{number}.rgba").write_bytes(rgba(colours).tobytes())
        (folder / f"{number}.mask").write_bytes(photo[..., -1].tobytes())
    return [
        {"name": str(number), "height": h, "width": w, "masked": PICTURES[kind].mask}
        for number, (h, w, _) in enumerate(photo.shape for photo in photos)
    ]
