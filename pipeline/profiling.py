"""What each operation of a .tflite costs, on any target that measures whole files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, Progress, measure
from deploy.jobs import Measurement, NpuOperation, NpuReport, OperationCost
from deploy.targets.npu import Npu
from deploy.targets.target import Target
from pipeline.tflite.model import Op, Subgraph
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import prefixes

MOST_OPERATIONS = 1000
"""Of a file that is cut after each of them: that many files are written and measured."""
WITHOUT = "`pocketgan benchmark` without --profile measures the file as a whole."
_LARGEST_SHAPE = 8
"""Numbers in a tensor that holds a shape, at most."""


@dataclass(frozen=True)
class Profile:
    """One file on one target: what it costs, and what each of its operations does."""

    whole: Measurement
    """Of the file, measured in turns with its parts."""
    operations: tuple[OperationCost, ...]


def operation_costs(
    path: Path, target: Target, plan: MeasuringPlan, on_progress: Progress | None = None
) -> tuple[OperationCost, ...]:
    """The cost of each operation of the file; raises as ``profiles`` does."""
    with TemporaryDirectory(prefix="pocketgan-") as folder:
        cuts = _cuts("", path, Path(folder))
        return costs(
            cuts.operations,
            measure(cuts.files, [target], plan=_once(plan), on_progress=on_progress),
        )


def profiles(
    files: Mapping[str, Path],
    target: Target,
    plan: MeasuringPlan,
    on_progress: Progress | None = None,
) -> dict[str, Profile]:
    """What the operations of each file (name → path) cost, on a target that cannot tell: prefixes,
    subtracted.

    A file is cut after each operation; all cuts and all files are measured as variants of one
    comparison, so that drift hits them alike, with the first number of threads of ``plan``. This
    works wherever a whole file can be measured, and exactly where instructions are counted.
    ``profiled_operations`` says which have a row of their own.

    Read it with care: a delegate may fuse an operation with the next one when it sees both, keeps
    its data in another layout, and hands over the tensors at the cut. What entering and leaving the
    runtime costs is the first operation's.

    Raises:
        PocketganError: a file is no sound .tflite or has too many operations, the target is not
            available, or a prefix could not be measured.
    """
    with TemporaryDirectory(prefix="pocketgan-") as folder:
        cuts = {name: _cuts(name, path, Path(folder)) for name, path in files.items()}
        variants = dict(files)
        for each in cuts.values():
            variants |= each.files
        measured = measure(variants, [target], plan=_once(plan), on_progress=on_progress)
        by_name = {m.variant: m for m in measured}
        for name in files:
            if error := by_name[name].error:
                raise PocketganError(f"{target.name} cannot run the {name}: {error}", WITHOUT)
    return {
        name: Profile(by_name[name], costs(each.operations, [by_name[cut] for cut in each.files]))
        for name, each in cuts.items()
    }


def compiled_profile(path: Path, target: Npu) -> Profile:
    """What an NPU's compiler says of each operation of the file, in cycles; nothing is run.

    What it leaves to the CPU costs nothing here, as it counts nothing of it.

    Raises:
        PocketganError: it cannot compile the file.
    """
    plan = MeasuringPlan(rounds=1, runs=1, costs_only=True)
    (whole,) = measure({path.stem: path}, [target], plan=plan)
    if whole.npu is None:
        raise PocketganError(f"{target.name}: {whole.error}", "Is it a whole .tflite file?")
    rows = [
        OperationCost(
            operation=op.label,
            layer=op.layer,
            cost=sum(each.cycles or 0 for each in compiled),
            unit="cycles",
        )
        for op, compiled in _compiled(whole.npu, read_model(path).subgraphs[0])
    ]
    return Profile(whole, tuple(rows))


def off_the_npu(report: NpuReport, graph: Subgraph) -> list[str]:
    """Why each profiled operation stays on the CPU; empty where it does not."""
    return [
        next((each.reason or "" for each in compiled if not each.on_npu), "")
        for _, compiled in _compiled(report, graph)
    ]


def _compiled(report: NpuReport, graph: Subgraph) -> list[tuple[Op, list[NpuOperation]]]:
    """The profiled operations, each with the compiler's rows of it and of what belongs to it."""
    by_index = {each.index: each for each in report.operations}
    wanted = set(profiled_operations(graph))
    rows: list[tuple[Op, list[NpuOperation]]] = []
    pending: list[NpuOperation] = []
    for index, op in enumerate(graph.ops):
        pending += [by_index[index]] if index in by_index else []
        if op in wanted:
            rows.append((op, pending))
            pending = []
    return rows


@dataclass(frozen=True)
class _Cuts:
    """The prefixes of a file (name → path), and the type and layer that each ends with."""

    files: Mapping[str, Path]
    operations: Sequence[tuple[str, str]]


def _cuts(name: str, path: Path, folder: Path) -> _Cuts:
    """Write the prefixes of ``path`` into ``folder``."""
    model = read_model(path)
    operations_in_file = len(model.subgraphs[0].ops)
    if operations_in_file > MOST_OPERATIONS:
        raise PocketganError(
            f"it would be cut after each of its {operations_in_file:,} operations, more than "
            f"{MOST_OPERATIONS:,}",
            WITHOUT,
        )
    wanted = set(profiled_operations(model.subgraphs[0]))
    if not wanted:
        raise PocketganError("it holds no operation that computes anything", WITHOUT)
    files, operations = {}, []
    for index, (op, prefix) in enumerate(
        zip(_ends(model.subgraphs[0]), prefixes(model.content), strict=True)
    ):
        if op in wanted:
            cut = f"{name or path.stem}-{index}"
            files[cut] = folder / f"{len(list(folder.iterdir()))}.tflite"
            files[cut].write_bytes(prefix.content)
            operations.append((prefix.operation, prefix.layer))
    return _Cuts(files, operations)


def profiled_operations(graph: Subgraph) -> list[Op]:
    """The operations that a profile has a row for.

    What unpacks a constant belongs to its reader, and so does what only works out a size, as
    files of a free batch do before every reshape.
    """
    ends = _ends(graph)
    return [op for op in ends if op is ends[-1] or not _works_out_a_size(op)]


def _ends(graph: Subgraph) -> list[Op]:
    return [op for op in graph.ops if not graph.unpacks_constant(op)]


def _works_out_a_size(op: Op) -> bool:
    return bool(op.outputs) and all(
        tensor.dtype in ("int32", "int64") and not tensor.scales and tensor.size <= _LARGEST_SHAPE
        for tensor in op.outputs
    )


def _once(plan: MeasuringPlan) -> MeasuringPlan:
    """Of a cut nothing but its cost is wanted."""
    return replace(
        plan,
        threads=plan.threads[:1],
        keep_samples=False,
        sustain_s=None,
        energy_s=None,
        costs_only=True,
    )


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
                WITHOUT,
            )
        unit: Literal["ms", "instructions"] = "instructions" if counted else "ms"
        cost = max(0.0, now - before)
        rows.append(OperationCost(operation=operation, layer=layer, cost=cost, unit=unit))
        before = max(before, now)
    return tuple(rows)
