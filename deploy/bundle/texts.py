"""What is written from ``model.json``: the model card and ready code, a short file a language."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.bundle import sheet
from deploy.bundle.files import CODE
from deploy.bundle.schema import BundleQuality, Model
from deploy.errors import plain


@dataclass(frozen=True)
class Baseline:
    """The dense float32 file of the same run."""

    bytes: int
    bytes_gzip: int
    quality: BundleQuality


@dataclass(frozen=True)
class WithoutNetwork:
    """What can be made of the pictures that are read without any network: what it is called."""

    name: str
    quality: BundleQuality


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What the card tells besides model.json; None where the run does not know it."""

    steps: tuple[str, ...] = ()
    """How the file was made: a sentence a stage."""
    real_pictures: bool = True
    """Whether it was judged by real pictures: else by its teacher's, where there are no others."""
    baseline: Baseline | None = None
    trivial: WithoutNetwork | None = None
    parameters: int | None = None
    macs: int | None = None
    zeros: float | None = None
    float_ops: int | None = None
    no_speed: str = ""
    """Why there are no measurements."""


_QUALITY = (
    ("Fréchet distance", "frechet", 2, "between what the judge sees in drawn and in real test "
     "pictures; lower is better"),
    ("KID", "kid", 4, "the same by another distance; lower is better"),
    ("Precision", "precision", 3, "share of drawn pictures that look like real ones"),
    ("Recall", "recall", 3, "share of real pictures that the generator could have drawn"),
    ("Density", "density", 3, "precision that outliers cannot inflate; about 1 for real ones"),
    ("Coverage", "coverage", 3, "share of real pictures with a drawn one close by"),
    ("Modes", "modes", 0, "classes that are drawn at all"),
    ("PSNR", "psnr", 1, "dB, against float32's pictures of the same inputs"),
    ("SSIM", "ssim", 3, "the same by structure; 1 is equal"),
    ("PSNR to the truth", "psnr_truth", 1, "dB, against the pictures that these should be"),
    ("SSIM to the truth", "ssim_truth", 3, "the same by structure"),
    ("PSNR in the hole", "psnr_hole", 1, "dB, against the truth, where a mask hid it"),
)  # fmt: skip
"""Figures of the card: title, field of the quality, decimals, meaning."""


def render_card(model: Model, facts: CardFacts) -> bytes:
    """CARD.md; the same model and facts give the same bytes."""
    return _render(
        "CARD.md",
        m=model,
        facts=facts,
        lines=[line for line in _QUALITY if getattr(model.quality, line[1]) is not None],
        rows=sheet.rows(model.latent.classes) if model.latent else 0,
        columns=sheet.COLUMNS,
    )


def render_code(model: Model) -> dict[str, bytes]:
    """Path inside the bundle → source."""
    facts = {
        "m": model,
        "p": model.picture,
        "tiles": model.picture.tiles if model.picture else None,
        "channels": model.channels,
        "inputs": np.iinfo(model.input.dtype) if model.input.scale else None,
        "title": f"{plain(model.name)} ({plain(model.variant)})",
        "about": _about(model),
    }
    return {path: _render(path.removeprefix("code/"), **facts) for path in CODE}


def _about(model: Model) -> str:
    """What is drawn, for the first line of a code file."""
    pictures = f"{model.picture_width}×{model.height} {model.pixels.channels} pictures"
    if model.latent is not None:
        classes = f", {model.latent.classes} classes" if model.latent.classes else ""
        return f"{pictures} of '{plain(model.data.name)}'{classes}"
    assert model.picture is not None
    height, width = model.input.shape[1:3]
    mask = " and their masks" if model.picture.mask else ""
    return f"{pictures} of {width}×{height} {model.picture.channels} ones{mask}"


def _escape(text: str) -> str:
    """Text as Markdown shows it literally; names are a stranger's."""
    return re.sub(r"([\\`*_{}\[\]<>#|&])", r"\\\1", plain(text))


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _literal(*escaped: str) -> Callable[[str], str]:
    """How a language writes a string: in double quotes, these characters behind a backslash."""
    escapes = {ord(character): f"\\{character}" for character in ("\\", '"', *escaped)}
    return lambda text: f'"{plain(text).translate(escapes)}"'


_FILTERS: dict[str, Callable[..., str]] = {
    "plain": plain,
    "md": _escape,
    "count": "{:,.0f}".format,
    "percent": "{:.0%}".format,
    "figure": _figure,
    "text": _literal(),  # Python and Swift
    "kotlin_text": _literal("$"),
    "cpp_text": _literal("?"),  # two in a row would begin a trigraph
}


def render_text(template: Path, **values: object) -> str:
    """The text that a template makes of values; a value that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment.get_template(template.name).render(values)


def _render(name: str, **values: object) -> bytes:
    return render_text(Path(__file__).parent / "templates" / f"{name}.j2", **values).encode()
