"""The same student of pictures, trained as others train theirs, in one table.

The run is one of `pocketgan compress` whose teacher, a translator, was trained here on pairs. Its
student's network, batch 1 in every file, is trained anew by each method:

- from scratch: pix2pix's objective with the weights of the teacher's run, on the pairs themselves;
- plain MSE + PTQ: the teacher's pictures, mean squared error (``Distiller``); then the converter
  rounds it after the training;
- feature distillation: GAN Compression (Li 2020), see ``peer_objectives``;
- online distillation: OMGD (Ren 2021), ditto. The teacher is trained anew beside the student, as in
  the paper, by the rules of its own run: a step of it costs as much from any start. So the student
  copies another teacher than the one that the column "PSNR, teacher" means;
- OMGD's loss, a finished teacher: what is left of it where no teacher is trained anew.

Beside them: the teacher in float32; the same after the converter's post-training int8; TF-MOT's
``quantize_model`` of it as it is, fine-tuned on its own pictures; the run's int8 file; and what
needs no network.

Every student takes as many steps of the same batch as the run's own. It is then rounded by the
run's own stage quantize (as many bits, steps and rounds, the same limit of bytes), its method's
objective going on meanwhile, the discriminator and the adapters too; the teacher of the online one
is finished then. Rates are the recipe's: ``student.rate`` against a discriminator,
``student.imitate_rate`` without one, ``quantize.rate`` while rounding, ``train.generator_rate`` for
TF-MOT. Files are measured as in stage evaluate: the run's judge, each test picture once.

    python -m tools.experiments.picture_peers runs/emoji-3d-55kbgz [--steps N] [--only NAME …]
        [--seed N] [--json] [--markdown FILE] [--keep FOLDER]

Start it where the run was made: its recipe names the folder of the teacher's run. With ``--keep``
the same command goes on where it was stopped. A peer that fails has a row all the same, and its
reason below the table.
"""

import argparse
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras
from jsonargparse.typing import PositiveInt

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.artifacts import (
    DISCRIMINATOR,
    GENERATOR,
    PAIRS,
    STUDENT_FACTS,
    load_network,
    read_distillation_set,
)
from pipeline.compression.fold import fold_batch_norm
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.networks.pixels import TRANSLATED
from pipeline.plans import FROM_SCRATCH, RECIPE
from pipeline.recipe.reading import load_recipe
from pipeline.search.builder import SLIM, StudentBuilder
from pipeline.search.trials import distillation_batch
from pipeline.stage import StageContext
from pipeline.stages import training
from pipeline.stages.distillation import imitation_steps
from pipeline.stages.inputs import generator_inputs, pairs_of
from pipeline.stages.quantize_student import learn_rounded, rounding_rules, rounding_steps
from pipeline.tflite import convert as lite
from pipeline.training.distiller import Distiller
from pipeline.training.objective import Objective
from pipeline.training.objectives.translation import PairedTranslation
from pipeline.training.randomness import Purpose
from pipeline.training.settings import TrainSettings
from pipeline.training.trainer import GANTrainer
from pipeline.variants import BASELINE, SHIPPED
from tools.console import add_table_options, run_as_program, show_table
from tools.experiments.distil import distil
from tools.experiments.finished_run import (
    Examiner,
    FileQuality,
    PictureQuality,
    open_run,
    variant,
)
from tools.experiments.peer_objectives import (
    FeatureDistillation,
    FeatureMatching,
    OnlineDistillation,
    OnlineTrainer,
)
from tools.experiments.peers import make, peers_folder
from tools.tables import Table, cell, whole

ObjectiveOf = Callable[[tf_keras.Model, TrainSettings], Objective]
"""A student, plain or quantization-aware, and the settings of its training → what it learns."""


