"""A teacher: a trained generator of any origin, loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError, one_line
from pipeline import guard
from pipeline.compression.fold import fold_batch_norm
from pipeline.data.reading import TILES, WHOLE
from pipeline.determinism import as_stored
from pipeline.importers import alpha, lone_norms, pixel_range
from pipeline.importers.border import with_missing_border
from pipeline.importers.formats import GeneratorSource
from pipeline.importers.input_adapter import InputAdapter, random_inputs
from pipeline.importers.input_joining import adapt_inputs
from pipeline.importers.input_roles import InputPart, InputRole, numbers_text
from pipeline.importers.layer_mapping import GraphRebuilder, SourceLayer, UnmappedLayerError
from pipeline.importers.loaded import TRIAL_INPUTS, LoadedGenerator, difference
from pipeline.importers.merging import merged
from pipeline.importers.missing import MissingFact, MissingFactsError, StatedFacts
from pipeline.importers.missing_inputs import size_for
from pipeline.importers.noise import with_fixed_noise
from pipeline.importers.opaque import OpaqueGenerator, freeze_generator
from pipeline.importers.opening import open_generator
from pipeline.importers.trial import DrawsByChanceError, try_out
from pipeline.networks.pixels import PixelRange

_DOES_NOT_DRAW = (
    "Let it draw a batch with the library that wrote it, on this machine: mend what fails there."
)


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A generator as everything else wants it, whatever it was before."""

    model: tf_keras.Model
    """For inference only. One input: latents float32 [N, latent + classes], the class one-hot at
    the end, or pictures float32 [N, H, W, C]. One output: pictures float32 [N, H', W', C']."""
    latent: int
    """0 for a generator that reads pictures."""
    classes: int
    """0 for an unconditional generator."""
    pixels: PixelRange
    """Black and white in what it draws."""
    input_pixels: PixelRange | None
    """Black and white in the pictures that it reads; None where it reads latents."""
    origin: str
    """Where it comes from, in words."""
    notes: tuple[str, ...] = ()
    """What was rewritten while loading, in words."""
    layers: tuple[SourceLayer, ...] = ()
    """The layers of the file, in order, and what became of each."""
    opaque: OpaqueGenerator | None = None
    """What draws an opaque teacher, of which nothing else is known; else None."""
    parts: tuple[InputPart, ...] = ()
    """What the entries or channels of its one input are, in order; empty where it is not known."""

    @property
    def is_opaque(self) -> bool:
        """Whether it is one layer that draws, and no graph of layers that could be slimmed."""
        return self.opaque is not None

    @cached_property
    def folded(self) -> tf_keras.Model:
        """The model with its batch norm in its kernels, where it has layers.

        It is what .tflite files are made of. Raises PocketganError where another runtime draws it.
        """
        if self.opaque is not None and self.opaque.program is not None:
            raise self.opaque.program.unconverted()
        return self.model if self.is_opaque else fold_batch_norm(self.model)

    @cached_property
    def cuttable(self) -> tf_keras.Model:
        """What students are cut out of: without what only rescales its pictures at the end."""
        if self.is_opaque or not self.latent:
            return self.model
        is_told = pixel_range.output_range(self.model) == self.pixels
        return pixel_range.without_rescaling(self.model) if is_told else self.model

    @cached_property
    def cuttable_folded(self) -> tf_keras.Model:
        """The same without the batch norms that fold away: what slimming asks of its layers."""
        return self.folded if self.cuttable is self.model else fold_batch_norm(self.cuttable)

    def cut(self, wanted: str) -> str:
        """How photos become its inputs: as ``wanted``, or where that is "auto" as suits it.

        Tiles where it enlarges, since shrinking a photo would sharpen it; else whole pictures.
        """
        if wanted != "auto":
            return wanted
        return TILES if self.model.output_shape[1] > self.model.input_shape[1] else WHOLE

    def random_inputs(self, count: int, seed: int = 1) -> np.ndarray:
        """Inputs float32 [count, …]: the normal prior and any class, or noise, black to white."""
        return random_inputs(
            count,
            self.latent,
            shape=self.model.input_shape[1:],
            classes=self.classes,
            pixels=self.input_pixels or (0.0, 1.0),
            seed=seed,
        )


