"""Whether a generator draws pictures, each time the same."""

import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import PocketganError, one_line, printable
from pipeline.channel_order import COLOURS
from pipeline.importers import alpha
from pipeline.importers.input_adapter import InputAdapter
from pipeline.importers.loaded import TRIAL_INPUTS, LoadedGenerator, alike
from pipeline.importers.missing import MissingFact, MissingFactsError, StatedFacts
from pipeline.importers.model_input import shape_text

_EARLY = re.compile(r"coarse|rough|aux|side|_1$", re.IGNORECASE)
"""The output of a first stage, beside that of a later one."""
_GENERATOR = "Give the generator: latents (or pictures) go in, pictures [N, H, W, C] come out."
_FLAG_OFF = (
    "Save it without that flag: import tf_keras; old = tf_keras.models.load_model(FILE); "
    "new = tf_keras.models.model_from_json(old.to_json().replace('\"training\": true', "
    "'\"training\": false')); new.set_weights(old.get_weights()); new.save('generator.h5')"
)
_EVALUATE = "Export it as it draws: generator.eval() before torch.onnx.export(generator, ...)."
_COLOURS_ALONE = (
    "If they are the colours of Lab or YCbCr without the luma, end the model with the layers that "
    "make red, green and blue of them and of the picture that it reads."
)
_WORKED_ON = (
    "If code outside of the model makes the picture of them, such as curves that are applied to "
    "the one that is read, let the model end with layers that do that."
)
_CHANNELS_LAST = "Build it with data_format 'channels_last'; TFLite has no other."


class DrawsByChanceError(PocketganError):
    """It draws another picture from the same input each time."""


def try_out(
    path: Path, loaded: LoadedGenerator, adapter: InputAdapter, facts: StatedFacts
) -> np.ndarray:
    """Let it draw twice; PocketganError if it fails or gives no pictures, DrawsByChanceError if it
    differs.

    Returns what it drew: pictures [N, H, W, C], floats or uint8.

    Raises MissingFactsError where ``facts`` do not say which of several outputs is the picture, or
    what colour with alpha is laid on.
    """
    count = loaded.batch or TRIAL_INPUTS
    inputs = adapter.source_inputs(adapter.random_inputs(count))
    try:
        outputs, again = ([np.asarray(v) for v in loaded.compute(*inputs)] for _ in range(2))
    except Exception as error:  # whatever a foreign model raises
        raise PocketganError(
            f"{path} does not draw: {type(error).__name__}: {one_line(error, 300)}",
            "Call it once on a batch, as it is saved, and mend what fails there.",
        ) from error
    if len(outputs) != 1 and facts.output is None:
        raise _several_outputs(path, loaded, outputs)
    if loaded.output >= len(outputs):
        raise PocketganError(
            f"{path} has {len(outputs)} outputs, and no output_{loaded.output + 1}.",
            "Mend --output.",
        )
    first, second = outputs[loaded.output], again[loaded.output]
    _refuse_without_batch(path, first, count)
    _refuse_other_than_pictures(path, first, reads_pictures=not adapter.latent)
    _refuse_alpha(path, first.shape[-1], facts)
    if len(first) != count:
        raise PocketganError(
            f"{path} draws {len(first)} pictures of {count} inputs: something in it joins "
            "or reshapes along the first axis, which is the batch.",
            "Name the axis there: keras.ops.concatenate, for one, takes the first unless axis=-1 "
            "says otherwise.",
        )
    if not np.isfinite(first.astype(np.float32)).all():
        raise PocketganError(
            f"{path} draws numbers that are not finite.", "Give an earlier checkpoint."
        )
    _refuse_chance(path, loaded, inputs=inputs, first=first, second=second)
    return first


def _refuse_chance(
    path: Path, loaded: LoadedGenerator, *, inputs: list[Any], first: np.ndarray, second: np.ndarray
) -> None:
    """PocketganError where the two drawings of the same inputs differ, or hang on their batch."""
    named = ", ".join(f"'{name}'" for name in loaded.as_in_training)
    named = f" (layer {named} is called with training=True)" if named else ""
    as_it_draws = _FLAG_OFF if loaded.program is None else _EVALUATE
    if not alike(first, second):
        raise DrawsByChanceError(
            f"{path} draws another picture from the same input each time: a layer of it is random "
            f"at inference too, such as noise injection{named}.",
            as_it_draws
            if named
            else "Give the noise a fixed value, or make it part of the latents.",
        )
    if loaded.batch is None and not _draws_each_alone(loaded, inputs, first):
        raise PocketganError(
            f"{path} draws a picture otherwise when other inputs are in its batch{named}: a batch "
            "norm, perhaps, that takes the statistics of the batch.",
            as_it_draws if named else "Save it with training=False, as it is meant to draw.",
        )


def _draws_each_alone(loaded: LoadedGenerator, inputs: list[Any], pictures: np.ndarray) -> bool:
    """Whether the first of several pictures is the same if it is drawn alone."""
    first = [
        tensor[:1] if each.has_batch else tensor
        for tensor, each in zip(inputs, loaded.inputs, strict=True)
    ]
    alone = np.asarray(loaded.picture(*first))
    return alike(pictures[:1], alone, loaded.precision)


