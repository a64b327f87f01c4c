"""A judge that needs no training: any network of the right form can be one."""

import numpy as np

from pipeline.arrays import Images
from pipeline.metrics.distances import Features


class BlockMeans:
    """Sees four means of a picture."""

    sha256 = "means"
    classes = ()

    def features(self, images: Images) -> Features:
        return np.asarray(images.reshape(len(images), 4, -1).mean(axis=2))

    def predict(self, images: Images) -> None:
        return None
