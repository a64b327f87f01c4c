"""Does anything in a .tflite make the agent hang, vanish, or spoil what others are told?

Damages a good file in many ways and measures each, as a benchmark of many variants would, together
with the good one: truncated, bits flipped, bytes zeroed, replaced by random ones or appended, and
tensors whose shapes claim more memory than there is. Every answer must be a measurement: figures
(damage to weights leaves a file that runs) or an error that names its cause. The good file's output
must stay the same.

    python -m tools.mutate FILE [--count 1000] [--seed 0]

Prints how many damaged files were answered how. Exit code 1 if an answer was not named, or the good
file's answer suffered.
"""

import argparse
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Measurement
from deploy.targets.local import Local
from pipeline.consoles import console
from pipeline.tflite.read import read_model
from tools.console import run_as_program
from tools.tables import Table

# One inference is enough to see whether a file runs.
QUICK_PLAN = MeasuringPlan(rounds=1, runs=1, warmup=0, time_limit=20.0)
FILES_A_BLOCK = 25
UNAFFECTED = "The good file was answered alike beside each block of damaged ones."
# Stored values of this size or more are weights; damage elsewhere is more interesting.
WEIGHTS_BYTES = 64


def mutants(content: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Endlessly: the kind of damage, and ``content`` damaged that way; never as it was."""
    chance = random.Random(seed)
    places = structure(content)
    damages = {
        "truncated": lambda: content[: chance.randrange(len(content))],
        "bits flipped": lambda: flipped(content, chance, places),
        "bytes zeroed": lambda: overwritten(content, chance, places, zero=True),
        "bytes random": lambda: overwritten(content, chance, places, zero=False),
        "appended": lambda: content + chance.randbytes(chance.randrange(1, 5000)),
        "huge shapes": lambda: swollen(content, chance),
    }
    while True:
        for kind, damage in damages.items():
            # A byte may be flipped back, or be overwritten with what it was.
            yield kind, next(damaged for damaged in iter(damage, None) if damaged != content)


def structure(content: bytes) -> list[int]:
    """Places of the bytes that are no weights."""
    free = bytearray(b"\1" * len(content))
    for tensor in read_model(content).tensors:
        size = len(tensor.buffer)
        start = content.find(tensor.buffer) if size >= WEIGHTS_BYTES else -1
        if start >= 0:
            free[start : start + size] = bytes(size)
    return [place for place, flag in enumerate(free) if flag]


def flipped(content: bytes, chance: random.Random, places: Sequence[int]) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        damaged[chance.choice(places)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def overwritten(
    content: bytes, chance: random.Random, places: Sequence[int], *, zero: bool
) -> bytes:
    size = min(chance.choice((1, 4, 16, 256, 4096)), len(content))
    start = min(chance.choice(places), len(content) - size)
    middle = bytes(size) if zero else chance.randbytes(size)
    return content[:start] + middle + content[start + size :]


def swollen(content: bytes, chance: random.Random) -> bytes:
    """``content`` with computed tensors that take much memory, or more than there is.

    Either a batch of one size for all of them, which runtimes find sound, or shapes at random.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    stored = [buffer.data is not None and len(buffer.data) > 0 for buffer in model.buffers]
    tensors = [t for graph in model.subgraphs for t in graph.tensors if not stored[t.buffer]]
    batch = chance.choice((2**16, 2**22, 2**28, 2**31 - 1))
    if chance.random() < 0.5:
        for tensor in tensors:
            tensor.shape = [batch, *tensor.shape[1:]]
    else:
        for tensor in chance.sample(tensors, chance.randint(1, len(tensors))):
            tensor.shape = [*tensor.shape[:-1], chance.choice((2**22, 2**28, 2**31 - 1))]
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def kind_of(answer: Measurement) -> str:
    """In which of a few ways a damaged file was answered."""
    if answer.error is None:
        return "runs"
    signal = re.match(r"the agent was ended by (SIG\w+)", answer.error)
    if signal:
        return signal.group(1)
    if answer.error.startswith("no answer within"):
        return "time limit"
    if "gave no measurement" in answer.error or "Traceback" in answer.error:
        return "not named"
    return "refused"


@dataclass(frozen=True)
class Tally:
    """How often each (kind of damage, kind of answer) was seen."""

    counts: Counter[tuple[str, str]]
    suffered: Sequence[str]
    """What the good file was answered wherever that differs from its answer alone."""

    @property
    def passed(self) -> bool:
        return not self.suffered and not any(way == "not named" for _, way in self.counts)

    def table(self) -> Table:
        kinds = list(dict.fromkeys(kind for kind, _ in self.counts))
        ways = sorted({way for _, way in self.counts})
        rows = [[kind, *(str(self.counts[kind, way]) for way in ways)] for kind in kinds]
        total = ["all", *(str(sum(self.counts[kind, way] for kind in kinds)) for way in ways)]
        notes = [f"The good file was answered: {answer}" for answer in self.suffered]
        return Table(["damage", *ways], [*rows, total], notes or [UNAFFECTED])


def tally(path: Path, count: int, seed: int) -> Tally:
    """Measure ``count`` damaged copies of the file, and the good one beside each block of them."""
    alone = measure({"good": path}, [Local()], plan=QUICK_PLAN)[0].output_sha256
    counts: Counter[tuple[str, str]] = Counter()
    suffered: list[str] = []
    damaged = islice(mutants(path.read_bytes(), seed), count)
    while block := list(islice(damaged, FILES_A_BLOCK)):
        with tempfile.TemporaryDirectory() as folder:
            variants = {"good": path}
            for place, (_, content) in enumerate(block):
                variants[str(place)] = Path(folder) / f"{place}.tflite"
                variants[str(place)].write_bytes(content)
            good, *answers = measure(variants, [Local()], plan=QUICK_PLAN)
        if good.output_sha256 != alone:
            suffered.append(good.error or "another output")
        counts.update((kind, kind_of(a)) for (kind, _), a in zip(block, answers, strict=True))
    return Tally(counts, suffered)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    result = tally(arguments.file, arguments.count, arguments.seed)
    console().print(result.table().for_terminal())
    return 0 if result.passed else 1


if __name__ == "__main__":
    run_as_program(main)