def load_teacher(
    source: Path | GeneratorSource,
    *,
    classes: int | None = None,
    pixels: PixelRange | None = None,
    input_pixels: PixelRange | None = None,
    input_size: tuple[int, int] | None = None,
    inputs: Mapping[str, InputRole] | None = None,
    signature: str | None = None,
    output: str | None = None,
    on_white: bool = False,
    allow_unsafe: bool = False,
    custom: Path | None = None,
) -> Teacher:
    """A generator from a file of Keras 2 or 3, a SavedModel, a model of TensorFlow.js, or a run.

    Layers of Keras 3 become those of tf_keras, and the outputs are compared; where tf_keras lacks
    a layer, the forward function as a whole becomes an opaque layer. ``classes`` is the number of
    classes at the end of the latent vector, ``pixels`` and ``input_pixels`` are black and white
    where the model does not say. ``input_size`` is the height and width of the pictures that a
    generator reads which takes any; ``inputs`` says what goes into inputs by name, ``signature``
    which network of a file draws, ``output`` which output is the picture, ``on_white`` that colour
    with alpha is laid on white. ``custom`` is a Python file of the user's that defines layers; it
    is run.
    With ``allow_unsafe`` so is code within the model.

    Raises PocketganError, with a remedy, for whatever is no generator of pictures, and for files
    that would run code; MissingFactsError, once, for all that the file does not say.
    """
    if isinstance(source, Path):
        source = GeneratorSource(path=source, file=source)
    facts = StatedFacts(
        classes=classes,
        pixels=pixels,
        input_pixels=input_pixels,
        input_size=input_size,
        inputs=dict(inputs or {}),
        signature=signature,
        output=output,
        on_white=on_white,
    )
    with as_stored():
        return _with_guesses(source, facts, custom, allow_unsafe=allow_unsafe)


def _with_guesses(
    source: GeneratorSource, facts: StatedFacts, custom: Path | None, *, allow_unsafe: bool
) -> Teacher:
    """The generator; MissingFactsError for all at once that is missing to load it."""
    missing: list[MissingFact] = []
    teacher: Teacher | None = None
    while teacher is None:
        try:
            teacher = _load(source, facts, custom, allow_unsafe=allow_unsafe)
        except MissingFactsError as error:
            # Goes on with guesses, to find out what else is missing.
            further = [fact for fact in error.missing if fact not in missing]
            if not further:
                break  # the guess did not help
            missing += further
            for fact in further:
                facts = fact.guessed(facts)
        except PocketganError:
            if not missing:
                raise
            break
    if teacher is not None and not missing:
        return teacher
    if teacher is not None and not teacher.latent:
        scale = teacher.model.output_shape[1] // teacher.model.input_shape[1]
        missing = [size_for(fact, scale) for fact in missing]
    raise MissingFactsError(source.path, missing, teacher)


def _load(
    source: GeneratorSource, facts: StatedFacts, custom: Path | None, *, allow_unsafe: bool
) -> Teacher:
    """The generator, with nothing but these facts beside its file."""
    path = source.path
    loaded = open_generator(source, custom, facts=facts, allow_unsafe=allow_unsafe)
    if facts.classes is None and source.latent is not None:
        length = int(loaded.inputs[0].shape[0] or 0)
        facts = replace(facts, classes=length - source.latent)
    reads = pixel_range.ranges_in_file(loaded.functional)
    if source.input_pixels is not None:
        reads = {each.name: source.input_pixels for each in loaded.inputs}
    adapter = adapt_inputs(path, loaded.inputs, facts, reads)
    loaded, trial = _tried_out(path, loaded, adapter, facts)
    adapter = with_missing_border(adapter, trial.shape[1:3])
    network = _network(path, loaded, adapter)
    ranges = pixel_range.chosen_ranges(
        path,
        facts,
        draws=pixel_range.BYTES if trial.dtype == np.uint8 else network.draws,
        # Marks are scaled already, by the range that the file says.
        reads=adapter.pixels if adapter.has_marks else network.reads or adapter.pixels,
        latent=adapter.latent,
        marks=adapter.has_marks,
        trial=trial,
    )
    fixed = (
        f"its input '{name}' is {numbers_text(values)} for all pictures"
        for name, values in loaded.fixed.items()
    )
    if facts.on_white:
        network = _on_white(network, ranges.draws)
    return Teacher(
        model=network.model,
        latent=adapter.latent,
        classes=adapter.classes,
        pixels=ranges.draws,
        input_pixels=ranges.reads,
        origin=loaded.origin,
        notes=(*adapter.notes, *fixed, *loaded.notes, *network.notes),
        layers=network.layers,
        opaque=network.opaque,
        parts=adapter.parts,
    )


