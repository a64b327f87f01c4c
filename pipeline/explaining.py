"""Why a .tflite costs what it costs on a target: its operations measured, and those of another."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, Progress
from deploy.jobs import Measurement
from deploy.machine import memory_bandwidth
from deploy.targets.npu import Npu
from deploy.targets.target import Target
from pipeline import guard
from pipeline.measured_files import MeasuredFiles
from pipeline.profiling import (
    Profile,
    compiled_profile,
    off_the_npu,
    profiled_operations,
    profiles,
)
from pipeline.report.benchmark.schema import MeasuredFile
from pipeline.report.explain.schema import (
    SCHEMA,
    ExplainedFile,
    ExplainedOperation,
    Explanation,
    GpuFinding,
)
from pipeline.tflite import count
from pipeline.tflite.entry import NO_CHOICE, EntryChoice
from pipeline.tflite.gpu import gpu_check
from pipeline.tflite.model import LiteModel, Op, Subgraph
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import left_behind, taken_by_xnnpack
from pipeline.tflite.twin import twin
from pipeline.tflite.work import work

FILE, OTHER = "file", "other"
PLAN = MeasuringPlan(rounds=2, runs=256, warmup=32)
"""Each of some dozens of files takes part: fewer runs than a benchmark has."""


@dataclass(frozen=True, kw_only=True)
class ExplainQuestion:
    """What a person asks: this file on this target, beside ``other`` or the file's own twin."""

    file: Path
    other: Path | None
    target: Target
    choice: EntryChoice = NO_CHOICE
    """Which signature of the files is meant, and how large their inputs are."""
    plan: MeasuringPlan = PLAN


def explain(question: ExplainQuestion, on_progress: Progress | None = None) -> Explanation:
    """Measure each operation, and note all that is known of it.

    Raises:
        PocketganError: a file cannot be read or leaves sizes free, the target is not available or
            cannot tell what an operation costs, or a part of the file does not run there.
    """
    target = question.target
    target.require()
    if not target.profiled and not isinstance(target, Npu):
        raise PocketganError(
            f"target {target.name} measures whole files: what one operation costs there cannot be "
            "told",
            "Name one that times or counts, such as --target local or --target arm:cortex-a53.",
        )
    paths = {FILE: question.file} | ({OTHER: question.other} if question.other else {})
    files = MeasuredFiles(paths, question.choice)
    for fact in files.facts:
        if fact.problem:
            remedy = "Name a .tflite file that is whole; `pocketgan inspect` shows what one holds."
            raise PocketganError(f"{paths[fact.name]}: {fact.problem}", remedy)
    no_twin = "an NPU computes in integers only" if isinstance(target, Npu) else ""
    with files.copied() as copies, _with_twin(copies, no_twin) as (measured, why_no_twin):
        if isinstance(target, Npu):
            costs = {name: compiled_profile(path, target) for name, path in measured.items()}
            for name, path in paths.items():
                _refuse_left_whole(path, costs[name].whole)
        else:
            costs = profiles(measured, target, question.plan, on_progress)
        models = {name: read_model(path) for name, path in measured.items()}
    facts = {fact.name: fact for fact in files.facts}
    explained = {
        name: _file(model, costs[name], paths.get(name, question.file), facts.get(name))
        for name, model in models.items()
    }
    return _explanation(
        question,
        profile=costs[FILE],
        model=models[FILE],
        explained=explained,
        why_no_twin=why_no_twin,
    )


def _refuse_left_whole(path: Path, whole: Measurement) -> None:
    """Raises PocketganError where an NPU runs nothing: then its compiler reckons with no time."""
    if whole.npu and len(whole.npu.on_cpu) == len(whole.npu.operations):
        reason = next((each.reason for each in whole.npu.on_cpu if each.reason), "no reason given")
        raise PocketganError(
            f"{path}: {whole.npu.accelerator} runs no operation of it: {reason}.",
            "Name an int8 file, or a target that runs this one, such as --target local.",
        )


@contextmanager
def _with_twin(copies: Mapping[str, Path], no_twin: str) -> Iterator[tuple[dict[str, Path], str]]:
    """The files to measure, with the file's twin if there is no other; or why there is none."""
    if OTHER in copies or no_twin:
        yield dict(copies), "" if OTHER in copies else no_twin
        return
    with TemporaryDirectory(prefix="pocketgan-") as folder:
        path = Path(folder) / "twin.tflite"
        try:
            with guard.step("turned into its twin", str(copies[FILE]), "Name the other file too."):
                content = twin(read_model(copies[FILE])).content
                left_behind(content)  # it must load
        except PocketganError as error:
            yield dict(copies), error.problem
            return
        path.write_bytes(content)
        yield {**copies, OTHER: path}, ""