class PicturePeers:
    """The run of a student, and what each method may use of it.

    ``steps``: of each student's training before it is rounded, by default as many as the run's; the
    rounding takes its share. ``folder``: for checkpoints. Raises PocketganError for another run.
    """

    def __init__(
        self, ctx: StageContext, folder: Path, *, steps: int | None = None, seed: int | None = None
    ) -> None:
        recipe = ctx.recipe
        self.ctx, self._folder = ctx, folder
        self.seed: int = recipe.seed if seed is None else seed
        self._base = _teachers_training(ctx)
        self.lessons = read_distillation_set(ctx.inputs["teacher"], PAIRS)
        tried = STUDENT_FACTS.read(ctx.inputs["student"]).tried
        most = max(1, imitation_steps(ctx, self.lessons, tried) + recipe.student.steps)
        self.steps: int = steps or most
        self.rounding_steps: int = math.ceil(rounding_steps(ctx) * self.steps / most)
        self.batch = distillation_batch(self.lessons)

    @property
    def teacher(self) -> tf_keras.Model:
        """A fresh copy of the teacher as it was trained, with its batch norms."""
        return load_network(FROM_SCRATCH.folder(self._base, "train") / GENERATOR)

    @property
    def teachers_discriminator(self) -> tf_keras.Model:
        """A fresh copy of the discriminator that the teacher was trained against."""
        return load_network(FROM_SCRATCH.folder(self._base, "train") / DISCRIMINATOR)

    def student(self, *, blank: bool = False) -> tf_keras.Model:
        """The run's student before its training; ``blank``: without any weights of the teacher."""
        builder = StudentBuilder(read_saved_teacher(self.ctx.inputs["teacher"]), self.seed)
        settings = STUDENT_FACTS.read(self.ctx.inputs["student"]).tried.student
        network = builder.build(settings)
        return tf_keras.models.clone_model(network) if blank and settings.block == SLIM else network

    @cached_property
    def paired(self) -> dict[str, Any]:
        """What all objectives share: the pairs with their truth, pix2pix's weights."""
        return {
            "pairs": pairs_of(self.ctx),
            "fixed": pairs_of(self.ctx, test=True),
            "pixels": TRANSLATED,
            "weights": load_recipe(str(self._base / RECIPE)).translation,
            "seed": self.seed,
        }

    def rules(self, rate: float) -> TrainSettings:
        """Of a student's training before it is rounded."""
        ema = self.ctx.recipe.train.ema
        settings = training.student_training(self.ctx, self.steps, rate, ema)
        return replace(settings, batch=self.batch)

    def learn(self, trainer: GANTrainer, description: str) -> None:
        """Take all steps of a training."""
        # In a folder of its own: it would go on from the checkpoint of another one.
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            trainer.train(Path(folder) / "checkpoint.npz", description)
        trainer.recalibrate()

    def rounded(self, student: tf_keras.Model, objective_of: ObjectiveOf) -> bytes:
        """The int8 .tflite of a trained student, rounded while it goes on to learn."""

        def learn(aware: tf_keras.Model, steps: int, number: int) -> None:
            objective = objective_of(aware, rounding_rules(self.ctx, steps))
            self.learn(GANTrainer(objective, self.seed), f"rounding, {number + 1}")

        start = fold_batch_norm(student)
        rounded = learn_rounded(self.ctx, start, steps=self.rounding_steps, learn=learn)
        return lite.to_int8_student(rounded.aware, self.ctx.recipe.convert.batch)

    def post_training(self, network: tf_keras.Model) -> bytes:
        """The int8 .tflite that the converter makes of a float network."""
        settings = self.ctx.recipe.convert
        pictures = settings.calibration * settings.batch
        inputs = generator_inputs(self.ctx, Purpose.CALIBRATION, pictures)
        return lite.to_int8_post_training(fold_batch_norm(network), inputs, settings.batch)


def _teachers_training(ctx: StageContext) -> Path:
    """The folder of the run that trained the teacher on pairs; PocketganError where none did."""
    recipe, dataset = ctx.recipe, ctx.dataset
    if recipe.teacher.file is None or dataset.train_inputs is None or not dataset.aligned:
        raise PocketganError(
            f"run {recipe.name} has no student of a translator that was trained here on pairs.",
            "Name one: `pocketgan run emoji-3d`, then `pocketgan compress runs/emoji-3d`.",
        )
    folder: Path = recipe.teacher.file
    if not (FROM_SCRATCH.folder(folder, "train") / DISCRIMINATOR).is_file():
        raise PocketganError(
            f"the run that trained the teacher of {recipe.name} is not at {folder}.",
            "Start this in the folder where `pocketgan compress` was started.",
        )
    return folder


