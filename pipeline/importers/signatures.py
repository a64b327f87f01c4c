"""Files that hold several networks: which of their signatures draws."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from deploy.errors import PocketganError, printable
from pipeline.importers.missing import MissingFact, MissingFactsError, StatedFacts

DEFAULT = "serving_default"
"""What TensorFlow calls the one that is meant where nobody says which."""


def chosen_signature(path: Path, names: Sequence[str], facts: StatedFacts) -> str | None:
    """The signature that ``facts`` name, or the only one of ``names``; None where there is none.

    Raises PocketganError for a name that is not there, and MissingFactsError where several are and
    none was chosen. ``path`` names the generator.
    """
    listed = ", ".join(map(printable, names))
    if facts.signature is not None and facts.signature not in names:
        raise PocketganError(
            f"{path} has no signature '{printable(facts.signature)}'.",
            f"Its signatures are {listed}." if names else "It has none: leave --signature out.",
        )
    if facts.signature is not None or len(names) < 2:
        return facts.signature or next(iter(names), None)
    likely = DEFAULT if DEFAULT in names else names[0]
    fact = MissingFact(
        problem=f"it has {len(names)} signatures, each a network of its own ({listed}), and which "
        "one draws is not known",
        option=f"--signature {shlex.quote(printable(likely))}",
        guess={"signature": likely},
    )
    raise MissingFactsError(path, [fact])
