"""What can go into an input of a generator, and how a person says it."""

import math
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from deploy.errors import PocketganError, printable


class InputKind(StrEnum):
    """What goes into an input."""

    LATENT = "latent"
    """Numbers of the normal prior: a vector, or a map."""
    CLASS = "class"
    """Its number, or one-hot."""
    PICTURE = "picture"
    MASK = "mask"
    """One channel: 1 where the picture beside it is hidden, 0 elsewhere."""
    NUMBER = "number"
    """The same for all pictures, such as a strength, or several such as the weights of styles:
    constants from then on."""


@dataclass(frozen=True)
class InputRole:
    """What goes into one input."""

    kinds: tuple[InputKind, ...]
    """One; or a picture and what lies behind it in the channels of the same input."""
    classes: int | None = None
    """How many there are, where it is a class."""
    values: tuple[float, ...] = (0.0,)
    """Where it is a number: one for all of the input, or one for each of its entries."""
    marks_known: bool = False
    """Where it has a mask: whether the generator's own is 1 where the picture is not hidden."""

    @property
    def kind(self) -> InputKind:
        return self.kinds[0]


def can_be(kinds: Sequence[InputKind], channels: int) -> bool:
    """Whether so many channels can be pictures, each of one or three, and masks, each of one."""
    masks = kinds.count(InputKind.MASK)
    pictures = len(kinds) - masks
    return channels - masks in (pictures, 3 * pictures)


@dataclass(frozen=True, kw_only=True)
class InputPart:
    """What a part of the teacher's one input is: entries of a vector, or channels of a picture."""

    name: str
    """Of the generator's own input."""
    kind: InputKind
    size: int
    """Entries or channels."""


def mask_of(parts: Sequence[InputPart]) -> int | None:
    """Which channel of a picture of these parts is its mask; None where none is."""
    start = 0
    for part in parts:
        if part.kind is InputKind.MASK:
            return start
        start += part.size
    return None


_WORDS = (
    "latent, picture, mask, known, class, class:10, picture+mask, picture+known, picture+picture, "
    "0.7, or 0,1,0 and so on; mask is 1 where the picture is hidden, known where it is not"
)
_KNOWN = "known"
"""The word for a mask that is 1 where the picture is not hidden."""
_SWITCHES = {"true": 1.0, "false": 0.0}


def read_role(text: str) -> tuple[str, InputRole]:
    """NAME=latent, picture, mask, known, class:10, 0.7 or 0,1,0 as name and role.

    PocketganError for others.
    """
    name, equals, word = text.rpartition("=")
    role = _role(word.strip().lower())
    if not (equals and name) or role is None:
        raise PocketganError(
            f"--input {text} does not say what goes into which input.",
            f"Give --input NAME=WHAT; WHAT is {_WORDS}.",
        )
    return name, role


def read_roles(texts: Iterable[str]) -> dict[str, InputRole]:
    """Name → role of several; PocketganError as ``read_role`` raises it."""
    return dict(map(read_role, texts))


def role_text(role: InputRole) -> str:
    """A role as ``read_role`` reads it."""
    if role.kind is InputKind.NUMBER:
        return numbers_text(role.values)
    words = "+".join(role.kinds)
    if role.marks_known:
        words = words.replace(InputKind.MASK, _KNOWN)
    return f"{words}:{role.classes}" if role.classes else words


def numbers_text(values: Iterable[float]) -> str:
    """Numbers as a person gives them: 0.7, or 0,1,0."""
    return ",".join(f"{value:g}" for value in values)


def role_option(name: str, role: InputRole) -> str:
    """The option that says a role, as a shell reads it."""
    return f"--input {shlex.quote(printable(f'{name}={role_text(role)}'))}"


def _role(word: str) -> InputRole | None:
    if re.fullmatch(r"class:[1-9]\d*", word):
        return InputRole((InputKind.CLASS,), classes=int(word.partition(":")[2]))
    if word in (InputKind.LATENT, InputKind.CLASS):
        return InputRole((InputKind(word),))
    words = word.split("+")
    kinds = [InputKind.MASK if each == _KNOWN else each for each in words]
    if (
        set(kinds) <= {InputKind.PICTURE, InputKind.MASK}
        and (kinds[0] == InputKind.PICTURE or kinds == [InputKind.MASK])
        and not {_KNOWN, InputKind.MASK} <= set(words)
    ):
        return InputRole(tuple(map(InputKind, kinds)), marks_known=_KNOWN in words)
    try:
        values = tuple(_number(each) for each in word.split(","))
    except ValueError:
        return None
    return (
        InputRole((InputKind.NUMBER,), values=values) if all(map(math.isfinite, values)) else None
    )


def _number(word: str) -> float:
    return _SWITCHES[word] if word in _SWITCHES else float(word)
