"""What the latents mean, for the page: each direction's strip, and what was measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.arrays import Images
from pipeline.metrics.directions import Sameness
from pipeline.report.page import sample_grid
from pipeline.report.run.schema import DirectionReport, LatentsReport


@dataclass(frozen=True)
class Strip:
    """Pictures along a direction, a row a latent and generator."""

    name: str
    caption: str
    picture: str


@dataclass(frozen=True)
class LatentsView:
    """What the page's section shows."""

    latents: LatentsReport
    strips: list[Strip]
    random: str
    """What a direction does that nobody chose."""


def view(latents: LatentsReport, walks: Mapping[str, Images]) -> LatentsView:
    """``walks``: name → uint8 [latents, variants, steps, H, W, C]."""
    captions = {direction.name: _caption(direction) for direction in latents.directions}
    strips = [
        Strip(name, captions.get(name, "a column a value"), _strip(walk))
        for name, walk in walks.items()
    ]
    random = (
        f"changes a pixel by {latents.random_effect:.1%} of black to white, and agrees to "
        f"{latents.random_agreement:.2f}"
    )
    return LatentsView(latents, strips, random)


def _strip(walk: Images) -> str:
    return sample_grid(walk.reshape(-1, *walk.shape[3:]), columns=walk.shape[2])


def _caption(direction: DirectionReport) -> str:
    return (
        f"changes a pixel by {direction.effect:.1%}; agreement in pixels "
        f"{_agreement(direction.pixels)}; agreement in the judge's features "
        f"{_agreement(direction.features)}"
    )


def _agreement(alike: Sameness) -> str:
    return (
        f"{alike.agreement:.2f} ({alike.chance:.2f} by chance), "
        f"{alike.strength:.2f} times as strong"
    )
