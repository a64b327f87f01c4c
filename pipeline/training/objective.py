"""Objective: everything of a training that the loop (``trainer.py``) does not know.

A new family of GANs is one file in ``objectives/``: which networks, which batch, which losses, and
which pictures show how far it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import tf_keras

from pipeline.arrays import Tensor
from pipeline.training.losses import AdversarialLoss, Verdict
from pipeline.training.randomness import StepSeeds
from pipeline.training.settings import TrainSettings


class Objective(ABC):
    """Networks of two sides that are trained against each other, and what for.

    The loop calls ``batch`` → ``generate`` → ``judge`` → ``generator_loss`` within its gradient
    tapes. What ``batch`` and ``generate`` give is the objective's own affair: the loop only hands
    it on. All random numbers come from the ``seeds`` that are handed in.
    """

    caption = "fixed latents"
    """Of the frames, in TensorBoard."""
    state: Sequence[Any] = ()
    """Variables besides those of the networks that a resumed training needs."""

    def __init__(
        self,
        generators: Sequence[tf_keras.Model],
        discriminators: Sequence[tf_keras.Model],
        settings: TrainSettings,
    ) -> None:
        self.generators = tuple(generators)
        self.discriminators = tuple(discriminators)
        self.settings = settings
        self.adversarial_loss = AdversarialLoss(settings)

    @property
    def generator_variables(self) -> list[Any]:
        """Variables of the generators' optimizer; their moving average is what is kept."""
        return [weight for network in self.generators for weight in network.trainable_variables]

    @property
    def discriminator_variables(self) -> list[Any]:
        """Variables of the discriminators' optimizer."""
        return [weight for network in self.discriminators for weight in network.trainable_variables]

    @property
    @abstractmethod
    def real_pictures(self) -> np.ndarray:
        """uint8 [N, H, W, C], whose variety that of generated ones is compared with."""

    @abstractmethod
    def batch(self, seeds: StepSeeds) -> Any:
        """``settings.batch`` examples for one update: real pictures and what generators read."""

    @abstractmethod
    def generate(self, batch: Any) -> Any:
        """The generators' pictures for a batch, in training mode."""

    @abstractmethod
    def judge(self, batch: Any, fakes: Any, seeds: StepSeeds, *, regularize: bool) -> Verdict:
        """The discriminators' loss and logits; the sum, and all logits, where there are several."""

    @abstractmethod
    def generator_loss(self, batch: Any, fakes: Any, verdict: Verdict) -> Tensor:
        """The scalar that the generators make small."""

    @abstractmethod
    def recalibrate(self, number: Tensor) -> None:
        """Run the generators in training mode on the batch of that number, updating no weight."""

    @abstractmethod
    def fixed_pictures(self) -> np.ndarray:
        """Pictures of the same inputs at every call, in inference mode: uint8 [N, H, W, C]."""

    def frame(self, pictures: np.ndarray) -> np.ndarray:
        """What history and film show of ``fixed_pictures``; perhaps with their inputs beside."""
        return pictures

    def figures(self) -> dict[str, float]:
        """What else is measured of the trained networks, for the stage's record."""
        return {}

    def enter(self, step: int) -> int:
        """Called before each step. Steps for which it gives one number are the same computation."""
        return 0

    def regularizes_at(self, step: int) -> bool:
        """Whether ``judge`` adds its expensive regularizer at this step (Karras 2020, lazy)."""
        return self.adversarial_loss.regularizes_at(step)

    def constrain_discriminators(self) -> None:
        """What holds the discriminators' weights after each of their updates."""
        self.adversarial_loss.clip(self.discriminator_variables)
