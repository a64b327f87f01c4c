"""Is pocketgan's int8 file better than what the usual tools make of the same generator?

The generator that a finished run trained goes through each tool as its own documentation says, at
the setting that suits it best, batch 1 in every file:

- float32: the reference, as the run converted it;
- converter PTQ: TensorFlow's converter, ranges off latents of the prior, int8 in and out;
- TF-MOT QAT: ``quantize_model`` as it is, then fine-tuned;
- TF-MOT pruning + QAT: ``prune_low_magnitude`` on the whole model, then the same QAT;
- TF-MOT PQAT: the same pruning, then its prune-preserving scheme;
- ai-edge-quantizer: static int8, calibrated on latents of the prior;
- pocketgan: the run's int8 file.

TF-MOT's peers take as many steps of the run's batch, over the same latents, as the run's own stages
prune and quantize. ``fit`` has no discriminator, so they learn from the teacher's pictures (mean
squared error). Quality is measured as in stage evaluate (the run's judge, the same latents through
the .tflite); speed by fresh processes that take turns, one thread.

    python -m tools.experiments.peers runs/digits [--json] [--markdown FILE] [--keep FOLDER]

With ``--keep`` the same command goes on where it was stopped. A peer that fails has a row all the
same, and its reason below the table. ai-edge-quantizer is no
dependency of pocketgan: ``python -m pip install ai-edge-quantizer==0.10.0`` adds it (version 0.10.0
needs ai-edge-litert 2.3.0, which pocketgan has).

Its figures stand in docs/results.md.
"""

import argparse
import hashlib
import importlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.targets.local import Local
from pipeline import progress
from pipeline.artifacts import GENERATOR, load_network
from pipeline.atomic import write_bytes, write_text
from pipeline.determinism import prepare
from pipeline.native_log import native_log
from pipeline.stage import StageContext
from pipeline.stages.benchmark import INPUTS
from pipeline.stages.inputs import generator_inputs
from pipeline.tflite import convert as lite
from pipeline.training.randomness import Purpose
from pipeline.variants import BASELINE, SHIPPED
from tools.console import add_table_options, run_as_program, show_table
from tools.experiments.distil import distil
from tools.experiments.finished_run import Examiner, FileQuality, labelled, open_run, variant
from tools.tables import Table, cell, percent, whole

EDGE_QUANTIZER = "ai-edge-quantizer==0.10.0"
LONGEST_REASON = 300
FACTS = "made-with.json"
"""What the files beside it depend on."""


class PeerInputs:
    """The trained generator, and what each peer may use to quantize it."""

    def __init__(self, ctx: StageContext, rate: float | None) -> None:
        self.ctx = ctx
        self._prune_rate = rate or ctx.recipe.prune.rate
        self._quantize_rate = rate or ctx.recipe.quantize.rate

    @property
    def generator(self) -> tf_keras.Model:
        """A fresh copy of the dense generator, with its batch norms."""
        return load_network(self.ctx.inputs["train"] / GENERATOR)

    @property
    def calibration(self) -> np.ndarray:
        """The latents that set the ranges of the run's own post-training variant."""
        return generator_inputs(self.ctx, Purpose.CALIBRATION, self.ctx.recipe.convert.calibration)

    @cached_property
    def pruned(self) -> tf_keras.Model:
        """The generator after TF-MOT's pruning of the whole model, wrappers taken off."""
        settings = self.ctx.recipe.prune
        ramp = max(1, round(settings.ramp * settings.steps))
        every = min(settings.every, ramp)
        end = ramp // every * every  # the last update must fall on it, or the share is not reached
        schedule = tfmot.sparsity.keras.PolynomialDecay(
            0.0, settings.sparsity, begin_step=0, end_step=end, frequency=every
        )
        model = tfmot.sparsity.keras.prune_low_magnitude(self.generator, schedule)
        distil(
            model,
            self.generator,
            ctx=self.ctx,
            steps=settings.steps,
            rate=self._prune_rate,
            description="TF-MOT pruning",
            callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
        )
        return tfmot.sparsity.keras.strip_pruning(model)

    def fine_tuned(self, aware: tf_keras.Model, description: str) -> bytes:
        """The .tflite of a quantization-aware model after as many steps as stage quantize takes."""
        steps = self.ctx.recipe.quantize.steps
        distil(
            aware,
            self.generator,
            ctx=self.ctx,
            steps=steps,
            rate=self._quantize_rate,
            description=description,
        )
        return lite.to_int8_trained(aware)


