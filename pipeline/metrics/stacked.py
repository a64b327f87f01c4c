"""A judge of pictures whose channels are pictures of their own, such as stacked digits."""

from itertools import product

import numpy as np

from pipeline.arrays import Images, Labels
from pipeline.metrics.distances import Features
from pipeline.metrics.judge import Judge


class ChannelFeatures:
    """What a judge of one channel sees in each channel of a picture."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def features(self, images: Images) -> Features:
        """Of the channels, one behind the other: float64 [N, C · 64] of uint8 [N, H, W, C]."""
        return np.concatenate([self.judge.features(each) for each in _apart(images)], axis=1)


class StackedJudge(ChannelFeatures):
    """Shows each channel of uint8 [N, H, W, C] to a judge of one channel, which has classes.

    ``accuracy`` is the share, 0 to 1, of test pictures of which it tells every channel right.
    """

    task = "tell the class of each channel"

    def __init__(self, judge: Judge, images: Images, labels: Labels) -> None:
        """``images`` [N, H, W, C] with ``labels`` [N] are those that the accuracy is taken of."""
        super().__init__(judge)
        self._channels = images.shape[-1]
        self.name = f"{judge.name}, shown each channel by itself"
        self.enough = judge.enough
        self.classes = tuple(map("".join, product(judge.classes, repeat=self._channels)))
        self.accuracy = float(np.mean(self.predict(images) == labels))

    @property
    def sha256(self) -> str:
        """Of the judge of one channel."""
        return self.judge.sha256

    def predict(self, images: Images) -> Labels:
        """Class numbers [N]: those of the channels as digits of a number, the first one leading."""
        number = np.zeros(len(images), np.int64)
        for channel in _apart(images):
            labels = self.judge.predict(channel)
            assert labels is not None
            number = number * len(self.judge.classes) + labels
        return number


def _apart(images: Images) -> list[Images]:
    """Pictures [N, H, W, 1] of each channel."""
    return [np.ascontiguousarray(images[..., [channel]]) for channel in range(images.shape[-1])]
