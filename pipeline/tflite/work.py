"""How many multiply-accumulates one run of a file takes, and why that cannot always be said.

What a loop does is in the file once, but not how often it turns; what an operation of its maker's
own does is nowhere in it; and sizes that are free until the network runs decide over all.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.tflite.count import is_int8
from pipeline.tflite.model import LiteModel, Op

LOOPS = ("WHILE", "STABLEHLO_WHILE")
_RECURRENT = ("LSTM", "RNN", "SVDF")
_MULTIPLYING = ("STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL")
# Deeper than any network nests its sub-graphs; one that runs itself ends there.
_DEEPEST = 32


@dataclass(frozen=True)
class Loop:
    """A loop, by its layer, and the multiply-accumulates of one turn (without loops inside it)."""

    layer: str
    macs: int


@dataclass(frozen=True, kw_only=True)
class Work:
    """Multiply-accumulates of one run, zeros included (``pipeline.tflite.count.macs``).

    ``once`` are those of all that is counted and stands in no loop; of an IF's branches, the
    larger; ``once_int8`` are those of them that int8 instructions may carry out
    (``pipeline.tflite.count.is_int8``). ``uncounted`` are operations that may multiply and are not
    counted: name → how many.
    """

    once: int
    once_int8: int
    loops: tuple[Loop, ...]
    uncounted: Mapping[str, int]
    has_free_sizes: bool

    @property
    def unknown(self) -> str:
        """Why ``total`` is not known; empty where it is."""
        if self.has_free_sizes:
            return "sizes are free"
        if self.uncounted:
            return self.uncounted_words
        turning = [loop.layer for loop in self.loops if loop.macs]
        if turning:
            return f"how often a loop turns is not in the file: {', '.join(turning)}"
        return ""

    @property
    def uncounted_words(self) -> str:
        """As in "2 custom operations: Erfinv, Erf"."""
        number = sum(self.uncounted.values())
        kind = "uncounted" if any(map(_is_uncounted_builtin, self.uncounted)) else "custom"
        return (
            f"{number:,} {kind} operation{'' if number == 1 else 's'}: {', '.join(self.uncounted)}"
        )

    @property
    def total(self) -> int | None:
        """Of one run, where the file says so."""
        return None if self.unknown else self.once


def work(model: LiteModel) -> Work:
    """What one run takes, from the first sub-graph on."""
    macs = _Walk(model).macs
    once = macs(0)
    ops = [op for number in loops_around(model) for op in model.subgraphs[number].ops]
    return Work(
        once=once.every,
        once_int8=once.int8,
        loops=tuple(
            Loop(op.layer, sum(macs(each).every for each in op.subgraphs))
            for op in ops
            if op.name in LOOPS
        ),
        uncounted=Counter(op.label for op in ops if is_uncounted(op)),
        has_free_sizes=any(has_free_sizes(op) for op in ops),
    )


def loops_around(model: LiteModel) -> dict[int, str]:
    """Each sub-graph that a run reaches → the layer of the innermost loop around it, or ""."""
    layers: dict[int, str] = {}
    pending = [(0, "")]
    while pending:
        number, loop = pending.pop()
        if number not in layers:
            layers[number] = loop
            for op in model.subgraphs[number].ops:
                inside = op.layer if op.name in LOOPS else loop
                pending += [(each, inside) for each in op.subgraphs]
    return layers


def is_uncounted(op: Op) -> bool:
    """Whether ``op`` may multiply and its multiply-accumulates are not counted."""
    return bool(op.custom_name) or _is_uncounted_builtin(op.name)


def has_free_sizes(op: Op) -> bool:
    """Whether what ``op`` computes, or computes with, has sizes that are not in the file."""
    return any(tensor.free_axes for tensor in (*op.inputs, *op.outputs) if tensor is not None)


def _is_uncounted_builtin(name: str) -> bool:
    return name in _MULTIPLYING or any(word in name for word in _RECURRENT)


class _Macs(NamedTuple):
    every: int
    int8: int


class _Walk:
    """Adds up sub-graphs, each once however many operations run it."""

    def __init__(self, model: LiteModel) -> None:
        self._model = model
        self._macs: dict[int, _Macs] = {}

    def macs(self, number: int, depth: int = 0) -> _Macs:
        """Of one run of a sub-graph, without what its loops do."""
        nothing = _Macs(0, 0)
        if number in self._macs or depth > _DEEPEST:
            return self._macs.get(number, nothing)
        self._macs[number] = nothing  # a damaged file may run it within itself
        parts = []
        for op in self._model.subgraphs[number].ops:
            parts.append(_Macs(op.macs, op.macs if is_int8(op) else 0))
            if op.name not in LOOPS:
                inside = [self.macs(each, depth + 1) for each in op.subgraphs]
                parts.append(max(inside, default=nothing))  # an IF runs one branch; others have one
        self._macs[number] = _Macs(sum(part.every for part in parts), sum(p.int8 for p in parts))
        return self._macs[number]