# ---------------------------------------------------------------------- peers


def from_scratch(peers: PicturePeers) -> bytes:
    """pix2pix (Isola 2017, equation 4): patches, and L1 to the truth; no teacher."""
    discriminator = training.build_networks(peers.ctx).discriminator

    def objective_of(network: tf_keras.Model, settings: TrainSettings) -> Objective:
        return PairedTranslation(network, discriminator, settings=settings, **peers.paired)

    student = peers.student(blank=True)
    objective = objective_of(student, peers.rules(peers.ctx.recipe.student.rate))
    peers.learn(GANTrainer(objective, peers.seed), "from scratch")
    return peers.rounded(student, objective_of)


def plain_mse(peers: PicturePeers) -> bytes:
    """Mean squared difference to the teacher's pictures (Aguinaldo 2019, its MSE loss)."""
    student = peers.student()
    distiller = Distiller(
        student,
        peers.lessons,
        pixels=TRANSLATED,
        steps=peers.steps,
        rate=peers.ctx.recipe.student.imitate_rate,
        batch=peers.batch,
        seed=peers.seed,
    )
    with progress.bar() as bar:
        task = bar.add_task("plain MSE", total=peers.steps)
        distiller.train(peers.steps, lambda: bar.advance(task))
    distiller.settle()
    return peers.post_training(student)


def feature_distillation(peers: PicturePeers) -> bytes:
    """GAN Compression (Li 2020, section 3.1)."""
    student, discriminator = peers.student(), peers.teachers_discriminator
    matching = FeatureMatching(student, peers.teacher)

    def objective_of(network: tf_keras.Model, settings: TrainSettings) -> Objective:
        return FeatureDistillation(
            network, discriminator, matching=matching, settings=settings, **peers.paired
        )

    objective = objective_of(student, peers.rules(peers.ctx.recipe.student.rate))
    peers.learn(GANTrainer(objective, peers.seed), "feature distillation")
    return peers.rounded(student, objective_of)


def online_distillation(peers: PicturePeers) -> bytes:
    """OMGD (Ren 2021, section 3.1), with one teacher."""
    networks = training.build_networks(peers.ctx)
    online = networks.generator
    settings = replace(peers.ctx.recipe.train, steps=peers.steps, batch=peers.batch)
    of_teacher = PairedTranslation(
        online, networks.discriminator, settings=settings, **peers.paired
    )
    teacher = GANTrainer(of_teacher, peers.seed)

    student, objective_of = peers.student(blank=True), _learning_from(online, peers)
    objective = objective_of(student, peers.rules(peers.ctx.recipe.student.imitate_rate))
    trainer = OnlineTrainer(objective, peers.seed, teacher=teacher)
    peers.learn(trainer, "online distillation")
    teacher.average.adopt()
    teacher.recalibrate()
    return peers.rounded(student, objective_of)


def finished_teacher(peers: PicturePeers) -> bytes:
    """OMGD's loss for the student, whose teacher is the run's, which learns no more."""
    student, objective_of = peers.student(blank=True), _learning_from(peers.teacher, peers)
    objective = objective_of(student, peers.rules(peers.ctx.recipe.student.imitate_rate))
    peers.learn(GANTrainer(objective, peers.seed), "a finished teacher")
    return peers.rounded(student, objective_of)


def _learning_from(
    teacher: tf_keras.Model, peers: PicturePeers
) -> Callable[[tf_keras.Model, TrainSettings], OnlineDistillation]:
    """OMGD's objective for a student, whatever its teacher does meanwhile."""
    return lambda network, settings: OnlineDistillation(
        network, online=teacher, settings=settings, **peers.paired
    )


def stock_qat(peers: PicturePeers) -> bytes:
    """TF-MOT's guide: ``quantize_model``, then ``fit``."""
    aware = tfmot.quantization.keras.quantize_model(peers.teacher)
    distil(
        aware,
        peers.teacher,
        ctx=peers.ctx,
        steps=peers.rounding_steps,
        rate=peers.ctx.recipe.train.generator_rate,
        description="TF-MOT QAT",
        seed=peers.seed,
    )
    return lite.to_int8_trained(aware, peers.ctx.recipe.convert.batch)


