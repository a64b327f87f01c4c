"""What a finished file reads, where that are pictures: its signature, and some to show it with."""

import numpy as np
import numpy.typing as npt

from deploy.bundle import schema
from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.artifacts import HELD_BACK, INPUT, read_distillation_set, read_samples
from pipeline.data.degrade import HIDDEN
from pipeline.data.picture import as_image, cropped
from pipeline.finished_run import FinishedRun
from pipeline.importers.input_roles import InputKind
from pipeline.networks.pixels import PixelRange
from pipeline.plans import FROM_TEACHER, command_for
from pipeline.tflite.read import read_model
from pipeline.tflite.receptive_field import UnknownReachError, reach

MOST_OVERLAP = 0.8
"""Of a tile's side: beyond it, tiles that must not show a seam would be too many."""
BLENDED = 4
"""The part of a tile's side that is its margin where seams are blended: docs/bundle.md has what
smaller ones leave."""


def picture_read(
    content: bytes, pixels: PixelRange, parts: tuple[InputKind, ...] = ()
) -> schema.PictureInput:
    """The signature of a .tflite that reads pictures, with how it is used in tiles.

    ``parts``: what its channels are, where they are more than a picture or its mask.
    Raises PocketganError where a bundle's code could not feed it.
    """
    depth = read_model(content).subgraphs[0].inputs[0].shape[-1]
    is_known = parts in ((), (InputKind.PICTURE,), (InputKind.PICTURE, InputKind.MASK))
    mask = InputKind.MASK in parts if parts else depth in (2, 4)
    colours = {1: "grey", 3: "rgb"}.get(depth - mask)
    if colours is None or not is_known:
        what = " and ".join(parts) if parts else f"{depth} channels"
        raise PocketganError(
            f"the generator reads {what}; a bundle's code can feed one picture, grey or in colour, "
            "and one mask behind it.",
            "Give the file itself to the app: it tells its pixels' range in its metadata.",
        )
    low, high = pixels
    return schema.PictureInput.model_validate(
        {
            "low": low,
            "high": high,
            "channels": colours,
            "mask": mask,
            "hidden": HIDDEN if mask else None,
            "tiles": tiles_of(content),
        }
    )


def tiles_of(content: bytes) -> schema.Tiles | None:
    """How a picture of any size is drawn in tiles of the file.

    As far as the graph tells how far it looks, tiles overlap so that no seam is left. Where that is
    most of a tile, or not known, they overlap by half and are blended. None where the picture
    drawn is no whole number of times as large as the one that is read.
    """
    graph = read_model(content).subgraphs[0]
    (height, width), output = graph.inputs[0].shape[1:3], graph.outputs[0].shape[1:3]
    scale = output[0] // height
    if not scale or output != (scale * height, scale * width):
        return None
    side = min(height, width)
    blended = schema.Tiles(scale=scale, multiple=1, margin=side // BLENDED, seamless=False)
    try:
        looks = reach(content)
    except UnknownReachError:
        return blended
    if looks.margin is None or height % looks.multiple or width % looks.multiple:
        return blended
    margin = looks.margin
    while 2 * margin % looks.multiple:  # so that the next tile starts at a multiple, too
        margin += 1
    if 2 * margin > MOST_OVERLAP * side:
        return blended
    return schema.Tiles(scale=scale, multiple=looks.multiple, margin=margin, seamless=True)


def example_inputs(run: FinishedRun, picture: schema.PictureInput) -> Images:
    """Pictures that the generator of a run reads and has not learned from: uint8 [N, h, w, c].

    Those that stage evaluate drew; with masks those that were held back for it.
    Raises PocketganError where neither is there.
    """
    if "evaluate" not in run.records:
        raise PocketganError(
            f"{run.folder}: a bundle shows what becomes of pictures, and there are none to show: "
            "stage evaluate has not run.",
            f"Finish the run first: {command_for(run.folder)}",
        )
    if picture.mask and run.plan is FROM_TEACHER:
        return read_distillation_set(run.stage("teacher"), HELD_BACK).inputs
    pictures = read_samples(run.stage("evaluate"))[INPUT]
    if not picture.mask:
        return pictures
    return _with_mask(pictures, (pictures == HIDDEN).all(axis=-1, keepdims=True))


def with_size(inputs: Images, read: schema.PictureInput, size: tuple[int, int]) -> Images:
    """Inputs [N, h, w, c] with that height and width: the largest part in their middle, resized."""
    if inputs.shape[1:3] == size:
        return inputs
    colours = read.colours
    resized = np.stack([cropped(as_image(each), size) for each in inputs[..., :colours]])
    if not read.mask:
        return resized
    masks = np.stack([cropped(as_image(each), size) for each in inputs[..., colours:]])
    hidden = masks > 127
    return _with_mask(np.where(hidden, np.uint8(read.hidden or 0), resized), hidden)


def _with_mask(pictures: Images, hidden: npt.NDArray[np.bool_]) -> Images:
    """Pictures with one channel more: 255 where they are ``hidden`` [N, H, W, 1], else 0."""
    return np.concatenate([pictures, np.where(hidden, np.uint8(255), np.uint8(0))], axis=-1)
