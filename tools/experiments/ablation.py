"""What each ingredient of `pocketgan compress` gives: rows that differ in one thing, equal bytes.

    python -m tools.experiments.ablation runs/digits-large --max-gzip-kb 12.4
    python -m tools.experiments.ablation runs/digits-large --max-gzip-kb 12.4 --list

Every row is a run of its own (folder: --runs), through the commands that users have, so that its
figures are those of a shipped file. Rows without a step of the way get its steps elsewhere. What
comes after ``--`` goes to every student. A row that is there is not made again.

Its figures stand in docs/compress.md and docs/decisions.md.
"""

import argparse
import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts import REPORT
from pipeline.commands.compress import parse_compress, run_of
from pipeline.compression.bits import kernel_layers
from pipeline.compression.fake_quantization import quantization_aware
from pipeline.compression.spec import CompressionSpec
from pipeline.finished_run import generator_of
from pipeline.importers.teacher import load_teacher
from pipeline.networks.settings import StudentSettings
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER, Plan
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import BudgetSettings
from pipeline.report.run import schema
from pipeline.report.run.gates import measure
from pipeline.search.budget import KILO, budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.space import StudentShape, space_of
from pipeline.tflite import count
from pipeline.tflite.convert import to_int8_trained
from pipeline.tflite.read import read_model
from pipeline.training.randomness import Prior, Purpose, latents

BITS = 5
ROOM = 1.05
RANK, TAPER, MIXERS = 16, 0.7, 0
FRESH = ("--discriminator", "none")
UNMATCHED = ("--student.matching", "0")
SILENT = (*UNMATCHED, "--student.distill", "0", "--quantize.distill", "0")
COPYING = (
    *UNMATCHED,
    *("--student.adversarial", "0", "--student.distill", "100", "--quantize.distill", "100"),
)
RULES_OF_THE_TEACHER = (
    *("--student.r1", "{r1}", "--student.rate", "{generator_rate}"),
    *("--student.discriminator_rate", "{discriminator_rate}"),
    *("--quantize.rate", "{generator_rate}"),
)
CALIBRATION = 64
PRUNING = "stock pruning of the teacher"
PRUNED = (
    *("--prune.last_layer", "0", "--report.gates", "[]"),
    *("--prune.steps", "6000", "--prune.rate", "0.0008", "--quantize.rate", "0.0008"),
    *("--quantize.steps", "1000", "--benchmark.runs", "256", "--benchmark.rounds", "2"),
)


WeightRanking = Callable[[np.ndarray], np.ndarray]
"""A layer's kernel → how much each of its weights counts, from the least, 1-D."""


@dataclass(frozen=True)
class StudentVariation:
    """A row of the table: a student; ``changes``: options of compress unlike the first row's."""

    name: str
    student: StudentSettings
    bits: int = BITS
    changes: Sequence[str] = ()


def rows(run: Path, max_gzip_kb: float) -> Iterator[StudentVariation]:
    """The rows whose students ``pocketgan compress`` makes."""
    recipe = load_recipe(str(run / "recipe.yaml"))
    builder = StudentBuilder(load_teacher(generator_of(run)), recipe.seed)
    space = space_of(recipe.search, recipe.budget, builder)
    limits = budget_of(BudgetSettings(max_gzip_kb=max_gzip_kb))

    def widest(
        block: str = "sub_pixel", rank: int = RANK, mixers: int = MIXERS, bits: int = BITS
    ) -> StudentSettings:
        shape = StudentShape(block=block, rank=rank, taper=TAPER, mixers=mixers)
        return space.widest(shape, CompressionSpec(bits), limits).student

    plain = widest()
    settings = run_of(*parse_compress([str(run), "--max-gzip-kb", str(max_gzip_kb)])).recipe.student
    # The steps of distillation alone become steps of adversarial training.
    steps = str(settings.imitate + settings.steps)
    alone = ("--student.imitate", "0", "--student.steps", steps)
    # Nothing of the teacher is left but the row that it is compared with.
    scratch = (*alone, *SILENT, *FRESH)
    rules = [part.format(**asdict(recipe.train)) for part in RULES_OF_THE_TEACHER]
    yield StudentVariation("all of it", plain)
    yield StudentVariation("from scratch, as a GAN", plain, BITS, scratch)
    yield StudentVariation("from scratch, by the teacher's rules", plain, BITS, (*scratch, *rules))
    yield StudentVariation("plain MSE distillation", plain, BITS, COPYING)
    yield StudentVariation("cut out of the teacher", widest("slim", 24, 0, 4), 4)
    yield StudentVariation("cut out, plain MSE distillation", widest("slim", 24, 0, 4), 4, COPYING)
    yield StudentVariation("without distillation first", plain, BITS, alone)
    yield StudentVariation("a fresh discriminator", plain, BITS, FRESH)
    yield StudentVariation("no teacher in adversarial training", plain, BITS, SILENT)
    yield StudentVariation("adversarial training by the teacher's rules", plain, BITS, rules)
    yield StudentVariation("no matching", plain, BITS, UNMATCHED)
    yield StudentVariation("no L1 while rounding", plain, BITS, ("--quantize.l1", "0"))
    even = json.dumps(dict.fromkeys(kernel_layers(builder.build(plain)), BITS))
    # Bits that are fixed are not fitted to what is aimed at, a little below the limit.
    room = ("--budget.max_gzip_kb", f"{max_gzip_kb * ROOM:.2f}")
    yield StudentVariation(
        "as many bits in every layer", plain, BITS, ("--quantize.layers", even, *room)
    )
    for bits in (4, 8):
        yield StudentVariation(f"wider or narrower: {bits} bits", widest(bits=bits), bits)
    yield StudentVariation("a mixing convolution", widest(mixers=1))
    yield StudentVariation("first Dense not split", widest(rank=0))
    for block in ("depthwise", "transposed"):
        yield StudentVariation(f"{block} blocks", widest(block))


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
        folder = folder_of(options, row.name)
        _compress(options, folder, row, everywhere)
        print(_line(row.name, words, folder, FROM_TEACHER), flush=True)
    for name, scores in SCORES.items():
        if not options.list and (not options.only or name in options.only):
            _stock_pruning(options, name, scores)


