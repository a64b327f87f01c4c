"""What a generator's file does not say: asked for all at once, with a guess for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError
from pipeline.importers.input_roles import InputRole
from pipeline.networks.pixels import PixelRange


@dataclass(frozen=True, kw_only=True)
class StatedFacts:
    """What a person says of a generator beside its file, where that does not say it."""

    classes: int | None = None
    """How many entries at the end of the latents, or of the class, are one-hot."""
    pixels: PixelRange | None = None
    """Black and white in the pictures that it draws."""
    input_pixels: PixelRange | None = None
    """The same in those that it reads."""
    input_size: tuple[int, int] | None = None
    """Height and width of the pictures that it reads, where it takes any."""
    inputs: dict[str, InputRole] = field(default_factory=dict)
    """Name of an input → what goes in there."""
    signature: str | None = None
    """Name of the network that draws, of several in the file."""
    output: str | None = None
    """Name of the output that is the picture."""
    on_white: bool = False
    """Whether colour with alpha, where it draws that, is laid on white."""


@dataclass(frozen=True, kw_only=True)
class MissingFact:
    """One thing that the file does not say."""

    problem: str
    """A clause about the generator, such as "it does not say …"."""
    option: str
    """What says it on the command line, with the guess."""
    guess: dict[str, Any]
    """The guess: fields of StatedFacts."""

    def guessed(self, facts: StatedFacts) -> StatedFacts:
        """The facts with this guess among them."""
        inputs = facts.inputs | self.guess.get("inputs", {})
        return replace(facts, **{**self.guess, "inputs": inputs})


class MissingFactsError(PocketganError):
    """Facts that the file does not say; ``options`` name them with a guess for each."""

    def __init__(self, path: Path, missing: Sequence[MissingFact], teacher: Any = None) -> None:
        self.missing = tuple(missing)
        self.teacher = teacher
        """The generator as it is with these guesses, where it could be loaded so."""
        self.options = " ".join(fact.option for fact in missing)
        super().__init__(
            f"{path}: {'; '.join(fact.problem for fact in missing)}.",
            f"Give {self.options}, or what is right in place of these guesses.",
        )
