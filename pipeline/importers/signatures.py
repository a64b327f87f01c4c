"""Files that hold several networks: which of their signatures draws."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deploy.errors import PocketganError, printable
from pipeline.importers.missing import MissingFact, MissingFactsError, StatedFacts

DEFAULT = "serving_default"
"""What TensorFlow calls the one that is meant where nobody says which."""


_OF_PICTURES = 4


class Dimensions(NamedTuple):
    """How many dimensions the inputs and the outputs of a signature have, the batch among them."""

    inputs: Sequence[int | None]
    outputs: Sequence[int | None]


def chosen_signature(
    path: Path, signatures: Mapping[str, Dimensions], facts: StatedFacts
) -> str | None:
    """The signature that ``facts`` name, or the only one there is; None where there is none.

    Raises PocketganError for a name that is not there, and MissingFactsError where several are and
    none was chosen: the first that draws is proposed, of latents rather than of pictures. ``path``
    names the generator.
    """
    names = list(signatures)
    listed = ", ".join(map(printable, names))
    if facts.signature is not None and facts.signature not in names:
        raise PocketganError(
            f"{path} has no signature '{printable(facts.signature)}'.",
            f"Its signatures are {listed}." if names else "It has none: leave --signature out.",
        )
    if facts.signature is not None or len(names) < 2:
        return facts.signature or next(iter(names), None)
    likely = max(names, key=lambda name: (name == DEFAULT, *_generates(signatures[name])))
    fact = MissingFact(
        problem=f"it has {len(names)} signatures, each a network of its own ({listed}), and which "
        "one draws is not known",
        option=f"--signature {shlex.quote(printable(likely))}",
        guess={"signature": likely},
    )
    raise MissingFactsError(path, [fact])


def _generates(dimensions: Dimensions) -> tuple[bool, bool]:
    """Whether it gives maps, and whether it reads none."""
    return _OF_PICTURES in dimensions.outputs, _OF_PICTURES not in dimensions.inputs