def folder_of(options: argparse.Namespace, name: str) -> Path:
    """Where the run of a row is."""
    runs: Path = options.runs
    return runs / "-".join(re.findall(r"\w+", name))


def words_of(student: StudentSettings) -> str:
    widths = "→".join(map(str, student.channels))
    return f"{student.block} {widths}, rank {student.rank}"


def _compress(
    options: argparse.Namespace, folder: Path, row: StudentVariation, everywhere: Sequence[str]
) -> None:
    _call(
        *("compress", str(options.run), "--runs", str(folder.parent), "--name", folder.name),
        *("--max-gzip-kb", str(options.max_gzip_kb)),
        *("--search.student", json.dumps(asdict(row.student)), "--search.bits", f"[{row.bits}]"),
        *("--benchmark.runs", "256", "--benchmark.rounds", "2", *everywhere, *row.changes),
    )


def _stock_pruning(options: argparse.Namespace, name: str, scores: WeightRanking) -> None:
    """The teacher's own run anew, from the stage that prunes: magnitude."""
    limit = options.max_gzip_kb * KILO
    if (biases := _bias_bytes(options.run)) >= limit:
        print(f"| {name} | cannot be: its biases alone take {biases:,} B | | | | |")
        return
    shares = shares_for(options.run, limit - biases, scores)
    folder = folder_of(options, name)
    if not folder.exists():
        trained = FROM_SCRATCH.folder(options.run, "train")
        shutil.copytree(trained, folder / trained.name)
    _call(
        *("run", str(options.run / "recipe.yaml"), "--runs", str(folder.parent)),
        *("--name", folder.name, "--prune.layers", json.dumps(shares), *PRUNED),
    )
    zeros = ", ".join(f"{layer} {share:.1%}" for layer, share in shares.items())
    print(_line(name, f"zeros: {zeros}", folder, FROM_SCRATCH), flush=True)


def _call(*arguments: str) -> None:
    command = [sys.executable, "-m", "pipeline", *arguments, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")


def shares_for(run: Path, limit: float, scores: WeightRanking) -> dict[str, float]:
    """Layer → share of zeros with which the teacher's int8 kernels take ``limit`` bytes gzipped.

    The weights with the smallest of the ``scores``, of all layers together, are the zeros.
    """
    dense = load_teacher(generator_of(run)).folded
    kernels = {layer.name: layer.get_weights()[0] for layer in dense.layers if layer.get_weights()}
    scored = {name: scores(kernel) for name, kernel in kernels.items()}
    together = np.concatenate([scored[name] for name in kernels])
    low, high = 0.9, 1.0
    for _ in range(16):
        middle = (low + high) / 2
        least = np.quantile(together, middle)
        shares = {name: float(np.mean(of_layer < least)) for name, of_layer in scored.items()}
        taken = sum(_pruned_bytes(kernel, shares[name]) for name, kernel in kernels.items())
        low, high = (middle, high) if taken > limit else (low, middle)
    return {name: round(share, 5) for name, share in shares.items()}


def by_rank(kernel: np.ndarray) -> np.ndarray:
    """Ranks that give every layer as many zeros: each weight's rank in its layer, 0..1."""
    return (np.arange(kernel.size) + 1) / kernel.size


def by_lamp(kernel: np.ndarray) -> np.ndarray:
    """What a weight adds to those of its layer that are larger (Lee 2021, arXiv:2010.07611)."""
    squares = np.sort(np.square(kernel, dtype=np.float64), axis=None)
    scores: np.ndarray = squares / np.cumsum(squares[::-1])[::-1]
    return scores


SCORES: Mapping[str, WeightRanking] = {
    PRUNING: by_rank,
    f"{PRUNING}, shares by LAMP": by_lamp,
}


def _bias_bytes(run: Path) -> int:
    """What is no kernel in the teacher's int8 file, gzipped: biases as int32."""
    teacher = load_teacher(generator_of(run))
    inputs = latents(
        1,
        Purpose.CALIBRATION,
        count=CALIBRATION,
        prior=Prior.even(teacher.latent, teacher.classes),
    )
    model = read_model(to_int8_trained(quantization_aware(teacher.folded, inputs)))
    biases = [one.tensor.buffer for one in count.constants(model) if not one.is_kernel]
    return len(gzip.compress(b"".join(biases), 9))


def _pruned_bytes(kernel: np.ndarray, share: float) -> int:
    size = np.abs(kernel)
    pruned = np.where(size < np.quantile(size, share), 0, kernel)
    stored = np.rint(pruned / size.max() * 127).astype(np.int8)
    return len(gzip.compress(stored.tobytes(), 9))


def _line(name: str, words: str, folder: Path, plan: Plan) -> str:
    report = schema.read(plan.folder(folder, "report") / REPORT)
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
