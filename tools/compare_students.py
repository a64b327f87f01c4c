"""What each ingredient of `pocketgan compress` gives: rows that differ in one thing, equal bytes.

    python tools/compare_students.py runs/digits-large --max-gzip-kb 12.4
    python tools/compare_students.py runs/digits-large --max-gzip-kb 12.4 --list

Every row is a run of its own (folder: --runs), through the commands that users have, so that its
figures are those of a shipped file. Rows without a step of the way get its steps elsewhere. What
comes after ``--`` goes to every student. A row that is there is not made again.
"""

import argparse
import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.compression.bits import kernel_layers
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.rounding import Coarseness
from pipeline.lite import count
from pipeline.lite.read import read_model
from pipeline.networks.settings import StudentSettings
from pipeline.recipe import BudgetSettings
from pipeline.recipe_file import load
from pipeline.report import schema
from pipeline.report.gates import measure
from pipeline.run import COMPRESSION, STAGES, Stage, stage_folder
from pipeline.search.budget import KILO, budget_of
from pipeline.search.commands import parse, run_of
from pipeline.search.space import Shape, space_of
from pipeline.search.students import Workshop
from pipeline.stages import networks
from pipeline.teachers.teacher import load_teacher
from pipeline.variants import SHIPPED, find_variants

BITS = 5
RANK, TAPER, MIXERS = 16, 0.7, 0
FRESH = ("--discriminator", "none")
SILENT = ("--student.distill", "0", "--quantize.distill", "0")
COPYING = (
    *("--student.adversarial", "0", "--student.distill", "100", "--quantize.distill", "100"),
)
RULES_OF_THE_TEACHER = (
    *("--student.r1", "{r1}", "--student.rate", "{generator_rate}"),
    *("--student.discriminator_rate", "{discriminator_rate}"),
    *("--quantize.rate", "{generator_rate}"),
)
PRUNING = "stock pruning of the teacher"
PRUNED = (
    *("--prune.steps", "6000", "--prune.rate", "0.0008", "--quantize.rate", "0.0008"),
    *("--quantize.steps", "1000", "--benchmark.runs", "256", "--benchmark.rounds", "2"),
)


@dataclass(frozen=True)
class Row:
    """A student that differs from the first one's way in ``changes``."""

    name: str
    student: StudentSettings
    bits: int = BITS
    changes: Sequence[str] = ()


def rows(run: Path, max_gzip_kb: float) -> Iterator[Row]:
    """All that are made by compress."""
    recipe = load(str(run / "recipe.yaml"))
    workshop = Workshop(load_teacher(run), recipe.seed)
    space = space_of(recipe, workshop)
    limits = budget_of(BudgetSettings(max_gzip_kb=max_gzip_kb))

    def widest(
        block: str = "sub_pixel", rank: int = RANK, mixers: int = MIXERS, bits: int = BITS
    ) -> StudentSettings:
        shape = Shape(block, rank, TAPER, mixers)
        return space.widest(shape, Coarseness(bits), limits).student

    plain = widest()
    settings = run_of(*parse([str(run), "--max-gzip-kb", str(max_gzip_kb)])).recipe.student
    # The steps of the imitation are played.
    steps = str(settings.imitate + settings.steps)
    alone = ("--student.imitate", "0", "--student.steps", steps)
    # Nothing of the teacher is left but its place in the table.
    scratch = (*alone, *SILENT, *FRESH)
    rules = [part.format(**asdict(recipe.train)) for part in RULES_OF_THE_TEACHER]
    yield Row("all of it", plain)
    yield Row("from scratch, as a GAN", plain, BITS, scratch)
    yield Row("from scratch, by the teacher's rules", plain, BITS, (*scratch, *rules))
    yield Row("plain MSE distillation", plain, BITS, COPYING)
    yield Row("cut out of the teacher", widest("slim", 24, 0, 4), 4)
    yield Row("cut out, plain MSE distillation", widest("slim", 24, 0, 4), 4, COPYING)
    yield Row("without imitation first", plain, BITS, alone)
    yield Row("a fresh discriminator", plain, BITS, FRESH)
    yield Row("no teacher in the game", plain, BITS, SILENT)
    yield Row("the game by the teacher's rules", plain, BITS, rules)
    yield Row("no L1 while rounding", plain, BITS, ("--quantize.l1", "0"))
    even = json.dumps(dict.fromkeys(kernel_layers(workshop.build(plain)), BITS))
    yield Row("as many bits in every layer", plain, BITS, ("--quantize.layers", even))
    for bits in (4, 8):
        yield Row(f"wider or narrower: {bits} bits", widest(bits=bits), bits)
    yield Row("a mixing convolution", widest(mixers=1))
    yield Row("first Dense not split", widest(rank=0))
    for block in ("depthwise", "transposed"):
        yield Row(f"{block} blocks", widest(block))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--max-gzip-kb", type=float, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--only", nargs="+", help="these rows")
    parser.add_argument("--list", action="store_true", help="say what the rows are, make none")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, everywhere = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]
    print("| row | generator | gzip B | Fréchet ÷ teacher's | recall drop | p50 ÷ |")
    print("| :-- | :-- | --: | --: | --: | --: |")
    for row in rows(options.run, options.max_gzip_kb):
        words = f"{words_of(row.student)}, {row.bits} bits"
        if options.list or (options.only and row.name not in options.only):
            if options.list:
                print(f"| {row.name} | {words} |")
            continue
        folder = options.runs / "-".join(re.findall(r"\w+", row.name))
        _compress(options, folder, row, everywhere)
        print(_line(row.name, words, folder, COMPRESSION), flush=True)
    if not options.list and (not options.only or PRUNING in options.only):
        sparsity = sparsity_for(options.run, options.max_gzip_kb * KILO)
        folder = options.runs / PRUNING.replace(" ", "-")
        _prune(options, folder, sparsity)
        print(_line(PRUNING, f"{sparsity:.2%} zeros", folder, STAGES), flush=True)


