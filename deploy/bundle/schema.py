"""The schema of ``model.json``: all that code needs to feed a generator and to read its output."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from deploy.bundle import files
from deploy.errors import PocketganError
from deploy.jobs import Count, FrozenModel, Measurement, NotNegative, Sha256, Share, Size

Text = Annotated[str, Field(min_length=1)]


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


class Latent(FrozenModel):
    """An input vector: ``length`` numbers of the prior, then the class, one-hot."""

    length: Count
    prior: Literal["normal"] = "normal"
    classes: Size
    class_names: tuple[str, ...]

    @property
    def width(self) -> int:
        return self.length + self.classes

    @model_validator(mode="after")
    def _every_class_has_a_name(self) -> Self:
        if len(self.class_names) != self.classes:
            raise ValueError("there must be as many class_names as classes")
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
    """Latents with the exact bytes that were drawn of them."""

    count: Count
    latents: Literal["golden/latents.f32"] = "golden/latents.f32"
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
    version: Literal[1] = 1
    name: Text
    variant: Text
    file: GeneratorFile
    input: TensorSpec
    output: TensorSpec
    latent: Latent
    pixels: Pixels
    seeding: Text
    golden: Golden
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

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.input.shape != (1, self.latent.width):
            raise ValueError("input.shape must be [1, latent.length + latent.classes]")
        if len(self.output.shape) != 4 or self.output.shape[0] != 1:
            raise ValueError("output.shape must be [1, height, width, channels]")
        if self.channels != {"grey": 1, "rgb": 3}[self.pixels.channels]:
            raise ValueError("pixels.channels does not fit output.shape")
        return self


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
