"""The schema of ``model.json``: all that code needs to feed a generator and to read its output."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from deploy.bundle import files
from deploy.errors import PocketganError
from deploy.jobs import Count, FrozenModel, Measurement, NotNegative, Sha256, Share, Size

Text = Annotated[str, Field(min_length=1)]
Level = Annotated[int, Field(ge=0, le=255)]


class GeneratorFile(FrozenModel):
    path: Literal["generator.tflite"] = "generator.tflite"
    sha256: Sha256
    bytes: Size
    bytes_gzip: Size  # level 9
    bytes_zstd: Size  # level 19


class TensorSpec(FrozenModel):
    """An input or output of the file. A stored q stands for (q - zero_point) * scale."""

    name: Text  # in the file's signature
    dtype: Literal["int8", "int16", "float32"]
    shape: tuple[Count, ...]  # of one inference, the batch of 1 included
    scale: NotNegative = 0.0  # exactly the float32 number of the file; 0 where dtype is float32
    zero_point: int = 0

    @model_validator(mode="after")
    def _integers_have_a_scale(self) -> Self:
        if (self.scale == 0) != (self.dtype == "float32"):
            raise ValueError("scale is 0 for float32, and for nothing else")
        return self


class Direction(FrozenModel):
    """Where a latent moves to change one thing in its picture: its part along the vector is set to
    a number from about -2 to 2."""

    name: Text
    vector: tuple[float, ...]  # of the latent's length, and itself of length 1


class Latent(FrozenModel):
    """An input vector: ``length`` numbers of the prior, then the class, one-hot."""

    length: Count
    prior: Literal["normal"] = "normal"
    classes: Size
    class_names: tuple[str, ...]
    directions: tuple[Direction, ...] = ()

    @property
    def width(self) -> int:
        return self.length + self.classes

    @model_validator(mode="after")
    def _every_class_has_a_name(self) -> Self:
        if len(self.class_names) != self.classes:
            raise ValueError("there must be as many class_names as classes")
        return self

    @model_validator(mode="after")
    def _directions_are_of_the_latent(self) -> Self:
        if any(len(direction.vector) != self.length for direction in self.directions):
            raise ValueError("the vector of a direction must have as many numbers as length says")
        return self


class Tiles(FrozenModel):
    """How a picture of any size is drawn in tiles of the one size that the file reads.

    Tiles overlap by twice ``margin``. Where it is ``seamless``, what a tile draws farther than
    ``margin`` from its edge does not depend on what lies beyond the edge, and tiles are cut there;
    elsewhere they are blended across the overlap.
    """

    scale: Count  # pixels drawn for each pixel read, along a side
    multiple: Count  # a tile starts at a multiple of it, as the network's halved maps ask for
    margin: Size  # pixels of the input
    seamless: bool

    @property
    def overlap(self) -> int:
        return 2 * self.margin


class PictureInput(FrozenModel):
    """An input picture. A level from 0 to 255 is the number low + (high - low) * level / 255."""

    low: float
    high: float
    channels: Literal["grey", "rgb"]
    mask: bool = False  # one more channel, the last: 255 where the picture is hidden, else 0
    hidden: Level | None = None  # with a mask: what stands in the picture where it hides it
    tiles: Tiles | None  # None where the picture drawn is no whole number of times as large

    @property
    def colours(self) -> int:
        return {"grey": 1, "rgb": 3}[self.channels]

    @property
    def depth(self) -> int:
        """Channels of the input."""
        return self.colours + self.mask

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.mask != (self.hidden is not None):
            raise ValueError("hidden is for pictures with a mask, and for no others")
        return self


class Pixels(FrozenModel):
    """The values that the file draws for black and for white."""

    low: float
    high: float
    channels: Literal["grey", "rgb"]

    @model_validator(mode="after")
    def _black_is_below_white(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Golden(FrozenModel):
    """Inputs with the exact bytes that were drawn of them: latents, or pictures one below the other
    in a PNG, and their masks in another."""

    count: Count
    latents: Literal["golden/latents.f32"] | None = None
    pictures: Literal["golden/pictures.png"] | None = None
    masks: Literal["golden/masks.png"] | None = None
    inputs: Literal["golden/inputs.bin"] = "golden/inputs.bin"
    outputs: Literal["golden/outputs.bin"] = "golden/outputs.bin"
    plain: Literal["golden/plain.bin"] = "golden/plain.bin"  # the same without XNNPACK
    runtime: Text  # e.g. "ai-edge-litert 2.3.0"
    cpu: Text  # e.g. "x86-64"


class BundleQuality(FrozenModel):
    """How well the file draws, as the run's judge sees it; None where it was not measured."""

    frechet: NotNegative | None = None
    frechet_floor: NotNegative | None = None  # real pictures against real ones
    kid: float | None = None
    precision: Share | None = None
    recall: Share | None = None
    density: NotNegative | None = None
    coverage: Share | None = None
    modes: Size | None = None
    psnr: float | None = None  # dB, against float32 on the same latents
    ssim: float | None = None
    psnr_truth: float | None = None  # dB, against what a picture that was read should become
    ssim_truth: float | None = None
    psnr_hole: float | None = None  # the same where a mask hid what was there
    samples: Size = 0  # pictures that were judged
    judge_sha256: Sha256 | None = None
    judge_accuracy: Share | None = None


