"""A generator as its own library runs it, whatever that is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Port:
    """One input."""

    name: str
    shape: tuple[int | None, ...]
    """Without the batch."""
    dtype: str
    rows: int | None = None
    """Rows of the embedding that looks its numbers up; None where there is none."""


@dataclass(frozen=True)
class SourceLayer:
    """One layer of the file, and what became of it while it was loaded."""

    name: str
    type: str
    shape: tuple[int | None, ...]
    """Of its output, the batch first; empty where it is not known."""
    weights: int
    became: tuple[str, ...] = ()
    """The layers of the teacher's model that compute it; none where it vanished."""
    note: str = ""
    """What was rewritten, in words; empty if nothing was."""


@dataclass(frozen=True)
class Live:
    """What a file holds, loaded."""

    origin: str
    ports: tuple[Port, ...]
    compute: Callable[..., list[Any]]
    """Tensors in the order of the ports → all outputs, at inference."""
    weights: tuple[tuple[str, np.ndarray], ...]
    """Name and values; names may repeat."""
    layers: tuple[SourceLayer, ...]
    functional: Any = None
    """The model of keras or tf_keras, where it is a graph of layers."""
    batch: int | None = None
    """The only number of rows that ``compute`` takes; None where any will do."""
    precision: str = "float32"
    """The coarsest type in which a layer of it computes; weights are float32."""
