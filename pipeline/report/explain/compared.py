"""A file's operations beside those of another: which do the same, and what kinds cost."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.explain.schema import ExplainedFile, ExplainedOperation, Explanation


@dataclass(frozen=True)
class Kind:
    """All operations of one type in a file."""

    operation: str
    members: tuple[ExplainedOperation, ...]

    @property
    def cost(self) -> float:
        return sum(member.cost for member in self.members)

    @property
    def macs(self) -> int:
        return sum(member.macs for member in self.members)


def kinds(file: ExplainedFile) -> list[Kind]:
    """The dearest first."""
    members: dict[str, list[ExplainedOperation]] = defaultdict(list)
    for operation in file.operations:
        members[operation.operation].append(operation)
    return sorted(
        (Kind(name, tuple(each)) for name, each in members.items()), key=lambda k: -k.cost
    )


def counterparts(
    file: ExplainedFile, other: ExplainedFile | None
) -> list[ExplainedOperation | None]:
    """For each operation of ``file`` the one of ``other`` that does the same, or None.

    The first of a type belongs to the first of that type, and so on; where there are fewer or more
    of them, those of a layer belong together.
    """
    if other is None:
        return [None] * len(file.operations)
    theirs = {kind.operation: kind.members for kind in kinds(other)}
    ours = {kind.operation: kind.members for kind in kinds(file)}
    partner: dict[int, ExplainedOperation | None] = {}
    for name, members in ours.items():
        for member, match in zip(members, _matches(members, theirs.get(name, ())), strict=True):
            partner[id(member)] = match
    return [partner[id(operation)] for operation in file.operations]


def _matches(
    ours: Sequence[ExplainedOperation], theirs: Sequence[ExplainedOperation]
) -> list[ExplainedOperation | None]:
    if len(ours) == len(theirs):
        return list(theirs)
    left = list(theirs)
    matches: list[ExplainedOperation | None] = []
    for operation in ours:
        match = next((each for each in left if each.layer == operation.layer), None)
        if match is not None:
            left.remove(match)
        matches.append(match)
    return matches


def rounded_and_float(
    explanation: Explanation,
) -> tuple[ExplainedFile, ExplainedFile] | None:
    """The int8 file and the float32 file of the two; None where they are no such pair."""
    pair = [each for each in (explanation.file, explanation.other) if each is not None]
    rounded = [each for each in pair if each.precision != "float32"]
    floats = [each for each in pair if each.precision == "float32"]
    return (rounded[0], floats[0]) if len(rounded) == len(floats) == 1 else None


def rounded_in_words(file: ExplainedFile) -> str:
    """What the file that is not float32 is called in a sentence."""
    return "int8 and float together" if file.precision == "mixed" else file.precision
