"""What each ingredient of `pocketgan compress` gives: rows that differ in one thing, equal bytes.

    python tools/compare_students.py runs/digits-large --max-gzip-kb 12.4 \
        -- --student.imitate 1000 --student.steps 1500 --quantize.steps 500

Every row is a run of its own (folder: --runs), through the command that users have, so that its
figures are those of a shipped file. What comes after ``--`` goes to every row. A row that is there
is not made again.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.compression.rounding import Coarseness
from pipeline.networks.settings import StudentSettings
from pipeline.recipe import BudgetSettings
from pipeline.report import schema
from pipeline.report.gates import measure
from pipeline.run import COMPRESSION, stage_folder
from pipeline.search.budget import budget_of
from pipeline.search.space import Shape, space_of
from pipeline.search.students import Workshop

BITS = 5
RANK, TAPER, MIXERS = 16, 0.7, 0
SCRATCH = ("--student.imitate", "0", "--student.distill", "0", "--quantize.distill", "0")
"""Nothing of the teacher is left but its place in the table."""


def rows(options: argparse.Namespace) -> Iterator[tuple[str, StudentSettings, int, Sequence[str]]]:
    """Name, student, bits, and what is asked otherwise."""
    from pipeline.recipe_file import load
    from pipeline.teachers.teacher import load_teacher

    recipe = load(str(options.run / "recipe.yaml"))
    workshop = Workshop(load_teacher(options.run), recipe.seed)
    space = space_of(recipe, workshop)
    limits = budget_of(BudgetSettings(max_gzip_kb=options.max_gzip_kb))

    def widest(shape: Shape, bits: int = BITS) -> StudentSettings:
        return space.widest(shape, Coarseness(bits), limits).student

    plain = widest(Shape("sub_pixel", RANK, TAPER, MIXERS))
    yield "all of it", plain, BITS, ()
    yield "without imitation first", plain, BITS, ("--student.imitate", "0")
    yield "a fresh discriminator", plain, BITS, ("--discriminator", "none")
    yield (
        "no teacher in the game",
        plain,
        BITS,
        ("--student.distill", "0", "--quantize.distill", "0"),
    )
    yield "teacher five times as loud", plain, BITS, ("--student.distill", "10")
    yield (
        "plain MSE distillation",
        plain,
        BITS,
        ("--student.adversarial", "0", "--student.distill", "100", "--quantize.distill", "100"),
    )
    yield "from scratch, as a GAN", plain, BITS, (*SCRATCH, "--discriminator", "none")
    even = json.dumps(dict.fromkeys(_kernels(workshop, plain), BITS))
    yield "as many bits in every layer", plain, BITS, ("--quantize.layers", even)
    for bits in (4, 6, 8):
        yield f"{bits} bits on average", widest(Shape("sub_pixel", RANK, TAPER, 0), bits), bits, ()
    yield "a mixing convolution", widest(Shape("sub_pixel", RANK, TAPER, 1)), BITS, ()
    yield "first Dense not split", widest(Shape("sub_pixel", 0, TAPER, 0)), BITS, ()
    for block in ("depthwise", "transposed"):
        yield f"{block} blocks", widest(Shape(block, RANK, TAPER, 0)), BITS, ()
    yield "the teacher's own channels", widest(Shape("slim", RANK, TAPER, 0)), BITS, ()


def _kernels(workshop: Workshop, student: StudentSettings) -> list[str]:
    from pipeline.compression.bits import kernel_layers

    return kernel_layers(workshop.build(student))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--max-gzip-kb", type=float, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--only", nargs="+", help="these rows")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, everywhere = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]
    print("| row | student | gzip B | Fréchet ÷ teacher's | recall drop | p50 ÷ |")
    print("| :-- | :-- | --: | --: | --: | --: |")
    for name, student, bits, changes in rows(options):
        if options.only and name not in options.only:
            continue
        folder = options.runs / name.replace(" ", "-").replace(",", "")
        _make(options, folder, student, bits, [*everywhere, *changes])
        print(_line(name, student, bits, folder), flush=True)


def _make(
    options: argparse.Namespace,
    folder: Path,
    student: StudentSettings,
    bits: int,
    changes: Sequence[str],
) -> None:
    command = [
        *(sys.executable, "-m", "pipeline", "compress", str(options.run), "--quiet"),
        *("--max-gzip-kb", str(options.max_gzip_kb), "--runs", str(folder.parent)),
        *("--name", folder.name, "--search.student", json.dumps(asdict(student))),
        *("--search.bits", f"[{bits}]", "--benchmark.runs", "256", "--benchmark.rounds", "2"),
    ]
    done = subprocess.run([*command, *changes], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{folder.name}: {done.stderr[-2000:]}")


def _line(name: str, student: StudentSettings, bits: int, folder: Path) -> str:
    report = schema.read(stage_folder(folder, "report", COMPRESSION) / schema.FILE)
    figures = {
        quantity: measure(quantity, report).value or float("nan")
        for quantity in ("bytes_gzip", "frechet_ratio", "recall_drop", "speedup")
    }
    widths = "→".join(map(str, student.channels))
    return (
        f"| {name} | {student.block} {widths}, rank {student.rank}, {bits} bits "
        f"| {figures['bytes_gzip']:,.0f} | {figures['frechet_ratio']:.3f} "
        f"| {figures['recall_drop']:.3f} | {figures['speedup']:.1f} |"
    )


if __name__ == "__main__":
    main()
