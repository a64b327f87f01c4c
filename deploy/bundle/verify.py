"""Hold a bundle against itself and against the local runtime."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from deploy.bundle import files, schema, sheet
from deploy.bundle.drawing import GeneratorRun, draw, encode, stored_pictures, unwire, wire
from deploy.bundle.files import Contents
from deploy.bundle.signature import is_good
from deploy.errors import PocketganError
from deploy.jobs import weigh
from deploy.web.page import files_of

ALLOWED_STEPS = 8
"""Of an int8 output, for a runtime that rounds neither as LiteRT does with XNNPACK nor as without.
One step in front of tanh is four behind it (TensorFlow Lite's plain kernels against XNNPACK's: 4 at
most, in 210 of 6,272 values of `digits`); behind a bilinear resize it is two steps."""
ALLOWED_SIZE = 0.02
"""Of what a compressor leaves of the file, for one of another version."""
ALLOWED_SHARE = 1 / 255
"""Of the range from black to white, for finer outputs: a level of grey."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How far the golden outputs lie from what the local runtime draws of the same inputs."""

    runtime: str
    reference: str
    """The nearer of the golden outputs: with XNNPACK, or plain, without it."""
    largest: float
    """Steps of an integer output, real units of a float one; 0 where all is equal, bit by bit."""
    unit: str
    differing: int
    """Values that differ at all."""
    values: int

    @property
    def words(self) -> str:
        if not self.differing:
            return "equal, bit by bit" + (", to plain.bin" if self.reference == files.PLAIN else "")
        largest = f"{self.largest:.0f}" if self.unit == "steps" else f"{self.largest:.2g}"
        unit = "step" if largest == "1" else self.unit
        return f"{largest} {unit} apart at most, in {self.differing} of {self.values} values"


@dataclass(frozen=True, kw_only=True)
class BundleCheck:
    """What was found. A bundle is sound if there is no problem."""

    problems: tuple[str, ...]
    model: schema.Model | None = None
    likeness: Likeness | None = None
    covered: int = 0
    """Files that the checksums are of."""
    signed: bool = False
    signature_checked: bool = False


def verify(path: Path, key: Ed25519PublicKey | None = None) -> BundleCheck:
    """Check a bundle's folder or zip: files, checksums, signature, schema, generator, drawings.

    The file runs only if the checksums are right. Raises PocketganError where ``path`` cannot be
    read as a bundle at all.
    """
    contents, problems = files.read(path)
    if files.SUMS not in contents and files.MODEL not in contents:
        raise PocketganError(
            f"{path} holds no bundle: neither {files.SUMS} nor {files.MODEL} is in it.",
            "Name the folder or the zip that `pocketgan bundle` wrote.",
        )
    problems = [*problems, *files.differences(contents), *_signature_problems(contents, key)]
    signed = files.SIGNATURE in contents
    if problems:
        return BundleCheck(problems=tuple(problems), signed=signed)
    try:
        model = schema.loads(contents[files.MODEL])
        problems = [*_mismatches(model, contents)]
        if problems:
            return BundleCheck(problems=tuple(problems), model=model, signed=signed)
        inputs, golden = _golden(model, contents)
        run = draw(contents[files.GENERATOR], inputs)
    except PocketganError as error:
        return BundleCheck(problems=(error.problem,), signed=signed)
    compared = [_compare(run, outputs, name) for name, outputs in golden.items()]
    likeness = min(compared, key=lambda it: (it.largest, it.differing))
    problems = [*_other_tensors(model, run), *_too_far(model, likeness)]
    return BundleCheck(
        problems=tuple(problems),
        model=model,
        likeness=likeness,
        covered=sum(name in files.COVERED for name in contents),
        signed=signed,
        signature_checked=signed and key is not None,
    )


def _signature_problems(contents: Contents, key: Ed25519PublicKey | None) -> Iterator[str]:
    signature = contents.get(files.SIGNATURE)
    if signature is None:
        if key is not None:
            yield f"{files.SIGNATURE} is missing: the bundle is not signed"
    elif len(signature) != 64:
        yield f"{files.SIGNATURE} is not an Ed25519 signature, which has 64 bytes"
    elif key is not None and not is_good(signature, contents.get(files.SUMS, b""), key):
        yield f"{files.SIGNATURE} is not this key's signature of {files.SUMS}"