# ---------------------------------------------------------------------- peers


def converter_ptq(inputs: PeerInputs) -> bytes:
    return lite.to_int8_post_training(inputs.generator, inputs.calibration)


def stock_qat(inputs: PeerInputs) -> bytes:
    aware = tfmot.quantization.keras.quantize_model(inputs.generator)
    return inputs.fine_tuned(aware, "TF-MOT QAT")


def stock_pruning_and_qat(inputs: PeerInputs) -> bytes:
    aware = tfmot.quantization.keras.quantize_model(inputs.pruned)
    return inputs.fine_tuned(aware, "TF-MOT QAT of the pruned")


def prune_preserving_qat(inputs: PeerInputs) -> bytes:
    annotated = tfmot.quantization.keras.quantize_annotate_model(inputs.pruned)
    scheme = tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
    aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    return inputs.fine_tuned(aware, "TF-MOT PQAT")


def edge_quantizer(inputs: PeerInputs) -> bytes:
    try:
        calibrator, quantizer, recipe = (
            importlib.import_module(f"ai_edge_quantizer.{part}")
            for part in ("calibrator", "quantizer", "recipe")
        )
    except ImportError as error:
        remedy = f"`python -m pip install {EDGE_QUANTIZER}`"
        raise ImportError(f"{error}; this adds it: {remedy}") from error
    job = quantizer.Quantizer(lite.to_float32(inputs.generator), recipe.static_wi8_ai8())
    samples = [{lite.LATENT: latent[None]} for latent in inputs.calibration]
    mode = calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED  # what its guide recommends
    with redirect_stdout(io.StringIO()):  # it prints sizes
        ranges = job.calibrate({"serving_default": samples}, mode=mode)
        return bytes(job.quantize(ranges).quantized_model)


def of_the_run(name: str) -> Callable[[PeerInputs], bytes]:
    return lambda inputs: variant(inputs.ctx, name).read_bytes()


PEERS: dict[str, Callable[[PeerInputs], bytes]] = {
    "float32": of_the_run(BASELINE),
    "converter PTQ": converter_ptq,
    "TF-MOT QAT": stock_qat,
    "TF-MOT pruning + QAT": stock_pruning_and_qat,
    "TF-MOT PQAT": prune_preserving_qat,
    "ai-edge-quantizer": edge_quantizer,
    "pocketgan int8": of_the_run(SHIPPED),
}


# ---------------------------------------------------------------------- comparing


@dataclass(frozen=True)
class PeerResult:
    """What became of one peer: figures, or the reason why there are none."""

    peer: str
    quality: FileQuality | None = None
    p50_ms: float | None = None
    error: str | None = None


def make(
    ctx: StageContext, peers: Mapping[str, Callable[[], bytes]], *, folder: Path, seed: int
) -> dict[str, Path | str]:
    """Peer → its .tflite in ``folder``, or why it made none; ``seed``: of its random numbers.

    A peer whose file is there already is not made again.
    """
    outcomes: dict[str, Path | str] = {}
    for name, peer in progress.track(list(peers.items()), "peers"):
        file = folder / f"{name.replace(' ', '-')}.tflite"
        if not file.is_file():
            prepare(seed)
            try:
                content = peer()
            except Exception as error:  # a peer may fail in any way; that is its result
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                outcomes[name] = reason[:LONGEST_REASON]
                continue
            write_bytes(file, labelled(ctx, content, name))
        outcomes[name] = file
    return outcomes


