"""Trainings on tiny noisy pictures that are over within a second."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.determinism import prepare
from pipeline.networks.codes import set_apart, with_code_head
from pipeline.networks.pixels import pixel_range
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.networks.settings import Codes, DiscriminatorSettings, GeneratorSettings, ImageShape
from pipeline.training.objectives.generation import Generation
from pipeline.training.objectives.growing import Growing
from pipeline.training.objectives.infogan import InfoGAN
from pipeline.training.objectives.madgan import MADGAN
from pipeline.training.randomness import Prior
from pipeline.training.settings import TrainSettings
from pipeline.training.trainer import GANTrainer

SIDE, LATENT = 8, 8
NO_CODES = Codes()
BRIEF = TrainSettings(steps=4, batch=8, check_every=2, generator_rate=2e-3, discriminator_rate=2e-3)

TrainerMaker = Callable[..., GANTrainer]


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """uint8 [32, 8, 8, 1]."""
    return np.random.default_rng(0).integers(0, 256, (32, SIDE, SIDE, 1), dtype=np.uint8)


@pytest.fixture(scope="session")
def make_trainer(pictures: np.ndarray) -> TrainerMaker:
    """A function that builds both networks and their trainer; keywords change its settings."""

    def make(
        network: str = "dense",
        classes: int = 0,
        start: int = 1,
        spectral_norm: bool = False,
        minibatch_deviation: bool = False,
        generator: Callable[[tf_keras.Model], tf_keras.Model] = lambda plain: plain,
        teacher: tf_keras.Model | None = None,
        distill: float = 0.0,
        matching: float = 0.0,
        real_pictures: np.ndarray = pictures,
        codes: Codes = NO_CODES,
        **changes: Any,
    ) -> GANTrainer:
        prepare(start)
        height, width, channels = real_pictures.shape[1:]
        image = ImageShape(height, channels, classes, width)
        coded = replace(image, classes=codes.discrete)
        plain = build_generator(
            GeneratorSettings(name=network, width=4, latent=LATENT), coded if codes else image
        )
        settings = replace(BRIEF, **changes)
        if settings.multi_agent:
            set_apart(plain, codes.discrete)
        judge = DiscriminatorSettings(
            network, 4, spectral_norm, minibatch_deviation=minibatch_deviation
        )
        discriminator = with_code_head(build_discriminator(judge, image), codes)
        family = MADGAN if settings.multi_agent else InfoGAN
        kind: Any = Growing if changes.get("growth") else Generation
        if codes:
            kind = partial(family, codes=codes, information=1.0)
        objective = kind(
            generator(plain),
            discriminator,
            pictures=real_pictures,
            labels=np.arange(len(real_pictures)) % classes if classes else None,
            prior=Prior.even(LATENT, codes.discrete or classes),
            pixels=pixel_range(plain),
            settings=settings,
            seed=1,
            teacher=teacher,
            distill=distill,
            **({"matching": matching} if matching else {}),
        )
        return GANTrainer(objective, seed=1)

    return make


@pytest.fixture
def weights_of() -> Callable[[GANTrainer], list[np.ndarray]]:
    """All weights of both networks of a training."""
    return lambda trainer: [
        *trainer.objective.generator.get_weights(),
        *trainer.objective.discriminator.get_weights(),
    ]