def _mismatches(model: schema.Model, contents: Contents) -> Iterator[str]:
    """Where model.json does not fit the files beside it, short of running one."""
    generator = contents[files.GENERATOR]
    if model.file.bytes != len(generator):
        yield f"{files.MODEL}: file.bytes is {model.file.bytes}, the file has {len(generator)}"
    if model.file.sha256 != hashlib.sha256(generator).hexdigest():
        yield f"{files.MODEL}: file.sha256 is that of another file"
    yield from _wrong_sizes(model, generator)
    depending = _depending(model)
    for name in files.DEPENDING:
        if name in depending and name not in contents:
            yield f"{name} is missing"
        if name in contents and name not in depending:
            yield f"{name} belongs to no bundle of this kind"
    sources = [name for name in (*files.CODE, files.CARD) if name in contents]
    yield from (f"{name} is empty" for name in sources if not contents[name])
    if not contents[files.SHEET].startswith(b"\x89PNG\r\n\x1a\n"):
        yield f"{files.SHEET} is no PNG"
    if files.GALLERY in contents and generator not in files_of(contents[files.GALLERY]):
        yield f"{files.GALLERY} does not draw with {files.GENERATOR}"


def _wrong_sizes(model: schema.Model, generator: bytes) -> Iterator[str]:
    """Two versions of a compressor give nearly the same size, and seldom the same."""
    sizes = weigh(generator)
    for name in ("bytes_gzip", "bytes_zstd"):
        stored, size = getattr(model.file, name), int(sizes[name])
        if abs(stored - size) > ALLOWED_SIZE * size:
            yield f"{files.MODEL}: file.{name} is {stored}, here it is {size}"


def _depending(model: schema.Model) -> set[str]:
    """Which of the files that only some bundles hold this one must have."""
    golden = {model.golden.latents, model.golden.pictures, model.golden.masks} - {None}
    others = {model.gallery, files.JAVASCRIPT if model.version > 1 else None} - {None}
    return {str(name) for name in golden | others}


def _golden(model: schema.Model, contents: Contents) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The golden inputs, and the outputs by name, all in the file's types.

    Raises PocketganError where they do not fit model.json.
    """
    inputs = (model.golden.count, *model.input.shape[1:])
    outputs = (model.golden.count, *model.output.shape[1:])
    arrays = {
        files.INPUTS: _array(contents, files.INPUTS, model.input.dtype, inputs),
        files.OUTPUTS: _array(contents, files.OUTPUTS, model.output.dtype, outputs),
        files.PLAIN: _array(contents, files.PLAIN, model.output.dtype, outputs),
    }
    if model.picture is None:
        name = files.LATENTS
        stored = encode(_array(contents, name, "float32", inputs), model.input)
    else:
        name = files.PICTURES
        stored = stored_pictures(_pictures(model, contents), model.picture, model.input)
    if wire(stored) != contents[files.INPUTS]:
        raise PocketganError(f"{files.INPUTS} is not {name} by input.scale of model.json")
    return arrays[files.INPUTS], {name: arrays[name] for name in (files.OUTPUTS, files.PLAIN)}


def _array(contents: Contents, name: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return unwire(contents[name], dtype, shape)
    except ValueError as error:
        raise PocketganError(f"{name} does not hold {dtype} {list(shape)}") from error


def _pictures(model: schema.Model, contents: Contents) -> np.ndarray:
    """The golden pictures uint8 [N, h, w, c], their mask as the last channel where there is one."""
    assert model.picture is not None
    count, (height, width) = model.golden.count, model.input.shape[1:3]
    parts = {files.PICTURES: model.picture.colours} | (
        {files.MASKS: 1} if model.golden.masks else {}
    )
    return np.concatenate(
        [
            sheet.unstacked(contents[name], name, (count, height, width, channels))
            for name, channels in parts.items()
        ],
        axis=-1,
    )


def _compare(run: GeneratorRun, golden: np.ndarray, name: str) -> Likeness:
    apart = np.zeros(1)
    if run.outputs.shape == golden.shape and run.outputs.dtype == golden.dtype:
        apart = np.abs(run.outputs.astype(np.float64) - golden.astype(np.float64))
        apart[np.isnan(apart)] = np.inf
    return Likeness(
        runtime=run.runtime,
        reference=name,
        largest=float(apart.max()),
        unit="steps" if run.output.scale else "units",
        differing=int(np.count_nonzero(apart)),
        values=golden.size,
    )


def _other_tensors(model: schema.Model, run: GeneratorRun) -> Iterator[str]:
    """What model.json says of the generator's input and output, and the file does not."""
    for name, described, actual in (
        ("input", model.input, run.input),
        ("output", model.output, run.output),
    ):
        for field in schema.TensorSpec.model_fields:
            here, there = getattr(described, field), getattr(actual, field)
            if here != there:
                yield f"{files.MODEL}: {name}.{field} is {here}, {files.GENERATOR} has {there}"


def _too_far(model: schema.Model, likeness: Likeness) -> Iterator[str]:
    step = model.output.scale or 1.0
    level = ALLOWED_SHARE * (model.pixels.high - model.pixels.low) / step
    allowed = ALLOWED_STEPS if model.output.dtype == "int8" else level
    if likeness.largest > allowed:
        yield (
            f"{likeness.reference}: {likeness.runtime} draws otherwise here: {likeness.words} "
            f"({allowed:.2g} {likeness.unit} are allowed)"
        )
