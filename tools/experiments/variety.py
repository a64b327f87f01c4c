"""Does a method of others keep more of a teacher's variety in as many bytes? A table.

    python -m tools.experiments.variety runs/digits --max-gzip-kb 4 --channels 6 9 --rank 12

Each row is ``pocketgan compress`` of the run with one method of ``variety_methods`` in its place;
student, bits a weight, budget and steps are the same. Folder: --runs. A row that is there is not
made again; the others take from the first one what is the same in both. What comes after ``--``
goes to every row.

Its figures stand in docs/compress.md and docs/decisions.md.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from unittest.mock import patch

from pipeline import cli
from pipeline.artifacts import DISCRIMINATOR, REPORT, load_network
from pipeline.networks.settings import StudentSettings
from pipeline.plans import FROM_TEACHER
from pipeline.report.run import schema
from pipeline.search.builder import SLIM
from pipeline.variants import BASELINE, SHIPPED

SHARED = ("teacher", "search")
"""Stages before any method acts: what they leave is the same in all rows."""
ROUNDED_ANEW = (*SHARED, "student")
"""Where a method acts on the rounding only."""
UNROUNDED = "student-float32"
AS_IT_IS, ROUNDING_ONLY = "as it is", "selective discriminator while rounding only"

Method = Callable[[], AbstractContextManager[object]]


def latent_sensitivity() -> AbstractContextManager[object]:
    """Channels are cut by DCP-GAN's score."""
    from tools.experiments.variety_methods import importance_by_latents

    return patch("pipeline.search.builder.importance_by_taylor", importance_by_latents)


def distribution_matching() -> AbstractContextManager[object]:
    """The student's loss has DiME's MMD."""
    from tools.experiments.variety_methods import DistributionMatching

    return patch("pipeline.stages.training.Generation", DistributionMatching)


def selective_discriminator() -> AbstractContextManager[object]:
    """The teacher's discriminator gets GCC's gates."""
    from tools.experiments.variety_methods import SelectiveDiscrimination, gated

    patches = ExitStack()
    patches.enter_context(patch("pipeline.stages.training.Generation", SelectiveDiscrimination))
    patches.enter_context(
        patch("pipeline.stages.student.load_network", lambda path: gated(load_network(path)))
    )
    return patches


def selective_rounding() -> AbstractContextManager[object]:
    """The discriminator of the student as it is gets the gates when that student is rounded."""
    from tools.experiments.variety_methods import SelectiveDiscrimination, gated

    def load(path: Path) -> object:
        network = load_network(path)
        return gated(network) if path.name == DISCRIMINATOR else network

    patches = ExitStack()
    patches.enter_context(patch("pipeline.stages.training.Generation", SelectiveDiscrimination))
    patches.enter_context(patch("pipeline.stages.quantize_student.load_network", load))
    return patches


METHODS: Mapping[str, Method] = {
    AS_IT_IS: ExitStack,
    "channels by latent sensitivity (DCP-GAN)": latent_sensitivity,
    "MMD in the discriminator's features (DiME)": distribution_matching,
    "selective discriminator (GCC)": selective_discriminator,
    ROUNDING_ONLY: selective_rounding,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--max-gzip-kb", type=float, required=True)
    parser.add_argument("--channels", type=int, nargs="+", required=True, help="percent of each")
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--runs", type=Path, default=Path("runs/variety"))
    parser.add_argument("--only", nargs="+", choices=METHODS, default=METHODS)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, everywhere = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]
    print("| row | gzip B | Fréchet ÷ teacher's | recall drop | before rounding | recall drop |")
    print("| :-- | --: | --: | --: | --: | --: |", flush=True)
    for name in options.only:
        folder = folder_of(options.runs, name)
        share_stages(
            folder_of(options.runs, AS_IT_IS),
            folder,
            ROUNDED_ANEW if name == ROUNDING_ONLY else SHARED,
        )
        with METHODS[name]():
            code = cli.main(_command(options, folder, everywhere))
        if code not in (0, 3):
            raise SystemExit(code)
        print(f"| {name} | {figures_of(folder)} |", flush=True)


def folder_of(runs: Path, name: str) -> Path:
    """Where the run of a row is."""
    return runs / "-".join(name.split())


def share_stages(first: Path, folder: Path, stages: Sequence[str]) -> None:
    """What the first row has of the ``stages`` becomes that of another row, too."""
    for stage in stages:
        own, other = (FROM_TEACHER.folder(run, stage) for run in (folder, first))
        if other.exists() and not own.exists():
            shutil.copytree(other, own)


def _command(options: argparse.Namespace, folder: Path, everywhere: Sequence[str]) -> list[str]:
    student = StudentSettings(SLIM, options.rank, tuple(options.channels), 0)
    return [
        *("compress", str(options.run), "--runs", str(folder.parent), "--name", folder.name),
        *("--max-gzip-kb", str(options.max_gzip_kb), "--quiet"),
        *("--search.student", json.dumps(asdict(student)), "--search.bits", f"[{options.bits}]"),
        *("--benchmark.runs", "256", "--benchmark.rounds", "2", *everywhere),
    ]


def figures_of(folder: Path) -> str:
    """The cells of a row, off its report: bytes of the file, then file and unrounded student."""
    report = schema.read(FROM_TEACHER.folder(folder, "report") / REPORT)
    teacher, unrounded, shipped = (report.variant(name) for name in (BASELINE, UNROUNDED, SHIPPED))
    assert teacher
    assert unrounded
    assert shipped
    cells = [f"{shipped.bytes_gzip:,}"]
    for student in (shipped, unrounded):
        cells += compared(student.quality, teacher.quality)
    return " | ".join(cells)


def compared(student: schema.ReportedQuality, teacher: schema.ReportedQuality) -> list[str]:
    """Fréchet distance over the teacher's, and what is lost of its recall."""
    assert student.frechet
    assert teacher.frechet
    assert student.recall is not None
    assert teacher.recall is not None
    return [
        f"{student.frechet / teacher.frechet:.3f}",
        f"{teacher.recall - student.recall:.3f}",
    ]


if __name__ == "__main__":
    main()
