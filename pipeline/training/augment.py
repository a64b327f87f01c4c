"""Random changes of pictures, for small data.

Differentiable augmentation (Zhao 2020): the discriminator sees real and generated pictures through
the same random changes, so it cannot learn the few real ones by heart, and the generator does not
learn the changes. And what is read is mirrored and moved together with what is to be drawn of it.
Pictures are float32 [N, H, W, C] everywhere.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from deploy.errors import PocketganError, one_of
from pipeline.arrays import Tensor
from pipeline.training.randomness import split_seed

SHIFT = 0.125  # of the side, as in the paper
CUTOUT = 0.5  # of the side, as in the paper


def _shift(pictures: Tensor, seed: Tensor) -> Tensor:
    """Each picture moved by up to an eighth of its height, rounded, both ways: of the width too.

    Border values fill the gap, where Zhao 2020 has zeros.
    """
    return _moved(pictures, _moves(pictures, round(pictures.shape[1] * SHIFT), seed))


def _moves(pictures: Tensor, reach: int, seed: Tensor) -> Tensor:
    """How many rows and columns each picture is moved: int32 [2, N, 1]."""
    shape = [2, pictures.shape[0], 1]
    return tf.random.stateless_uniform(shape, seed, -reach, reach + 1, tf.int32)


def _moved(pictures: Tensor, moves: Tensor) -> Tensor:
    height, width = pictures.shape[1], pictures.shape[2]
    rows = tf.clip_by_value(tf.range(height)[None] + moves[0], 0, height - 1)
    columns = tf.clip_by_value(tf.range(width)[None] + moves[1], 0, width - 1)
    moved = tf.gather(pictures, rows, axis=1, batch_dims=1)
    return tf.gather(moved, columns, axis=2, batch_dims=1)


def _cutout(pictures: Tensor, seed: Tensor) -> Tensor:
    """A box of half the height and half the width, anywhere, is set to 0."""
    count, height, width = pictures.shape[0], pictures.shape[1], pictures.shape[2]
    centre = tf.random.stateless_uniform([2, count, 1], seed)
    rows = tf.abs(tf.range(height, dtype=tf.float32)[None] - centre[0] * height)
    columns = tf.abs(tf.range(width, dtype=tf.float32)[None] - centre[1] * width)
    inside = (rows[:, :, None] < height * CUTOUT / 2) & (columns[:, None, :] < width * CUTOUT / 2)
    return pictures * tf.cast(~inside, tf.float32)[..., None]


def _brightness(pictures: Tensor, seed: Tensor) -> Tensor:
    """0.5 at most, a quarter of −1..1, is added to or taken from all pixels of a picture."""
    return pictures + tf.random.stateless_uniform([pictures.shape[0], 1, 1, 1], seed, -0.5, 0.5)


def _mirror(pictures: Tensor, seed: Tensor) -> Tensor:
    """Half of the pictures, left to right: not for letters and digits, which would be drawn so."""
    return mirrored([pictures], seed)[0]


AUGMENTATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "shift": _shift,
    "cutout": _cutout,
    "brightness": _brightness,
    "mirror": _mirror,
}


def check_names(names: Sequence[str]) -> None:
    """PocketganError for a name that is not an augmentation."""
    for name in names:
        if name not in AUGMENTATIONS:
            raise PocketganError(
                f"train.augment: there is no augmentation called '{name}'.",
                one_of(name, AUGMENTATIONS),
            )


def augment(pictures: Tensor, names: Sequence[str], seed: Tensor) -> Tensor:
    """The named changes one after the other, each with a seed of its own."""
    for number, name in enumerate(names):
        pictures = AUGMENTATIONS[name](pictures, split_seed(seed, number))
    return pictures


def mirrored(pictures: Sequence[Tensor], seed: Tensor) -> list[Tensor]:
    """Pictures that belong together, half of them left to right, all of one row or none."""
    coin = tf.random.stateless_uniform([pictures[0].shape[0], 1, 1, 1], seed)
    return [tf.where(coin < 0.5, each, tf.reverse(each, [2])) for each in pictures]


def moved_together(inputs: Tensor, targets: Tensor, reach: int, seed: Tensor) -> list[Tensor]:
    """Pairs moved by up to ``reach`` pixels of the inputs; targets that are larger move as far.

    As random crops of pictures with a margin (Isola 2017, appendix 6.2); border values fill it.
    """
    moves = _moves(inputs, reach, seed)
    scale = targets.shape[1] // inputs.shape[1]
    return [_moved(inputs, moves), _moved(targets, moves * scale)]