def words_of(student: StudentSettings) -> str:
    widths = "→".join(map(str, student.channels))
    return f"{student.block} {widths}, rank {student.rank}"


def _compress(
    options: argparse.Namespace, folder: Path, row: Row, everywhere: Sequence[str]
) -> None:
    _call(
        *("compress", str(options.run), "--runs", str(folder.parent), "--name", folder.name),
        *("--max-gzip-kb", str(options.max_gzip_kb)),
        *("--search.student", json.dumps(asdict(row.student)), "--search.bits", f"[{row.bits}]"),
        *("--benchmark.runs", "256", "--benchmark.rounds", "2", *everywhere, *row.changes),
    )


def _prune(options: argparse.Namespace, folder: Path, sparsity: float) -> None:
    """The teacher's own run anew, from the stage that prunes: magnitude, as much in every layer."""
    if not folder.exists():
        trained = stage_folder(options.run, "train")
        shutil.copytree(trained, folder / trained.name)
    share = f"{sparsity:.5f}"
    _call(
        *("run", str(options.run / "recipe.yaml"), "--runs", str(folder.parent)),
        *("--name", folder.name, "--prune.sparsity", share, "--prune.last_layer", share),
        *("--prune.layers", "{}", "--report.gates", "[]", *PRUNED),
    )


def _call(*arguments: str) -> None:
    command = [sys.executable, "-m", "pipeline", *arguments, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")


def sparsity_for(run: Path, limit: float) -> float:
    """Share of zeros with which the teacher's int8 file takes ``limit`` bytes gzipped.

    Biases are not pruned: they take of it what those of the run's own int8 file take.
    """
    limit -= _bias_bytes(run)
    if limit <= 0:
        raise SystemExit(f"{PRUNING}: its biases alone take more than the limit.")
    dense = fold_batch_norm(networks.load(stage_folder(run, "train") / networks.GENERATOR))
    kernels = [layer.get_weights()[0] for layer in dense.layers if layer.get_weights()]
    low, high = 0.9, 1.0
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if _pruned_bytes(kernels, middle) > limit else (low, middle)
    return high


def _bias_bytes(run: Path) -> int:
    """What is no kernel, gzipped: biases as int32."""
    model = read_model(find_variants(stage_folder(run, "convert"))[SHIPPED])
    biases = [one.tensor.buffer for one in count.constants(model) if not one.is_kernel]
    return len(gzip.compress(b"".join(biases), 9))


def _pruned_bytes(kernels: Sequence[np.ndarray], share: float) -> int:
    stored = bytearray()
    for kernel in kernels:
        size = np.abs(kernel)
        kept = np.where(size < np.quantile(size, share), 0, kernel)
        stored += np.rint(kept / size.max() * 127).astype(np.int8).tobytes()
    return len(gzip.compress(bytes(stored), 9))


def _line(name: str, words: str, folder: Path, path: Mapping[str, Stage]) -> str:
    report = schema.read(stage_folder(folder, "report", path) / schema.FILE)
    figures = {
        quantity: measure(quantity, report).value or float("nan")
        for quantity in ("bytes_gzip", "frechet_ratio", "recall_drop", "speedup")
    }
    return (
        f"| {name} | {words} | {figures['bytes_gzip']:,.0f} | {figures['frechet_ratio']:.3f} "
        f"| {figures['recall_drop']:.3f} | {figures['speedup']:.1f} |"
    )


if __name__ == "__main__":
    main()
