"""The model card: what a person reads before shipping the file."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from deploy.bundle import sheet
from deploy.bundle.schema import BundleQuality, Model
from deploy.bundle.template import environment
from deploy.printable import plain


@dataclass(frozen=True)
class Baseline:
    """The dense float32 file of the same run."""

    bytes: int
    bytes_gzip: int
    quality: BundleQuality


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What the card tells besides model.json; None where the run does not know it."""

    steps: tuple[str, ...] = ()
    """How the file was made: a sentence a stage."""
    baseline: Baseline | None = None
    parameters: int | None = None
    macs: int | None = None
    zeros: float | None = None
    float_ops: int | None = None
    no_speed: str = ""
    """Why there are no measurements."""


@dataclass(frozen=True)
class Line:
    """A figure of the quality table."""

    title: str
    name: str
    digits: int
    meaning: str


LINES = (
    Line("Fréchet distance", "frechet", 2, "between what the judge sees in drawn and in real test "
         "pictures; lower is better"),
    Line("KID", "kid", 4, "the same by another distance; lower is better"),
    Line("Precision", "precision", 3, "share of drawn pictures that look like real ones"),
    Line("Recall", "recall", 3, "share of real pictures that the generator could have drawn"),
    Line("Density", "density", 3, "precision that outliers cannot inflate; about 1 for real ones"),
    Line("Coverage", "coverage", 3, "share of real pictures with a drawn one close by"),
    Line("Modes", "modes", 0, "classes that are drawn at all"),
    Line("PSNR", "psnr", 1, "dB, against float32's pictures of the same latents"),
    Line("SSIM", "ssim", 3, "the same by structure; 1 is equal"),
)  # fmt: skip


def render_card(model: Model, facts: CardFacts) -> bytes:
    """CARD.md; the same model and facts give the same bytes."""
    filters: dict[str, Callable[..., str]] = {"md": _escape, "count": _count, "figure": _figure}
    template = environment(filters).get_template("CARD.md.j2")
    return template.render(
        m=model,
        facts=facts,
        lines=[line for line in LINES if getattr(model.quality, line.name) is not None],
        rows=sheet.rows(model.latent.classes),
        columns=sheet.COLUMNS,
    ).encode()


def _escape(text: str) -> str:
    """Text as Markdown shows it literally; names are a stranger's."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", plain(text))


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