@contextmanager
def peers_folder(target: Path | None, ctx: StageContext, **settings: Any) -> Iterator[Path]:
    """A folder for the .tflite files of peers: ``target``, or a temporary one.

    ``settings``: of their trainings. Raises PocketganError where ``target`` holds peers of another
    run, or of other settings.
    """
    file = variant(ctx, SHIPPED)
    facts = {"run": hashlib.sha256(file.read_bytes()).hexdigest()[:16], **settings}
    text = json.dumps(facts, sort_keys=True)
    with tempfile.TemporaryDirectory() as temporary, native_log(Path(temporary) / "log.txt"):
        folder = target or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        said = folder / FACTS
        then = said.read_text(encoding="utf-8") if said.is_file() else text
        if then != text:
            raise PocketganError(
                f"{folder} holds peers made with {then}, not with {text}.",
                "Name another folder with --keep.",
            )
        write_text(said, text)
        yield folder


def time_in_turns(ctx: StageContext, files: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Peer → its measurement, one thread; all take turns as in stage benchmark."""
    settings, latents = ctx.recipe.benchmark, folder / "latents.npy"
    np.save(latents, generator_inputs(ctx, Purpose.EVALUATION, INPUTS))
    with progress.bar() as bar:
        task = bar.add_task("benchmark", total=None)
        measurements = measure(
            files,
            [Local()],
            plan=MeasuringPlan(
                rounds=settings.rounds,
                runs=settings.runs,
                warmup=settings.warmup,
                seed=ctx.recipe.seed,
                latents=latents,
            ),
            on_progress=lambda _, done, total: bar.update(task, completed=done, total=total),
        )
    return {measurement.variant: measurement for measurement in measurements}


def compare(ctx: StageContext, rate: float | None, folder: Path) -> list[PeerResult]:
    """A row a peer; what they made stays in ``folder``."""
    inputs = PeerInputs(ctx, rate)
    peers = {name: partial(peer, inputs) for name, peer in PEERS.items()}
    outcomes = make(ctx, peers, folder=folder, seed=ctx.recipe.seed)
    files = {name: file for name, file in outcomes.items() if isinstance(file, Path)}
    measured = time_in_turns(ctx, files, folder)
    examiner = Examiner(ctx)
    return [
        PeerResult(name, examiner.examine(files[name]), measured[name].p50_ms, measured[name].error)
        if name in files
        else PeerResult(name, error=str(outcome))
        for name, outcome in outcomes.items()
    ]


# ---------------------------------------------------------------------- output


def table(ctx: StageContext, rows: list[PeerResult]) -> Table:
    """The rows, and below them the reasons and how the figures came about."""
    recipe = ctx.recipe
    return Table(
        ("Peer", "bytes", "gzip", "float ops", "zeros", "p50 ms", "Fréchet", "PSNR dB"),
        [
            [
                row.peer,
                cell(quality.bytes if quality else None, whole),
                cell(quality.bytes_gzip if quality else None, whole),
                cell(quality.float_ops if quality else None),
                cell(quality.zeros if quality else None, percent),
                cell(row.p50_ms),
                cell(quality.frechet if quality else None),
                cell(quality.psnr if quality else None),
            ]
            for row in rows
            for quality in [row.quality]
        ],
        [
            *(f"{row.peer}: {row.error}" for row in rows if row.error),
            f"Run {recipe.name}, seed {recipe.seed}; {recipe.evaluate.samples} pictures a file; "
            f"{recipe.quantize.steps} steps of QAT and {recipe.prune.steps} of pruning, batch "
            f"{recipe.train.batch}; one thread.",
        ],
    )


def main() -> int:
    """Compare, then print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_table_options(parser)
    parser.add_argument(
        "--rate", type=float, help="TF-MOT's learning rate (the recipe's for the same stage)"
    )
    parser.add_argument("--keep", type=Path, help="keep the peers' .tflite files in this folder")
    options = parser.parse_args()
    ctx = open_run(options.run)
    with peers_folder(options.keep, ctx, rate=options.rate) as folder:
        rows = compare(ctx, options.rate, folder)
    show_table(table(ctx, rows), [asdict(row) for row in rows], options)
    return 0


if __name__ == "__main__":
    run_as_program(main)
