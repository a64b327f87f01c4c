"""The document that a gallery page's script reads."""

from typing import Annotated, Literal

from pydantic import Field

from deploy.bundle.schema import Latent, PictureInput, TensorSpec, Text
from deploy.jobs import FrozenModel, Sha256, Size


class GalleryFile(FrozenModel):
    """One .tflite of the page; all of a page read and draw alike."""

    label: Text
    variant: Text
    sha256: Sha256
    bytes: Size
    bytes_gzip: Size
    input: TensorSpec
    output: TensorSpec
    reads: Latent | PictureInput
    low: float
    """What it draws for black."""
    high: float
    """What it draws for white."""
    quality: str = ""
    """Its figure of quality, in words; empty where none was measured."""


class FigureTable(FrozenModel):
    """The report's figures as they are written there; one row a variant."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class GateLine(FrozenModel):
    text: str
    passed: bool


class Gallery(FrozenModel):
    """The document in the page."""

    schema_name: Literal["pocketgan.gallery"] = Field(default="pocketgan.gallery", alias="schema")
    version: Literal[1] = 1
    title: Text
    pocketgan: Text
    runtime: Text
    """Who drew the golden pictures, e.g. "ai-edge-litert 2.3.0"."""
    files: Annotated[tuple[GalleryFile, ...], Field(min_length=1)]
    """Smallest first."""
    shipped: Size
    """Number of the file that is drawn with first."""
    reference: Size | None
    """Number of the float32 file that it is compared with."""
    golden: Size
    """So many golden pictures a file has."""
    table: FigureTable | None = None
    gates: tuple[GateLine, ...] = ()
    warnings: tuple[str, ...] = ()