def _explanation(
    question: ExplainQuestion,
    *,
    profile: Profile,
    model: LiteModel,
    explained: Mapping[str, ExplainedFile],
    why_no_twin: str,
) -> Explanation:
    whole, gpu = profile.whole, gpu_check(model)
    timed_here = question.target.timed_here and profile.operations[0].unit == "ms"
    left, otherwise = (
        tuple(GpuFinding.model_validate(asdict(remark)) for remark in remarks)
        for remarks in (gpu.left, gpu.otherwise)
    )
    return Explanation(
        schema=SCHEMA,
        pocketgan=version("pocketgan"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        target=question.target.name,
        runtime=" ".join(filter(None, (whole.runtime, whole.runtime_version))),
        unit=profile.operations[0].unit,
        fast_path="NPU" if whole.npu else "XNNPACK",
        spread=whole.spread if profile.operations[0].unit == "ms" else None,
        bandwidth=memory_bandwidth() if timed_here else None,
        delegated=whole.delegated,
        file=explained[FILE],
        other=explained.get(OTHER),
        other_is_twin=OTHER in explained and question.other is None,
        other_absent=why_no_twin,
        left_by_gpu=left,
        otherwise_on_gpu=otherwise,
    )


def _file(
    model: LiteModel, profile: Profile, path: Path, fact: MeasuredFile | None
) -> ExplainedFile:
    graph, effort = model.subgraphs[0], work(model)
    rows = profiled_operations(graph)
    operations = tuple(
        _operation(graph, op, cost.cost, reason)
        for op, cost, reason in zip(
            rows, profile.operations, _reasons(model, profile.whole), strict=True
        )
    )
    return ExplainedFile(
        name=path.name if fact else f"{path.name}, turned",
        sha256=fact.sha256 if fact else model.sha256,
        bytes=fact.bytes if fact else model.size,
        precision=_precision(model),
        macs=effort.total,
        macs_int8=None if effort.unknown else effort.once_int8,
        macs_unknown=effort.unknown,
        traffic=count.traffic(model),
        whole=_whole(profile),
        dot_products=profile.whole.dot_products,
        operations=operations,
    )


def _whole(profile: Profile) -> float:
    """What the whole takes; of an NPU that leaves operations to the CPU, what is its own."""
    whole = profile.whole
    if whole.npu:
        return whole.npu.cycles or sum(each.cost for each in profile.operations)
    return whole.instructions or whole.min_ms or 0.0


def _reasons(model: LiteModel, whole: Measurement) -> list[str | None]:
    """Why each profiled operation leaves the fast path; empty where not, None where unknown."""
    graph = model.subgraphs[0]
    if whole.npu:
        return [*off_the_npu(whole.npu, graph)]
    if whole.delegate == "none":
        return ["this target runs nothing through XNNPACK" for _ in profiled_operations(graph)]
    outside = _outside_xnnpack(model, whole)
    return [_why_off(graph, op, outside) for op in profiled_operations(graph)]


def _operation(graph: Subgraph, op: Op, cost: float, why_off: str | None) -> ExplainedOperation:
    """``why_off`` is why it leaves the fast path: empty if it does not, None if nobody can tell."""
    kernel = next(
        (
            constant.shape
            for slot in count.KERNEL_INPUTS.get(op.name, ())
            if slot < len(op.inputs) and (constant := graph.constant(op.inputs[slot]))
        ),
        (),
    )
    return ExplainedOperation(
        operation=op.label,
        layer=op.layer,
        shape=op.outputs[0].shape if op.outputs else (),
        dtype=op.outputs[0].dtype if op.outputs else "",
        weights=kernel,
        macs=op.macs,
        macs_int8=op.macs if count.is_int8(op) else 0,
        cost=cost,
        on_fast_path=None if why_off is None else not why_off,
        why_off=why_off or "",
        size_is_computed=_size_is_computed(graph, op),
        enlarges=_enlarges(op),
    )


def _enlarges(op: Op) -> int | None:
    """How many times as many pixels it gives as it reads; None of what enlarges nothing."""
    slot = {"TRANSPOSE_CONV": 2, "RESIZE_BILINEAR": 0, "RESIZE_NEAREST_NEIGHBOR": 0}.get(op.name)
    source = None if slot is None or slot >= len(op.inputs) else op.inputs[slot]
    if source is None or not op.outputs or 0 in source.shape:
        return None
    ratios = [Fraction(op.outputs[0].shape[axis], source.shape[axis]) for axis in (1, 2)]
    if op.name != "TRANSPOSE_CONV" and any(ratio.denominator > 1 for ratio in ratios):
        return 0
    return math.prod(map(round, ratios))


def _size_is_computed(graph: Subgraph, op: Op) -> bool:
    """Whether one of its inputs is a shape that another operation works out."""
    shapes = {"RESHAPE": 1, "TRANSPOSE_CONV": 0, "RESIZE_BILINEAR": 1, "RESIZE_NEAREST_NEIGHBOR": 1}
    slot = shapes.get(op.name)
    if slot is None or slot >= len(op.inputs) or op.inputs[slot] is None:
        return False
    return graph.constant(op.inputs[slot]) is None


def _why_off(graph: Subgraph, op: Op, outside: set[Op] | None) -> str | None:
    if outside is None:
        return None
    if op not in outside:
        return ""
    if _size_is_computed(graph, op):
        return (
            "the file leaves its batch free, so that other operations work out its size while it "
            "runs, and XNNPACK takes only what is fixed"
        )
    return "XNNPACK has no kernel for it, or none for these types and shapes"


def _outside_xnnpack(model: LiteModel, whole: Measurement) -> set[Op] | None:
    """What XNNPACK does not take there; None where nobody can tell.

    Which they are is asked of the runtime here, which is that of most targets; it must take as many
    as the target says.
    """
    graph = model.subgraphs[0]
    if whole.delegated == 0:
        return set(graph.ops)
    taken = taken_by_xnnpack(model.content)
    if whole.delegated is None or len(taken) != len(graph.ops):
        return None
    if not math.isclose(whole.delegated, sum(taken) / len(taken)):
        return None
    return {op for op, is_taken in zip(graph.ops, taken, strict=True) if not is_taken}


def _precision(model: LiteModel) -> Literal["int8", "uint8", "int16x8", "float32", "mixed"]:
    if not count.float_ops(model):
        kinds = {t.dtype for op in model.ops for t in op.outputs if t.scales}
        return "int16x8" if "int16" in kinds else "uint8" if kinds == {"uint8"} else "int8"
    rounded = any(t.scales and not t.is_float for op in model.ops for t in op.outputs)
    return "mixed" if rounded or count.int8_macs(model) else "float32"
