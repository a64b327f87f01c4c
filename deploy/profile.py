"""What each operation of a file costs on a target that cannot tell: prefixes, subtracted.

The file was cut after each operation; all cuts are measured as variants of one comparison, so that
drift hits them alike; an operation costs what its prefix costs more than the one before. This works
wherever a whole file can be measured, and exactly where instructions are counted. A time is that of
the fastest run: neighbours on the machine only add to it, and under load the differences of medians
drown in what they add.

Read it with care: a delegate may fuse an operation with the next one when it sees both, keeps its
data in another layout, and hands over the tensors at the cut. What entering and leaving the runtime
costs is the first operation's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, Progress, measure
from deploy.jobs import Measurement, OperationCost
from deploy.targets.target import Target


class LastOperation(NamedTuple):
    """The operation that a prefix of a file ends with."""

    operation: str
    """Its type, such as ``TRANSPOSE_CONV``."""
    layer: str


def profile(
    cuts: Mapping[Path, LastOperation],
    target: Target,
    plan: MeasuringPlan,
    *,
    on_progress: Progress | None = None,
) -> tuple[OperationCost, ...]:
    """The cost of each operation of a file: ms, or instructions where they are counted.

    ``cuts`` are .tflite files that each hold one operation more than the one before. They are
    measured with the first number of threads of ``plan``. A prefix that costs less than a shorter
    one, by noise or by what the cut undid, adds nothing, so that the costs still sum up to the
    whole.

    Raises:
        PocketganError: the target is not available, or a prefix could not be measured.
    """
    once = replace(plan, threads=plan.threads[:1], keep_samples=False, sustain_s=None)
    files = {path.stem: path for path in cuts}
    measurements = measure(files, [target], plan=once, on_progress=on_progress)
    return costs(list(cuts.values()), measurements)


def costs(
    operations: Sequence[LastOperation], measurements: Sequence[Measurement]
) -> tuple[OperationCost, ...]:
    """What each prefix costs more than all shorter ones.

    Raises:
        PocketganError: a measurement has an error, or neither instructions nor a time.
    """
    before, rows = 0.0, []
    for (operation, layer), measurement in zip(operations, measurements, strict=True):
        counted = measurement.instructions is not None
        now = measurement.instructions if counted else measurement.min_ms
        if measurement.error is not None or now is None:
            reason = measurement.error or measurement.absent["min_ms"]
            raise PocketganError(
                f"{measurement.target} cannot run the file up to {operation} ({layer}): {reason}",
                "Measure the file without a profile.",
            )
        rows.append(
            OperationCost(
                operation=operation,
                layer=layer,
                cost=max(0.0, now - before),
                unit="instructions" if counted else "ms",
            )
        )
        before = max(before, now)
    return tuple(rows)
