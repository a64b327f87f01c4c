"""Settings of the adversarial training, as a recipe states them."""

from dataclasses import dataclass, field

from jsonargparse.typing import (
    ClosedUnitInterval,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    restricted_number_type,
)

Fraction = restricted_number_type(
    "Fraction", float, [(">=", 0), ("<", 1)], docstring="0 ≤ share < 1"
)
Frames = restricted_number_type("Frames", int, (">=", 2), docstring="≥ 2")


@dataclass(frozen=True)
class WeightSettings:
    """What is done to the kernels of one network while it trains."""

    l1: NonNegativeFloat = 0.0
    """λ of λ·Σ|w|."""
    l2: NonNegativeFloat = 0.0
    """λ of λ·Σw²."""
    drop: Fraction = 0.0  # type: ignore[valid-type]
    """Share of the weights dropped at random, anew at every step (W' = W − D)."""
    orthogonal: NonNegativeFloat = 0.0
    """β of β·‖WᵀW ⊙ (1 − I)‖²: how alike a kernel's outputs are (Brock 2019, equation 3)."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Loss, regularizers, optimizers, monitor and checkpoints of an adversarial training."""

    steps: PositiveInt = 2000
    """Updates of the generator."""
    batch: PositiveInt = 64
    loss: str = "non_saturating"
    """Name of the loss; `pocketgan list` shows them all."""
    generator_rate: PositiveFloat = 2e-4
    """Adam's learning rate."""
    discriminator_rate: PositiveFloat = 2e-4
    beta1: ClosedUnitInterval = 0.5
    """Adam's first decay."""
    final_rate: ClosedUnitInterval = 1.0
    """The learning rates fall along a half cosine to this share of themselves; 1 keeps them."""
    critic_steps: PositiveInt = 1
    """Updates of the discriminator for each one of the generator."""
    label_smoothing: Fraction = 0.0  # type: ignore[valid-type]
    """Real pictures are labelled 1 − this (minimax, non_saturating, lsgan)."""
    r1: NonNegativeFloat = 0.0
    """γ of γ/2·‖∇D(real)‖² (Mescheder 2018)."""
    r2: NonNegativeFloat = 0.0
    """γ of γ/2·‖∇D(generated)‖², likewise."""
    r1_every: PositiveInt = 8
    """R1 and R2 are computed at every so many steps, so many times as strong (Karras 2020)."""
    feature_matching: NonNegativeFloat = 0.0
    """Of latents: weight of the squared difference between what the discriminator's last hidden
    map, of each of its heads, is on average of real and of generated pictures (Salimans 2016,
    section 3.1)."""
    information: NonNegativeFloat = 1.0
    """Weight of the information between codes and pictures (λ of Chen 2016); with codes only."""
    growth: ClosedUnitInterval = 0.0
    """Of the networks called progressive: share of the steps in which pictures grow to their size;
    0 begins with that (Karras 2018)."""
    multi_agent: bool = False
    """MAD-GAN (Ghosh 2018): values of the discrete code are generators. The discriminator learns to
    tell which of them drew; they do not learn to be told apart."""
    gradient_penalty: NonNegativeFloat = 10.0
    """λ of WGAN-GP; used by that loss only."""
    clip: PositiveFloat = 0.01
    """The critic's weights stay within ± this; used by the loss wgan only."""
    augment: list[str] = field(default_factory=list)
    """Differentiable augmentations of what the discriminator sees: shift, cutout, brightness,
    mirror."""
    ema: Fraction = 0.995  # type: ignore[valid-type]
    """Decay of the moving average of the generator's weights, which is what is kept."""
    generator_weights: WeightSettings = field(default_factory=WeightSettings)
    discriminator_weights: WeightSettings = field(default_factory=WeightSettings)
    check_every: PositiveInt = 100
    """Steps between two checks of the stability monitor, and between two rows of the history."""
    checkpoint_seconds: NonNegativeInt = 30
    """At least so many seconds lie between two checkpoints."""
    collapse_ratio: ClosedUnitInterval = 0.35
    """Samples whose diversity is below this share of the real pictures' are a mode collapse."""
    film_frames: Frames = 12  # type: ignore[valid-type]
    """Pictures of the fixed latents kept for the film strip, the first and last among them."""


@dataclass(frozen=True, kw_only=True)
class TranslationWeights:
    """What a generator that reads pictures is trained for, all differences in −1..1."""

    l1: NonNegativeFloat = 50.0
    """Weight of the mean absolute difference to the truth (Isola 2017, equation 3)."""
    l2: NonNegativeFloat = 0.0
    """Weight of the mean squared difference."""
    adversarial: NonNegativeFloat = 1.0
    """Weight of the adversarial loss; 0 trains without a discriminator."""
    feature_matching: NonNegativeFloat = 0.0
    """Of pairs: weight of the mean absolute difference between what the discriminator's layers see
    in picture and truth (Wang 2018, equation 4)."""
    perceptual: NonNegativeFloat = 0.0
    """Of colour pairs: the same in the first layers of EfficientNet-Lite0 (Johnson 2016, equation
    2). It is also the judge of colour, which then sees what it taught."""
    cycle: NonNegativeFloat = 10.0
    """Without pairs: weight of the mean absolute difference there and back (Zhu 2017)."""
    identity: NonNegativeFloat = 5.0
    """Without pairs: weight of what is changed in a picture that is of the right kind already."""
    mirror: bool = True
    """Mirror half of the pictures, left to right."""
    shift: NonNegativeInt = 0
    """Of pairs: move both by up to so many pixels of the input, which acts as random crops."""
