"""What LiteRT's GPU delegate leaves to the CPU, in words."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from pipeline.report.quantities import listed


class GpuReason(Protocol):
    """An operation, and why it is not for a GPU, by which source."""

    @property
    def operation(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def source(self) -> str: ...


def reasons_in_words(remarks: Iterable[GpuReason]) -> str:
    """As in "SHAPE (4) and CONV_3D (1): the delegate has no such operation (https://…)"; each
    reason once, operations by how often it holds for them, and each source behind its last."""
    by_source: dict[str, dict[str, Counter[str]]] = {}
    for each in remarks:
        reasons = by_source.setdefault(each.source, {})
        reasons.setdefault(each.reason, Counter())[each.operation] += 1
    return "; ".join(
        f"{'; '.join(_of_reason(reason, names) for reason, names in reasons.items())} ({source})"
        for source, reasons in by_source.items()
    )


def _of_reason(reason: str, names: Counter[str]) -> str:
    return f"{listed([f'{name} ({number})' for name, number in names.items()])}: {reason}"