class Origin(FrozenModel):
    """Where the file comes from."""

    pocketgan: Text
    versions: dict[str, str]
    recipe: Text
    seed: Size
    recipe_sha256: Sha256
    teacher_sha256: Sha256 | None  # of the dense float32 file of the same run
    gates_failed: tuple[str, ...] = ()  # bundled all the same, with --force
    unfinished: tuple[str, ...] = ()  # what the run lacked; bundled all the same, with --force


class Data(FrozenModel):
    name: Text
    sha256: Sha256 | None  # of the pixels and labels
    licence: Text


class Model(FrozenModel):
    """The whole of model.json."""

    schema_name: Literal["pocketgan.bundle"] = Field(default="pocketgan.bundle", alias="schema")
    version: Literal[1, 2] = 2
    name: Text
    variant: Text
    file: GeneratorFile
    input: TensorSpec
    output: TensorSpec
    latent: Latent | None  # what is read: either a latent
    picture: PictureInput | None = None  # or a picture
    pixels: Pixels
    seeding: Text | None  # None where no latent is read
    golden: Golden
    gallery: Literal["gallery.html"] | None = None  # a page that draws with the file, in a browser
    quality: BundleQuality
    measurements: tuple[Measurement, ...]
    origin: Origin = Field(alias="made")
    data: Data

    @property
    def height(self) -> int:
        return self.output.shape[1]

    @property
    def picture_width(self) -> int:
        return self.output.shape[2]

    @property
    def channels(self) -> int:
        return self.output.shape[3]

    @property
    def reads(self) -> Latent | PictureInput:
        reads = self.latent or self.picture
        assert reads is not None  # as the first validator says
        return reads

    @model_validator(mode="after")
    def _reads_one_thing(self) -> Self:
        if (self.latent is None) == (self.picture is None):
            raise ValueError("either latent or picture must be there, and the other null")
        if self.version == 1 and (self.picture or (self.latent and self.latent.directions)):
            raise ValueError("version 1 knows neither pictures that are read nor directions")
        if self.version == 1 and self.gallery:
            raise ValueError("version 1 knows no gallery")
        reads = (
            self.latent is not None,
            self.picture is not None,
            self.picture is not None and self.picture.mask,
        )
        golden = self.golden
        if reads != tuple(it is not None for it in (golden.latents, golden.pictures, golden.masks)):
            raise ValueError("golden must name latents, or pictures and their masks, as are read")
        if (self.seeding is None) != (self.latent is None):
            raise ValueError("seeding is for latents, and for nothing else")
        return self

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.latent and self.input.shape != (1, self.latent.width):
            raise ValueError("input.shape must be [1, latent.length + latent.classes]")
        if self.picture and not (len(self.input.shape) == 4 and self.input.shape[0] == 1):
            raise ValueError("input.shape must be [1, height, width, channels]")
        if self.picture and self.input.shape[3] != self.picture.depth:
            raise ValueError("picture.channels and picture.mask do not fit input.shape")
        if len(self.output.shape) != 4 or self.output.shape[0] != 1:
            raise ValueError("output.shape must be [1, height, width, channels]")
        if self.channels != {"grey": 1, "rgb": 3}[self.pixels.channels]:
            raise ValueError("pixels.channels does not fit output.shape")
        if self.picture and (tiles := self.picture.tiles):
            self._check_tiles(tiles)
        return self

    def _check_tiles(self, tiles: Tiles) -> None:
        sides = self.input.shape[1:3]
        if tuple(tiles.scale * side for side in sides) != self.output.shape[1:3]:
            raise ValueError("picture.tiles.scale is not output.shape over input.shape")
        if any(side % tiles.multiple or tiles.overlap >= side for side in sides):
            raise ValueError("picture.tiles does not fit input.shape")
        if tiles.overlap % tiles.multiple:
            raise ValueError("picture.tiles: twice margin must be a multiple of multiple")


def dumps(model: Model) -> bytes:
    """The bytes of ``model.json``; the same model gives the same bytes."""
    values = model.model_dump(mode="json", by_alias=True)
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()


def loads(content: bytes) -> Model:
    """Read a ``model.json``; PocketganError names the field that is at fault."""
    try:
        return Model.model_validate_json(content, strict=True)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        more = f" (and {len(others)} more)" if others else ""
        raise PocketganError(f"{files.MODEL}: {place}: {first['msg']}{more}") from error
