"""What the generator of a run reads: latents of its prior, or pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images, visible_channels
from pipeline.artifacts import HELD_BACK, PAIRS, REFERENCE, read_distillation_set
from pipeline.data.folder import NO_CLASSES
from pipeline.importers.facts import read_facts, read_inputs, read_parts
from pipeline.importers.input_roles import InputPart, mask_of
from pipeline.metrics.trivial import mask_behind
from pipeline.networks.pixels import TRANSLATED, PixelRange
from pipeline.networks.settings import ImageShape
from pipeline.networks.translators import TranslatorShape
from pipeline.stage import StageContext
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import Prior, Purpose, latents


def pairs_of(ctx: StageContext, *, test: bool = False) -> DistillationSet | None:
    """The pairs of pictures to train on, or to judge by; None where no pictures are read.

    Of two domains that no pairs connect what is read stands for what is drawn, too.
    """
    data = ctx.dataset
    inputs, pictures = (data.test_inputs, data.test) if test else (data.train_inputs, data.train)
    if inputs is None:
        return None
    return DistillationSet(inputs, pictures if data.aligned else inputs, 0, TRANSLATED)


def translator_shape(ctx: StageContext) -> TranslatorShape | None:
    """What a translator that is trained here reads and draws; None for a generator of latents."""
    pairs = pairs_of(ctx)
    if pairs is None:
        return None
    (height, width, channels), image = pairs.inputs.shape[1:], pairs.pictures.shape[1:]
    return TranslatorShape(
        source=(height, width, channels),
        image=(image[0], image[1], image[2]),
        source_pixels=TRANSLATED,
        pixels=TRANSLATED,
    )


def generator_inputs(ctx: StageContext, purpose: Purpose, count: int) -> np.ndarray:
    """What the generator of this run reads, float32 [count, …]: latents of its prior, or pictures.

    Of pictures there are as many as there are, none twice: for calibration those that it learned
    from, for a teacher's search another part, for all else those that are held back.
    """
    if "teacher" not in ctx.stage.needs:
        pairs = pairs_of(ctx, test=purpose is not Purpose.CALIBRATION)
    elif reads_pictures(ctx):
        file = _PARTS.get(purpose, HELD_BACK)
        pairs = read_distillation_set(ctx.inputs["teacher"], file)
    else:
        pairs = None
    if pairs is not None:
        return pairs.readable(slice(count))
    return latents(ctx.recipe.seed, purpose, count=count, prior=prior(ctx))


_PARTS = {Purpose.CALIBRATION: PAIRS, Purpose.SEARCH: REFERENCE}


def reads_pictures(ctx: StageContext) -> bool:
    """Whether the generator does: those of a folder, or those that it was trained on."""
    return ctx.recipe.teacher.inputs is not None or ctx.recipe.data.translated


class HeldBack(NamedTuple):
    """Pictures that a translator reads and has not seen, and what they should become."""

    inputs: Images
    """uint8 [N, h, w, c]."""
    truth: Images | None
    """uint8 [N, H, W, C]; None where nobody knows."""
    mask: int | None = None
    """Which channel of ``inputs`` hides the picture; None where none does."""
    parts: tuple[InputPart, ...] = ()
    """What their channels are; empty where only a mask may be behind the picture."""

    @property
    def visible(self) -> int:
        """As ``channels_to_show``; a mask behind a picture is seen as its grey hole."""
        return channels_to_show(self.inputs, self.parts)


def channels_to_show(inputs: Images, parts: Sequence[InputPart]) -> int:
    """Of inputs [N, h, w, c] and their parts: channels of the first picture that can be shown."""
    return visible_channels(parts[0].size if parts else inputs.shape[-1])


def held_back(ctx: StageContext) -> HeldBack | None:
    """The test pictures of a translator; None where the generator reads latents."""
    if "teacher" not in ctx.stage.needs:
        pairs = pairs_of(ctx, test=True)
        if pairs is None:
            return None
        truth = pairs.pictures if ctx.dataset.aligned else None
        mask = mask_behind(pairs.inputs, ctx.recipe.data.channels)
        return HeldBack(pairs.inputs, truth, mask)
    if not reads_pictures(ctx):
        return None
    inputs = read_distillation_set(ctx.inputs["teacher"], HELD_BACK).inputs
    # Of inputs out of a folder of their own nobody knows the truth, whatever the data is.
    has_truth = ctx.recipe.teacher.inputs is None and ctx.dataset.aligned
    truth = ctx.dataset.test if has_truth else None
    if ctx.recipe.teacher.inputs is None:
        return HeldBack(inputs, truth, mask_behind(inputs, ctx.recipe.data.channels))
    parts = input_parts(ctx)
    return HeldBack(inputs, truth, mask_of(parts), parts)


def examples(ctx: StageContext) -> tuple[Images, Images] | None:
    """What a translator learned from: inputs uint8 [N, h, w, c] and pictures uint8 [N, H, W, C].

    None where the generator reads latents, and of two domains that no pairs connect.
    """
    if "teacher" not in ctx.stage.needs:
        pairs = pairs_of(ctx) if ctx.dataset.aligned else None
    elif ctx.recipe.teacher.inputs or (ctx.recipe.data.translated and ctx.dataset.aligned):
        pairs = read_distillation_set(ctx.inputs["teacher"], PAIRS)
    else:
        pairs = None
    return None if pairs is None else (pairs.inputs, pairs.pictures)


def input_pixels(ctx: StageContext) -> PixelRange | None:
    """Black and white in the pictures that the generator reads; None where it reads latents."""
    if "teacher" not in ctx.stage.needs:
        return None if pairs_of(ctx) is None else TRANSLATED
    if not reads_pictures(ctx):
        return None
    return read_inputs(ctx.inputs["teacher"]).input_pixels


def input_parts(ctx: StageContext) -> tuple[InputPart, ...]:
    """What the channels of the pictures that a teacher reads are; empty where all are a picture."""
    if "teacher" not in ctx.stage.needs or ctx.recipe.teacher.inputs is None:
        return ()
    return read_parts(read_facts(ctx.inputs["teacher"]))


def prior(ctx: StageContext) -> Prior:
    """What latents are drawn from in this run: classes in the shares of the data, codes evenly."""
    settings, count = ctx.recipe.generator, class_count(ctx)
    if settings.codes.discrete or not count:
        return Prior.even(settings.latent, count)
    return Prior(settings.latent, ctx.dataset.class_weights)


def class_count(ctx: StageContext) -> int:
    """Classes that the generator can be asked for, or values of its discrete code; else 0."""
    settings = ctx.recipe.generator
    if settings.codes.discrete or not settings.conditional:
        return int(settings.codes.discrete)
    if not ctx.dataset.classes:
        raise PocketganError(
            ". ".join(
                [
                    f"generator.conditional: the pictures of '{ctx.dataset.name}' have no classes",
                    *(note for note in ctx.dataset.notes if note.startswith(NO_CLASSES)),
                ]
            )
            + ".",
            "Put each class in a sub-folder of its own, or set generator.conditional to false.",
        )
    return len(ctx.dataset.classes)


def image_shape(ctx: StageContext) -> ImageShape:
    """What generator and discriminator agree on."""
    height, width, channels = ctx.recipe.data.shape
    return ImageShape(height, channels, class_count(ctx), width)


def batched_inputs(ctx: StageContext, purpose: Purpose, count: int) -> np.ndarray:
    """As ``generator_inputs``: ``count`` or a few more, as many as fill the batches of the files.

    Of pictures, where there are no more, a few fewer.
    """
    batch = int(ctx.recipe.convert.batch)
    inputs = generator_inputs(ctx, purpose, -(-count // batch) * batch)
    return inputs[: len(inputs) // batch * batch]