def of_the_run(name: str) -> Callable[[PicturePeers], bytes]:
    return lambda peers: variant(peers.ctx, name).read_bytes()


PEERS: dict[str, Callable[[PicturePeers], bytes]] = {
    "teacher": of_the_run(BASELINE),
    "teacher PTQ": lambda peers: peers.post_training(peers.teacher),
    "teacher TF-MOT QAT": stock_qat,
    "from scratch": from_scratch,
    "plain MSE + PTQ": plain_mse,
    "feature distillation": feature_distillation,
    "online distillation": online_distillation,
    "OMGD's loss, a finished teacher": finished_teacher,
    "pocketgan": of_the_run(SHIPPED),
}


# ---------------------------------------------------------------------- comparing


@dataclass(frozen=True)
class PictureRow:
    """What became of one peer: figures, or the reason why there are none."""

    peer: str
    quality: PictureQuality | None = None
    error: str | None = None


def compare(
    peers: PicturePeers, names: Sequence[str], folder: Path
) -> tuple[list[PictureRow], str]:
    """A row a peer and one of what needs no network, and the judge's name.

    What the peers made stays in ``folder``.
    """
    methods = {name: partial(PEERS[name], peers) for name in names}
    outcomes = make(peers.ctx, methods, folder=folder, seed=peers.seed)
    examiner = Examiner(peers.ctx)
    rows = [
        PictureRow(name, examiner.examine(outcome))
        if isinstance(outcome, Path)
        else PictureRow(name, error=outcome)
        for name, outcome in outcomes.items()
    ]
    return [*rows, PictureRow(*examiner.trivial())], examiner.judge.name


# ---------------------------------------------------------------------- output

HEADINGS = (
    *("Peer", "gzip", "weights", "MACs", "float ops", "PSNR, truth", "SSIM, truth"),
    *("PSNR, teacher", "SSIM, teacher", "Fréchet"),
)


def table(peers: PicturePeers, rows: Sequence[PictureRow], judge: str) -> Table:
    """The rows, and below them the reasons and how the figures came about."""
    recipe = peers.ctx.recipe
    return Table(
        HEADINGS,
        [[row.peer, *_cells(row.quality)] for row in rows],
        [
            *(f"{row.peer}: {row.error}" for row in rows if row.error),
            f"Run {recipe.name}, seed {peers.seed}; {peers.steps:,} steps of batch {peers.batch} a "
            f"student, then {peers.rounding_steps:,} of batch {recipe.train.batch} while it is "
            "rounded.",
            f"Gzipped bytes; PSNR in dB; Fréchet by {judge}.",
        ],
    )


def _cells(quality: PictureQuality | None) -> list[str]:
    """In the order of the headings, without the first."""
    file = quality if isinstance(quality, FileQuality) else None
    contents = [
        cell(file.bytes_gzip if file else None, whole),
        cell(file.weights if file else None, whole),
        cell(file.macs if file else None, whole),
        cell(file.float_ops if file else None),
    ]
    if quality is None:
        return contents + [cell(None)] * (len(HEADINGS) - 1 - len(contents))
    compared = (quality.psnr_truth, quality.ssim_truth, quality.psnr, quality.ssim)
    return [*contents, *map(cell, compared), cell(quality.frechet)]


def main() -> int:
    """Compare, then print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_table_options(parser)
    parser.add_argument("--steps", type=PositiveInt, help="of each student (the run's own)")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), metavar="NAME")
    parser.add_argument("--seed", type=int, help="of the methods' trainings (the run's)")
    parser.add_argument("--keep", type=Path, help="keep the peers' .tflite files in this folder")
    options = parser.parse_args()
    ctx = open_run(options.run)
    settings = {"steps": options.steps, "seed": options.seed}
    with peers_folder(options.keep, ctx, **settings) as folder:
        peers = PicturePeers(ctx, folder, **settings)
        rows, judge = compare(peers, options.only, folder)
    show_table(table(peers, rows, judge), [asdict(row) for row in rows], options)
    return 0


if __name__ == "__main__":
    run_as_program(main)
