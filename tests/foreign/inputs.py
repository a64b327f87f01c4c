"""Small generators that read more than one thing, as other people write them.

Name → a model of Keras 2 or 3, by the library that is handed in.
"""

from collections.abc import Callable, Mapping
from typing import Any


def _drawn(k: Any, x: Any, name: str = "picture", channels: int = 3) -> Any:
    return k.layers.Conv2D(channels, 3, padding="same", activation="tanh", name=name)(x)


def _seeded(k: Any, z: Any) -> Any:
    return k.layers.Reshape((8, 8, 4), name="map")(k.layers.Dense(8 * 8 * 4, name="fc")(z))


def inpainting(k: Any, width: int = 4) -> Any:
    """A picture in −1..1 and its mask → the picture."""
    picture, mask = k.Input((16, 16, 3), name="image"), k.Input((16, 16, 1), name="mask")
    x = k.layers.Concatenate()([picture, mask])
    return k.Model([picture, mask], _drawn(k, k.layers.Conv2D(width, 3, padding="same")(x)))


def style(k: Any) -> Any:
    """A picture and one whose style it shall have → a picture."""
    content, other = k.Input((16, 16, 3), name="content"), k.Input((16, 16, 3), name="style")
    mean = k.layers.Reshape((1, 1, 3))(k.layers.GlobalAveragePooling2D()(other))
    return k.Model([content, other], _drawn(k, k.layers.Add()([content, mean])))


def strength(k: Any) -> Any:
    """A picture, and how strongly it is changed → a picture."""
    picture, number = k.Input((16, 16, 3), name="image"), k.Input((1,), name="strength")
    factor = k.layers.Reshape((1, 1, 1))(number)
    x = k.layers.Conv2D(3, 3, padding="same")(picture)
    return k.Model([picture, number], _drawn(k, k.layers.Multiply()([x, factor])))


def truncated(k: Any) -> Any:
    """Latents, and how near to their middle → a picture."""
    z, psi = k.Input((10,), name="z"), k.Input((1,), name="truncation_psi")
    return k.Model([z, psi], _drawn(k, _seeded(k, k.layers.Multiply()([z, psi]))))


def latent_map(k: Any) -> Any:
    """Latents in the shape of a map → a picture."""
    z = k.Input((4, 4, 8), name="z")
    return k.Model(z, _drawn(k, k.layers.Conv2DTranspose(4, 4, 2, padding="same")(z)))


def two_latents(k: Any) -> Any:
    """Latents of shapes and of looks → a picture."""
    one, two = k.Input((6,), name="z_shape"), k.Input((4,), name="z_look")
    return k.Model([one, two], _drawn(k, _seeded(k, k.layers.Concatenate()([one, two]))))


def by_class(k: Any) -> Any:
    """A picture, and the class that it shall have, one-hot → a picture."""
    picture, label = k.Input((16, 16, 3), name="image"), k.Input((5,), name="target_class")
    shift = k.layers.Reshape((1, 1, 3))(k.layers.Dense(3)(label))
    return k.Model([picture, label], _drawn(k, k.layers.Add()([picture, shift])))


def two_outputs(k: Any) -> Any:
    """Latents → a picture, and the map before it."""
    z = k.Input((10,), name="z")
    seed = _seeded(k, z)
    coarse = _drawn(k, seed, "coarse", 1)
    fine = _drawn(k, k.layers.UpSampling2D()(seed), "fine")
    return k.Model(z, [coarse, fine])


def any_size(k: Any) -> Any:
    """Pictures of any size, and their masks → pictures, in a range that no layer tells."""
    picture, mask = k.Input((None, None, 3), name="image"), k.Input((None, None, 1), name="mask")
    x = k.layers.Concatenate()([picture, mask])
    return k.Model([picture, mask], k.layers.Conv2D(3, 3, padding="same")(x))


MODELS: Mapping[str, Callable[[Any], Any]] = {
    build.__name__: build
    for build in (
        *(inpainting, style, strength, truncated, latent_map, two_latents),
        *(by_class, two_outputs, any_size),
    )
}