def _several_outputs(
    path: Path, loaded: LoadedGenerator, outputs: Sequence[np.ndarray]
) -> PocketganError:
    """Which one is the picture: the largest that could be one is proposed, in colour if any is."""
    names = loaded.named_outputs(len(outputs))
    shapes = [values.shape[1:] for values in outputs]
    pictures = [i for i, shape in enumerate(shapes) if len(shape) == 3 and shape[-1] in COLOURS]
    listed = ", ".join(
        f"'{printable(name)}' {shape_text(shape)}"
        for name, shape in zip(names, shapes, strict=True)
    )
    if not pictures:
        return PocketganError(f"{path} has {len(outputs)} outputs ({listed}).", _GENERATOR)

    def rank(index: int) -> tuple[int, ...]:
        height, width, channels = shapes[index]
        return channels != alpha.CHANNELS, height, width, not _EARLY.search(names[index]), channels

    likely = names[max(pictures, key=rank)]
    fact = MissingFact(
        problem=f"it has {len(outputs)} outputs ({listed}), and which one is the picture is not "
        "known",
        option=f"--output {shlex.quote(printable(likely))}",
        guess={"output": likely},
    )
    return MissingFactsError(path, [fact])


def _refuse_alpha(path: Path, channels: int, facts: StatedFacts) -> None:
    """MissingFactsError for alpha that is laid on nothing, PocketganError where there is none."""
    has_alpha = channels == alpha.CHANNELS
    if has_alpha and not facts.on_white:
        raise MissingFactsError(path, [alpha.ON_WHITE])
    if facts.on_white and not has_alpha:
        raise PocketganError(
            f"{path} draws pictures of {channels} channels, without alpha.", "Leave --on-white out."
        )


def _refuse_without_batch(path: Path, output: np.ndarray, count: int) -> None:
    """PocketganError for pictures whose batch of one was taken away.

    Those that were drawn one by one stand one behind the other.
    """
    if len(output.shape) != 3 or len(output) == count:
        return
    rows, last = output.shape[0], output.shape[-1]
    if {rows, rows / count, last} & {*COLOURS}:
        shape = shape_text(output.shape, has_batch=False)
        raise PocketganError(
            f"{path} gives {shape} of {count} inputs: pictures without a batch.",
            "Let it give [N, H, W, C], in PyTorch [N, C, H, W]: leave out the squeeze, or the [0], "
            "at its end.",
        )


def _refuse_other_than_pictures(path: Path, output: np.ndarray, *, reads_pictures: bool) -> None:
    """PocketganError unless what it gives is pictures."""
    shape, dtype = output.shape[1:], output.dtype.name
    gives, is_vector = f"gives {shape_text(shape)}", len(shape) == 1
    first, length = (shape[0], shape[-1]) if shape else (0, 0)
    for is_wrong, problem, remedy in (
        (shape == (1,), "gives one number for each input: this is a discriminator.", _GENERATOR),
        (
            is_vector and reads_pictures,
            f"reads pictures and {gives}: this is a classifier or an encoder.",
            _GENERATOR,
        ),
        (
            is_vector,
            f"{gives}: vectors, no pictures.",
            _unflattened(length),
        ),
        (
            len(shape) == 2,
            f"{gives}: a sequence, or pictures without channels.",
            "End a generator of grey pictures with Reshape((H, W, 1)), in PyTorch with "
            ".unsqueeze(1); sequences are not drawn.",
        ),
        (len(shape) != 3, f"{gives}, which is no picture.", _GENERATOR),
        (0 in shape, f"{gives}: pictures without a pixel.", _GENERATOR),
        (
            length not in COLOURS,
            f"{gives}: pictures have 1 or 3 channels, or 4 with alpha, at the end.",
            _of_other_channels(first, length, reads_pictures=reads_pictures),
        ),
        (
            not dtype.startswith(("float", "bfloat", "uint8")),
            f"gives numbers of type {dtype}, and pictures are floats or uint8.",
            "Let the model end in floats, or in uint8 from 0 to 255.",
        ),
    ):
        if is_wrong:
            raise PocketganError(f"{path} {problem}", remedy)


def _of_other_channels(first: int, last: int, *, reads_pictures: bool) -> str:
    """What to do about maps of ``last`` channels, or of ``first`` if those stand in front."""
    if reads_pictures and 2 in (first, last):
        return _COLOURS_ALONE
    if reads_pictures and first not in COLOURS:
        return _WORKED_ON
    return _CHANNELS_LAST if first in COLOURS else _GENERATOR


def _unflattened(length: int) -> str:
    """How pictures laid flat become pictures: of 28×28, where the length is that of a square."""
    height, width, channels = "HWC"
    for count in COLOURS:
        side = math.isqrt(length // count)
        if side > 1 and side * side * count == length:
            height, width, channels = str(side), str(side), str(count)
            break
    keras = f"keras.Sequential([model, keras.layers.Reshape(({height}, {width}, {channels}))])"
    torch = f"torch.nn.Sequential(model, torch.nn.Unflatten(1, ({channels}, {height}, {width})))"
    return f"If they are pictures laid flat, save {keras}, or export {torch}."
