"""What a recipe may say of a network."""

from dataclasses import dataclass, field

from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveInt

PictureShape = tuple[int, int, int]
"""Height, width, channels."""
STYLED, GROWING, COUPLED = "stylegan", "progressive", "cogan"
"""In the registry: the generator whose styles can be truncated, the networks whose pictures can
grow while they are trained, and those whose pictures are two, side by side."""

IMAGENET_SIDE = 32
"""Pixels of the pictures that the published network of ``efficientnet`` looks at: of smaller ones,
blown up to what it was trained on, little is left but blur."""
PROJECTED = "projected"
"""The discriminator that looks through it."""


@dataclass(frozen=True)
class Codes:
    """What of a latent can be read off the picture again (InfoGAN, Chen 2016): its two ends.

    So its prior, and whatever draws from it, stays as it is without codes.
    """

    continuous: NonNegativeInt = 0
    """So many first numbers, which are normal."""
    discrete: NonNegativeInt = 0
    """One of so many values, one-hot at the end, where a class would stand."""

    def __bool__(self) -> bool:
        return bool(self.continuous or self.discrete)


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings:
    """The network that draws."""

    name: str = "dcgan"
    """Name in the registry; `pocketgan list` shows them all."""
    width: PositiveInt = 64
    """Channels of the last hidden feature map; each one before has twice as many."""
    latent: PositiveInt = 64
    """Length of the random vector that becomes a picture."""
    conditional: bool = False
    """Draw a class that is asked for: the latent vector ends with the class, one-hot."""
    codes: Codes = field(default_factory=Codes)
    """InfoGAN's; none by default."""
    truncation: ClosedUnitInterval = 1.0
    """Of stylegan, what it draws with: 0.7 moves its styles by 30 % towards their mean, for fewer
    failures and less variety."""


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The network that tells real pictures from drawn ones."""

    name: str = "dcgan"
    """Name in the registry; `pocketgan list` shows them all."""
    width: PositiveInt = 32
    """Channels of the first feature map; each next one has twice as many."""
    spectral_norm: bool = False
    """Divide each kernel by its largest singular value (Miyato 2018)."""
    minibatch_deviation: bool = False
    """Show it how much the pictures of a batch differ (Karras 2018, section 3)."""


@dataclass(frozen=True)
class StudentSettings:
    """The shape of a student; `pocketgan compress` searches it."""

    block: str = "sub_pixel"
    """Of latents what doubles a map: sub_pixel, depthwise or transposed; of pictures a network, as
    `pocketgan list` shows them; or slim, the teacher's own layers."""
    rank: int = 16
    """Width of the linear bottleneck before the first map; 0 for none."""
    channels: tuple[int, ...] = (16, 8)
    """Of each hidden map, the smallest map first."""
    mixers: int = 0
    """Convolutions 3×3 that keep the smallest map as it is."""

    def channels_for(self, count: int) -> str:
        """These channels made ``count``, as a command line names them: the last ones repeated."""
        last = self.channels[-1:] or (1,)
        return str([*self.channels, *last * count][:count]).replace(" ", "")


@dataclass(frozen=True)
class ImageShape:
    """What generator and discriminator agree on.

    ``classes`` is 0 for an unconditional GAN; otherwise the last ``classes`` entries of the latent
    vector are a one-hot class, and the discriminator is told the class too.
    """

    size: PositiveInt = 28
    channels: PositiveInt = 1
    classes: NonNegativeInt = 0
    width: PositiveInt | None = None
    """Where it is not square: ``size`` is the height then."""

    @property
    def shape(self) -> PictureShape:
        """Height, width and channels."""
        return self.size, self.width or self.size, self.channels
