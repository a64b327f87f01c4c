"""What latents mean: directions along which pictures change most, without labels, and whether two
generators make the same of one.

Directions are rows of unit length over the normal numbers of a latent; which of both ways is up is
free, so the largest entry is positive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse.linalg import svds

from pipeline.arrays import Images

Rows = npt.NDArray[np.float32]
DrawRows = Callable[[Rows], Images]
"""Inputs float32 [N, latent + classes] → pictures uint8 [N, H, W, C]."""
REACH = 2.0
"""How far a direction is walked to both sides: nearly all normal numbers lie within."""
_LEAST_SHARE = 1e-6
"""Of the largest eigenvalue; what has less is a direction in which nothing happens."""


def of_weights(weights: Rows, count: int) -> Rows:
    """SeFa's closed form (Shen & Zhou 2021, equation 5): the eigenvectors of AᵀA with the largest
    eigenvalues, along which the first layer A, [outputs, latent], makes most of a step.

    Float32 [≤ count, latent], the largest first; fewer where A has a smaller rank.
    """
    values, vectors = np.linalg.eigh(weights.astype(np.float64).T @ weights)
    return _upright(vectors[:, _largest(values, count)].T)


def of_activations(inputs: Rows, activations: Rows, count: int, *, classes: int = 0) -> Rows:
    """GANSpace (Härkönen 2020, sections 2.1 and 2.2): principal components of activations
    [N, outputs], each carried back to the latents of ``inputs`` [N, latent + classes] by least
    squares.

    What a class adds to the activations is left out: no latent makes it.
    """
    latents, labels = inputs, np.zeros(len(inputs), np.int64)
    if classes:
        latents, labels = inputs[:, :-classes], inputs[:, -classes:].argmax(axis=1)
    centred = activations.copy()
    for label in np.unique(labels):
        centred[labels == label] -= centred[labels == label].mean(axis=0)
    most = min(centred.shape) - 1
    start = np.random.default_rng(0).normal(size=most + 1)
    coordinates, lengths, _ = svds(centred, k=min(count, most), v0=start)
    return _upright(coordinates[:, _largest(lengths**2, count)].T @ latents)


def _largest(eigenvalues: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest, in falling order."""
    order: np.ndarray = eigenvalues.argsort()[::-1][:count]
    return np.asarray(order[eigenvalues[order] > _LEAST_SHARE * eigenvalues.max()])


def _upright(rows: np.ndarray) -> Rows:
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    most = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return np.asarray(rows * np.sign(most), np.float32)


def at(inputs: Rows, direction: Rows, value: float) -> Rows:
    """The inputs [N, latent + classes] with their part along a direction [latent] set to a value.

    Set, not added, so that what is drawn stays what the prior draws.
    """
    changed = inputs.copy()
    part = inputs[:, : len(direction)] @ direction
    changed[:, : len(direction)] += np.outer(value - part, direction)
    return changed


def walk(draw: DrawRows, inputs: Rows, direction: Rows, steps: int) -> Images:
    """Pictures uint8 [N, steps, H, W, C] along a direction, from −REACH to REACH."""
    values = np.linspace(-REACH, REACH, steps)
    return np.stack([draw(at(inputs, direction, value)) for value in values], axis=1)


def each_class(draw: DrawRows, inputs: Rows, classes: int) -> Images:
    """Pictures uint8 [N, classes, H, W, C] of each class, or value of a discrete code, at the end
    of the same inputs [N, latent + classes].
    """
    pictures = []
    for one_hot in np.eye(classes, dtype=np.float32):
        changed = inputs.copy()
        changed[:, -classes:] = one_hot
        pictures.append(draw(changed))
    return np.stack(pictures, axis=1)


@dataclass(frozen=True)
class Change:
    """From one end of a direction to the other, of the same other numbers."""

    pixels: Rows
    """float32 [N, H, W, C], in steps of 255."""
    features: np.ndarray
    """float [N, F]: what a judge sees of it."""

    @property
    def effect(self) -> float:
        """By how much of black to white a pixel changes, on average."""
        return float(np.abs(self.pixels).mean() / 255)


def change(
    draw: DrawRows, look: Callable[[Images], np.ndarray], inputs: Rows, direction: Rows
) -> Change:
    """What a generator makes of a direction; ``look`` turns pictures into features."""
    low, high = (draw(at(inputs, direction, value)) for value in (-REACH, REACH))
    return Change(high.astype(np.float32) - low, look(high) - look(low))


class Sameness(BaseModel):
    """How far a direction does in one generator what it does in another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agreement: float
    """Cosine of both changes, over all pictures: 1 the same, 0 unrelated, −1 the opposite."""
    strength: float
    """Length of the change over that of the other's: less than 1 does the same more weakly."""
    chance: float
    """Mean size of the cosine with what random directions do: what any two changes have in
    common."""


class LatentDirection(BaseModel):
    """One direction, and what it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Of method and rank, as "weights 1"."""
    vector: tuple[float, ...]
    """Of unit length, over the normal numbers at the start of a latent."""
    effect: float
    """How much of black to white a pixel changes from one end to the other, on average, in the
    baseline."""
    pixels: Sameness
    """Of the file that ships, against the baseline."""
    features: Sameness
    """The same of what the judge sees in the pictures: it forgives what moved by a pixel."""


class LatentDirections(BaseModel):
    """``directions.json``: z + (a − z·v)·v is the latent z with the slider of the direction v at a.

    A slider goes from −``reach`` to ``reach``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_name: Literal["pocketgan.directions"] = Field(
        default="pocketgan.directions", alias="schema"
    )
    version: Literal[1] = 1
    found_in: str
    """The variant whose weights and activations were read."""
    reach: float = REACH
    directions: tuple[LatentDirection, ...]
    random_effect: float
    """Mean effect of as many directions that nobody chose."""
    random_agreement: float
    """Their mean agreement in pixels."""


def sameness(change: np.ndarray, other: np.ndarray, unrelated: Sequence[np.ndarray]) -> Sameness:
    """A direction's change [N, …] in one generator against that in another, of the same latents.

    ``unrelated``: changes in the one along random directions.
    """
    length = float(np.linalg.norm(other))
    return Sameness(
        agreement=round(cosine(change, other), 4),
        strength=round(float(np.linalg.norm(change)) / length, 4) if length else 0.0,
        chance=round(float(np.mean([abs(cosine(each, other)) for each in unrelated])), 4),
    )


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Of two changes of one shape, over everything in them; 0 where one is none."""
    scale = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one.ravel() @ other.ravel()) / scale if scale else 0.0
