"""How fast students for pictures are distilled on this machine: what `search/work.py` reckons with.

Students of several blocks and widths take some steps each, on pictures of noise; a line through
seconds a step over multiply-accumulates a step gives the speed and what a step costs besides.

    python -m tools.experiments.training_speed [--steps 60] [--json]
    python -m tools.experiments.training_speed --block unet_half_separable --channels 26 44 40 60 70

The second times one student, of 64 pixels.

Its figures stand in docs/decisions.md.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

from pipeline.consoles import console
from pipeline.determinism import prepare
from pipeline.networks.pixels import TRANSLATED
from pipeline.networks.settings import StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.search.cost import predict_cost
from pipeline.search.trials import picture_batch
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller
from tools.console import run_as_program

STUDENTS = (
    (32, StudentSettings("residual", 0, (6,) * 4, 0)),
    (32, StudentSettings("residual", 0, (16,) * 4, 0)),
    (64, StudentSettings("residual_half", 0, (12,) * 5, 0)),
    (64, StudentSettings("unet", 0, (7, 9, 13, 17), 0)),
    (64, StudentSettings("unet_half", 0, (8, 16, 32, 64), 0)),
    (128, StudentSettings("unet_half", 0, (8, 16, 32, 64), 0)),
)
"""Side of the picture, and student."""
WARM_UP = 5


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """What a step of one student takes."""

    side: int
    block: str
    channels: tuple[int, ...]
    macs_a_step: int
    """Of drawing the batch once."""
    milliseconds: float
    """Of the median step."""


def step_time(side: int, student: StudentSettings, steps: int) -> StepTime:
    """Distil for a moment."""
    prepare(1)
    size = (side, side, 3)
    shape = TranslatorShape(source=size, image=size, source_pixels=TRANSLATED, pixels=TRANSLATED)
    network = build_translator_student(student, shape)
    batch = picture_batch(side * side)
    noise = np.random.default_rng(1).integers(0, 256, (2 * batch, *size), dtype=np.uint8)
    pairs = DistillationSet(noise, noise, 0, TRANSLATED)
    distiller = Distiller(
        network, pairs, pixels=TRANSLATED, steps=steps + WARM_UP, rate=1e-3, batch=batch, seed=1
    )
    ends = []
    distiller.train(steps + WARM_UP, lambda: ends.append(time.perf_counter()))
    return StepTime(
        side=side,
        block=student.block,
        channels=student.channels,
        macs_a_step=batch * predict_cost(network).macs,
        milliseconds=1000 * float(np.median(np.diff(ends[WARM_UP:]))),
    )


def main() -> int:
    """0, always: it only measures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--block", default="unet_half")
    parser.add_argument("--channels", type=int, nargs="+")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    students: Sequence[tuple[int, StudentSettings]] = STUDENTS
    if options.channels:
        students = ((64, StudentSettings(options.block, 0, tuple(options.channels), 0)),)
    times = [step_time(side, student, options.steps) for side, student in students]
    fit = _fit(times) if len(times) > 1 else {}
    if options.json:
        print(json.dumps({"times": [asdict(one) for one in times], **fit}))
        return 0
    _show(times, fit)
    return 0


def _fit(times: Sequence[StepTime]) -> dict[str, float]:
    """A line through milliseconds over multiply-accumulates."""
    slope, besides = np.polyfit(
        [one.macs_a_step for one in times], [one.milliseconds for one in times], 1
    )
    return {"macs_a_second": float(1000 / slope), "milliseconds_besides": float(besides)}


def _show(times: Sequence[StepTime], fit: Mapping[str, float]) -> None:
    table = Table("side", "student", "million MACs a step", "ms a step")
    for one in times:
        widths = "→".join(map(str, one.channels))
        table.add_row(
            str(one.side),
            f"{one.block} {widths}",
            f"{one.macs_a_step / 1e6:.1f}",
            f"{one.milliseconds:.1f}",
        )
    output = console()
    output.print(table)
    if fit:
        output.print(
            f"{fit['macs_a_second'] / 1e9:.1f} billion multiply-accumulates a second, and "
            f"{fit['milliseconds_besides']:.1f} ms a step besides"
        )


if __name__ == "__main__":
    run_as_program(main)
