"""Files ranked by several judges, and how far the judges agree.

    python -m tools.experiments.judges runs/digits runs/compressed-digits-1 more/int8.tflite …
        [--keep FILE]

The first run has real pictures: its files, all files of the other runs, and each single file, are
drawn with its seed and held against its test pictures by

- its `own` judge;
- networks trained on the same pictures, to tell their `classes` and their `rotations`;
- `imagenet`: the published one, if it is installed; pictures of less than 32 pixels are enlarged.

One of the last three is the run's own already.

Fréchet distance, KID and sliced Wasserstein distance of each are a ranking; Spearman's correlation
says how far two rankings agree (1: the same order). A student tuned on one judge shows it here.
Students without real pictures (`pocketgan compress --data-free`), whose runs could only ask the
teacher's own, are measured by the first run's here; ratio and recall drop are by its judge.

A file takes minutes; with ``--keep`` the same command goes on where it was stopped.

Its figures stand in docs/compress.md and docs/decisions.md.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scipy.stats import spearmanr

from deploy.errors import PocketganError
from pipeline.arrays import Images, Labels
from pipeline.artifacts import find_variants
from pipeline.metrics.distances import Features
from pipeline.metrics.imagenet import ImageNetJudge
from pipeline.metrics.judge import train_judge
from pipeline.metrics.quality import FeatureNetwork, Quality, RealImages, measure
from pipeline.networks.efficientnet import weights_file
from pipeline.networks.settings import IMAGENET_SIDE
from pipeline.stage import StageContext
from pipeline.stages.evaluate import find_judge, pictures
from pipeline.stages.inputs import generator_inputs
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, read_metadata
from pipeline.training.randomness import Prior, Purpose, latents
from pipeline.variants import SHIPPED
from tools.console import run_as_program
from tools.experiments.finished_run import open_run
from tools.rows import add_rows, read_rows
from tools.tables import Table

METRICS: Mapping[str, Callable[[Quality], float]] = {
    "Fréchet": lambda quality: quality.frechet,
    "SWD": lambda quality: quality.sliced_wasserstein or 0.0,
    "KID": lambda quality: quality.kid,
}
OWN = "own"
HEAD = ("file", "gzip ÷", "gzip B", "ratio", "recall drop")


@dataclass(frozen=True)
class EnlargedPictures:
    """A judge of larger pictures, shown small ones with every pixel repeated."""

    judge: FeatureNetwork
    factor: int

    @property
    def sha256(self) -> str:
        return self.judge.sha256

    @property
    def classes(self) -> tuple[str, ...]:
        return self.judge.classes

    def features(self, images: Images) -> Features:
        return self.judge.features(self._enlarged(images))

    def predict(self, images: Images) -> Labels | None:
        return self.judge.predict(self._enlarged(images))

    def _enlarged(self, images: Images) -> Images:
        return images.repeat(self.factor, axis=1).repeat(self.factor, axis=2)


def judges_of(ctx: StageContext) -> Iterator[tuple[str, FeatureNetwork]]:
    """Those that can look at the run's pictures, by name."""
    own, data = find_judge(ctx), ctx.dataset
    yield OWN, own
    unlabelled = replace(data, train_labels=None, test_labels=None, classes=())
    tasks = {"classes": data} if data.classes else {}
    for name, labelled in {**tasks, "rotations": unlabelled}.items():
        if isinstance(own, ImageNetJudge) or own.classes != labelled.classes:
            steps = ctx.recipe.evaluate.judge_steps
            yield name, train_judge(labelled, steps=steps, seed=ctx.recipe.seed)
    if not isinstance(own, ImageNetJudge) and weights_file():
        judge = ImageNetJudge()
        factor = -(-IMAGENET_SIDE // min(data.test.shape[1:3]))
        yield "imagenet", judge if factor == 1 else EnlargedPictures(judge, factor)


def files_of(path: Path, only: str | None = None) -> dict[str, Path]:
    """Name → file: the file itself, or all variants of a run, float32 first, or ``only`` one.

    Raises PocketganError where there is none.
    """
    if path.is_file():
        return {path.name: path}
    variants = find_variants(next(path.glob("*-convert"), path))
    files = {f"{path.name} {name}": file for name, file in variants.items()}
    if only:
        files = {name: file for name, file in files.items() if file.stem == only}
    if not files:
        raise PocketganError(
            f"{path} holds no {only or '.tflite'} of a run.", "Name a finished run's folder."
        )
    return files


def pictures_of(ctx: StageContext, file: Path, samples: int) -> Images:
    """A file's pictures uint8 [samples, H, W, C], of latents as long as it says, or of the run's
    input pictures. Classes come in the shares of the run's data; a code's values, which are no
    classes, alike."""
    facts = json.loads(read_metadata(file.read_bytes(), PROVENANCE) or b"{}")
    if "latent" not in facts:
        inputs = generator_inputs(ctx, Purpose.EVALUATION, samples)
    else:
        weights, own = ctx.dataset.class_weights, Prior.even(facts["latent"], facts["classes"])
        if own.classes == len(weights):
            own = replace(own, class_weights=weights)
        inputs = latents(ctx.recipe.seed, Purpose.EVALUATION, count=samples, prior=own)
    return pictures(file, inputs, f"draw {file.stem}")


def qualities_of(
    ctx: StageContext, file: Path, real: Mapping[str, RealImages], samples: int
) -> dict[str, Quality]:
    """What each judge, by name, says of a file."""
    images = pictures_of(ctx, file, samples)
    return {name: measure(images, each, seed=ctx.recipe.seed) for name, each in real.items()}


def measure_once(
    keep: Path | None, key: str, make: Callable[[], dict[str, Quality]]
) -> dict[str, Quality]:
    """What a row of ``keep`` says of ``key``; otherwise it is made, and the row added."""
    for row in read_rows(keep) if keep else []:
        if row["key"] == key:
            return {name: Quality(**fields) for name, fields in row["qualities"].items()}
    by_judge = make()
    if keep:
        fields = {name: quality.model_dump(mode="json") for name, quality in by_judge.items()}
        add_rows(keep, [{"key": key, "qualities": fields}])
    return by_judge


def key_of(file: Path, real: Mapping[str, RealImages], *, samples: int, seed: int) -> str:
    """What a file's qualities depend on: its bytes, the judges, how many pictures, the seed."""
    judges = {name: each.judge.sha256 for name, each in real.items()}
    facts = [hashlib.sha256(file.read_bytes()).hexdigest(), judges, samples, seed]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def scores_of(qualities: Mapping[str, Mapping[str, Quality]]) -> dict[str, list[float]]:
    """`judge metric` → a figure of each file; ``qualities``: by file, by judge."""
    judges = list(next(iter(qualities.values())))
    return {
        f"{judge} {metric}": [read(by_judge[judge]) for by_judge in qualities.values()]
        for judge in judges
        for metric, read in METRICS.items()
    }


def agreement(scores: Mapping[str, Sequence[float]]) -> Table:
    """Spearman's correlation of each two rankings."""
    rows = [
        [name, *(f"{spearmanr(ours, theirs).statistic:.3f}" for theirs in scores.values())]
        for name, ours in scores.items()
    ]
    return Table(("Spearman", *scores), rows, [])


def table(files: Mapping[str, Path], qualities: Mapping[str, Mapping[str, Quality]]) -> Table:
    """A row a file, the best by the run's own judge first; ratios are to the first of the files."""
    scores = scores_of(qualities)
    dense = next(iter(files))
    baseline = qualities[dense][OWN]
    sizes = {name: read_model(file).size_gzip for name, file in files.items()}
    rows = {
        name: [
            name,
            f"{sizes[dense] / sizes[name]:,.1f}",
            f"{sizes[name]:,}",
            f"{by_judge[OWN].frechet / baseline.frechet:.3f}",
            f"{baseline.recall - by_judge[OWN].recall:.3f}",
            *(f"{of_files[number]:.4g}" for of_files in scores.values()),
        ]
        for number, (name, by_judge) in enumerate(qualities.items())
    }
    order = sorted(rows, key=lambda name: qualities[name][OWN].frechet)
    return Table((*HEAD, *scores), [rows[name] for name in order], [])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the run with real pictures")
    parser.add_argument("others", nargs="*", type=Path, help="folders of runs, or .tflite files")
    parser.add_argument("--shipped", action="store_true", help=f"of other runs only {SHIPPED}")
    parser.add_argument("--samples", type=int, help="pictures of each file (as many as the run's)")
    parser.add_argument("--keep", type=Path, help="file of the figures, a line for each file")
    options = parser.parse_args()
    ctx = open_run(options.run)
    files = files_of(options.run.resolve())
    for path in options.others:
        files |= files_of(path.resolve(), only=SHIPPED if options.shipped else None)
    real = {name: RealImages.seen_by(judge, ctx.dataset.test) for name, judge in judges_of(ctx)}
    samples = options.samples or ctx.recipe.evaluate.samples
    qualities = {
        name: measure_once(
            options.keep,
            key_of(file, real, samples=samples, seed=ctx.recipe.seed),
            partial(qualities_of, ctx, file, real, samples),
        )
        for name, file in files.items()
    }
    print(table(files, qualities).markdown())
    print(agreement(scores_of(qualities)).markdown())
    return 0


if __name__ == "__main__":
    run_as_program(main)
