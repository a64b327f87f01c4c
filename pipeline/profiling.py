"""What each operation of a .tflite costs, on any target that measures whole files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, Progress, measure
from deploy.jobs import Measurement, OperationCost
from deploy.targets.target import Target
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import prefixes

MOST_OPERATIONS = 1000
"""Of a file that is cut after each of them: that many files are written and measured."""


def operation_costs(
    path: Path, target: Target, plan: MeasuringPlan, on_progress: Progress | None = None
) -> tuple[OperationCost, ...]:
    """The cost of each operation of the file, on a target that cannot tell: prefixes, subtracted.

    The file is cut after each operation; all cuts are measured as variants of one comparison, so
    that drift hits them alike, with the first number of threads of ``plan``. This works wherever a
    whole file can be measured, and exactly where instructions are counted. Operations that only
    unpack a constant are part of those that read it.

    Read it with care: a delegate may fuse an operation with the next one when it sees both, keeps
    its data in another layout, and hands over the tensors at the cut. What entering and leaving the
    runtime costs is the first operation's.

    Raises:
        PocketganError: the file is no sound .tflite or has too many operations, the target is not
            available, or a prefix could not be measured.
    """
    operations_in_file = len(read_model(path).subgraphs[0].ops)
    if operations_in_file > MOST_OPERATIONS:
        raise PocketganError(
            f"it would be cut after each of its {operations_in_file:,} operations, more than "
            f"{MOST_OPERATIONS:,}",
            "Measure the file without a profile.",
        )
    once = replace(plan, threads=plan.threads[:1], keep_samples=False, sustain_s=None)
    operations, files = [], {}
    with TemporaryDirectory(prefix="pocketgan-") as folder:
        for index, prefix in enumerate(prefixes(path.read_bytes())):
            operations.append((prefix.operation, prefix.layer))
            name = f"{path.stem}-{index}"
            files[name] = Path(folder) / f"{name}.tflite"
            files[name].write_bytes(prefix.content)
        return costs(operations, measure(files, [target], plan=once, on_progress=on_progress))


def costs(
    operations: Sequence[tuple[str, str]], measurements: Sequence[Measurement]
) -> tuple[OperationCost, ...]:
    """What each prefix costs more than all shorter ones: instructions where counted, else ms.

    ``operations`` are the type and the layer that each prefix ends with. A time is that of the
    fastest run: neighbours on the machine only add to it, and under load the differences of medians
    drown in what they add. A prefix that costs less than a shorter one, by noise or by what the cut
    undid, adds nothing, so that the costs still sum up to the whole.

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
        unit: Literal["ms", "instructions"] = "instructions" if counted else "ms"
        cost = max(0.0, now - before)
        rows.append(OperationCost(operation=operation, layer=layer, cost=cost, unit=unit))
        before = max(before, now)
    return tuple(rows)
