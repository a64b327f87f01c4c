"""Does any damaged input end the program otherwise than with one message?

Damages a tiny sound file of each format in many manners (cut, bits flipped, bytes overwritten,
appended, swapped, nested, huge numbers, paths of other files, members of archives blown up or
renamed, files missing) and opens it as `check` does. Each must pass, or be
refused in one message; no other file may be touched, and memory must stay bounded. A crash of a
native library is counted apart: the command's parent turns it into one message.

    python -m tools.damaged FOLDER [--count 1000] [--seed 0] [--formats keras onnx]

Input NUMBER of a format is the same whenever the seed is. FOLDER keeps what was answered, so that
the same command goes on where it was stopped, and in FOLDER/faults the inputs that were answered
wrongly or ended in a crash. Exit code 1 if there was a fault.
"""

import argparse
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.consoles import console
from pipeline.tensorflow_setup import configure_tensorflow, load_tensorflow
from tools.console import run_as_program
from tools.damaged.manners import damage
from tools.damaged.opening import GOOD, Answer, Opening, answers
from tools.damaged.specimens import SPECIMENS
from tools.rows import add_rows, read_rows
from tools.tables import Table

BLOCK = 20
"""Inputs that one child opens, if it lives."""
ANSWERS, FAULTS, SOUND = "answers.jsonl", "faults", "sound"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="inputs of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+", choices=[*SPECIMENS], default=[*SPECIMENS])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    _start()
    for name in options.formats:
        _write_sound(name, options.folder / SOUND / name)
        _open_format(name, options.folder, count=options.count, seed=options.seed)
    rows = [row for row in read_rows(options.folder / ANSWERS) if row["seed"] == options.seed]
    console().print(_table(rows).for_terminal())
    return int(any(row["outcome"] not in GOOD for row in rows))


def _start() -> None:
    """Import all that is needed to open a file; nothing is run, so that this process can fork."""
    configure_tensorflow()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    load_tensorflow()
    import pipeline.importers.onnx_files.loading
    import pipeline.importers.teacher  # noqa: F401


def _write_sound(name: str, folder: Path) -> None:
    """The sound file of a format, by a child; nothing where it is there already."""
    if folder.exists():
        return
    with tempfile.TemporaryDirectory(dir=folder.parent.parent) as aside:
        child = os.fork()
        if not child:
            code = 1
            try:
                SPECIMENS[name].write(Path(aside) / SPECIMENS[name].name)
                code = 0
            finally:
                os._exit(code)
        if os.waitpid(child, 0)[1]:
            raise OSError(f"the sound file of {name} could not be written")
        shutil.copytree(aside, folder)


def _open_format(name: str, folder: Path, *, count: int, seed: int) -> None:
    """Open what was not opened yet, and write down how it was answered."""
    opened = {
        row["number"]
        for row in read_rows(folder / ANSWERS)
        if (row["format"], row["seed"]) == (name, seed)
    }
    numbers = [number for number in range(count) if number not in opened]
    for start in range(0, len(numbers), BLOCK):
        with tempfile.TemporaryDirectory() as root:
            rows = _open_block(
                name, folder, root=Path(root), numbers=numbers[start : start + BLOCK], seed=seed
            )
            add_rows(folder / ANSWERS, rows)


def _open_block(
    name: str, folder: Path, *, root: Path, numbers: Sequence[int], seed: int
) -> Iterator[dict[str, Any]]:
    specimen, elsewhere = SPECIMENS[name], root / "elsewhere.bin"
    elsewhere.write_bytes(random.Random(seed).randbytes(4096))
    jobs, manners = [], []
    for number in numbers:
        shutil.copytree(folder / SOUND / name, root / str(number))
        chance = random.Random(f"{seed} {name} {number}")
        path = root / str(number) / specimen.name
        whole = path if chance.random() < 0.5 else path.parent
        manners.append("sound" if number == 0 else damage(whole, chance, elsewhere))
        jobs.append(Opening(path, specimen.reader))
    for number, manner, answer in zip(numbers, manners, answers(jobs, elsewhere), strict=True):
        if answer.outcome not in ("passes", "refused"):
            _save(folder / FAULTS / f"{name}-{seed}-{number}", root / str(number), answer)
        yield {
            "format": name,
            "seed": seed,
            "number": number,
            "manner": manner,
            "outcome": answer.outcome,
            "words": answer.words[-2000:],
        }


def _save(folder: Path, damaged: Path, answer: Answer) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(damaged, folder, symlinks=True)
    (folder / "answer.txt").write_text(f"{answer.outcome}\n{answer.words}\n", encoding="utf-8")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    counts = Counter((row["format"], row["outcome"]) for row in rows)
    outcomes = sorted({row["outcome"] for row in rows}, key=lambda one: (one not in GOOD, one))
    formats = [name for name in SPECIMENS if any(row["format"] == name for row in rows)]
    body = [[name, *(f"{counts[name, outcome]:,}" for outcome in outcomes)] for name in formats]
    total = [f"{sum(row['outcome'] == outcome for row in rows):,}" for outcome in outcomes]
    return Table(["format", *outcomes], [*body, ["all", *total]], [f"{len(rows):,} inputs"])


if __name__ == "__main__":
    run_as_program(main)
