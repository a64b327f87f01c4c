"""Arrays of images to another size or number of channels."""

import numpy as np
from PIL import Image

from pipeline.arrays import Images
from pipeline.data.picture import FILTER, as_array
from pipeline.progress import track


def fit(images: Images, image_size: int, channels: int) -> Images:
    """Square images [N, H, H, 1 or 3] as [N, image_size, image_size, channels]; uint8.

    28×28 asked for 32 gets two rows and columns of background (0) on each side, as is usual for
    MNIST: its strokes keep their exact pixels. Any other size is resized with antialiasing.
    """
    return _with_size(_with_channels(images, channels), image_size)


def _with_channels(images: Images, channels: int) -> Images:
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=-1)
    # Luma of ITU-R BT.601, rounded as Pillow rounds it, so that every source is greyed alike.
    red, green, blue = np.moveaxis(images.astype(np.uint32), -1, 0)
    grey: Images = ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
    return grey[..., np.newaxis]


def _with_size(images: Images, image_size: int) -> Images:
    if images.shape[1] == image_size:
        return images
    if (images.shape[1], image_size) == (28, 32):
        return np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    resized = np.empty((len(images), image_size, image_size, images.shape[-1]), np.uint8)
    for index, image in enumerate(track(images, "Resizing", total=len(images))):
        picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
        resized[index] = as_array(picture.resize((image_size, image_size), FILTER))
    return resized