def _tried_out(
    path: Path, loaded: LoadedGenerator, adapter: InputAdapter, facts: StatedFacts
) -> tuple[LoadedGenerator, np.ndarray]:
    """The generator, its noise fixed if it draws any for itself, and some pictures of it."""
    with guard.step("drawn with", path, _DOES_NOT_DRAW):
        try:
            return loaded, try_out(path, loaded, adapter, facts)
        except DrawsByChanceError as error:
            # Of what is called as in training the mean is another, and its owner may not know it.
            fixed = None if loaded.as_in_training else with_fixed_noise(loaded)
            if fixed is None:
                raise
            try:
                return fixed, try_out(path, fixed, adapter, facts)
            except PocketganError:
                raise error from None  # the mean is none of its noises, or divides by itself


@dataclass(frozen=True, kw_only=True)
class _Network:
    """A generator of layers of tf_keras, or of one opaque layer, and what could be read off it."""

    model: tf_keras.Model
    layers: tuple[SourceLayer, ...]
    notes: tuple[str, ...]
    reads: PixelRange | None = None
    draws: PixelRange | None
    opaque: OpaqueGenerator | None = None


def _on_white(network: _Network, pixels: PixelRange) -> _Network:
    """The same network, what it draws with alpha in that range laid on white."""
    notes = (alpha.NOTE, *network.notes)
    if network.opaque is None:
        return replace(network, model=alpha.on_white(network.model, pixels), notes=notes)
    opaque = replace(network.opaque, on_white=pixels)
    return replace(network, model=opaque.model(), opaque=opaque, notes=notes)


def _network(path: Path, loaded: LoadedGenerator, adapter: InputAdapter) -> _Network:
    """Rebuilt of layers; where that cannot be, the forward function as a whole."""
    try:
        return _rebuild(path, loaded, adapter)
    except UnmappedLayerError as error:
        with guard.step("frozen", path, _DOES_NOT_DRAW):
            model, opaque, last_operation = freeze_generator(path, loaded, adapter)
        return _Network(
            model=model,
            layers=loaded.layers,
            notes=(f"opaque, known by what it draws only: {error}",),
            draws=pixel_range.OPERATION_RANGES.get(last_operation),
            opaque=opaque,
        )


def _rebuild(path: Path, loaded: LoadedGenerator, adapter: InputAdapter) -> _Network:
    """The generator of layers of tf_keras; UnmappedLayerError where that cannot be."""
    if loaded.functional is None:
        raise UnmappedLayerError(loaded.why_opaque)
    with guard.step("rebuilt", path, _DOES_NOT_DRAW):
        return _rebuilt(loaded, adapter)


def _rebuilt(loaded: LoadedGenerator, adapter: InputAdapter) -> _Network:
    port = tf_keras.Input(adapter.shape, name="latent" if adapter.latent else "pictures")
    own_inputs = adapter.split(port)
    before = tf_keras.Model(port, own_inputs)
    rebuilder = GraphRebuilder(layer.name for layer in before.layers)
    try:
        output = rebuilder.outputs(loaded.functional, own_inputs)[loaded.output]
        model = tf_keras.Model(port, output, name="teacher")
        rebuilder.copy_weights()
        names = {layer.name for layer in model.layers}  # not those of other outputs
        sources = [
            each for each in rebuilder.source_layers if not each.became or names & set(each.became)
        ]
        reads, model = pixel_range.input_range(model), merged(model)
        sources = [lone_norms.noted(each, model) for each in sources]
    except (ValueError, TypeError, AttributeError, tf.errors.OpError) as error:
        raise UnmappedLayerError(
            f"it cannot be rebuilt of tf_keras layers ({one_line(error, 200)})"
        ) from error
    inputs = adapter.random_inputs(TRIAL_INPUTS)
    pictures = np.asarray(model(inputs, training=False))
    apart = difference(loaded, adapter.source_inputs(inputs), pictures)
    if apart is not None:
        raise UnmappedLayerError(f"rebuilt of tf_keras layers it draws otherwise (by {apart:.2g})")
    return _Network(
        model=model,
        layers=tuple(sources),
        notes=tuple(f"{layer.name}: {layer.note}" for layer in sources if layer.note),
        reads=reads,
        draws=pixel_range.output_range(model),
    )
