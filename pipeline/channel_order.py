"""Whether a tensor of others holds its channels first, as PyTorch and ONNX do, or last, as we do.

Nothing in a file says so: its shape has to.
"""

from collections.abc import Sequence

COLOURS = (1, 3, 4)
"""Channels of pictures: grey, colour, colour with alpha."""
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Axes to transpose by."""
_RANK = 4


def channels_first(shape: Sequence[int | None], *, unless_clear: bool) -> bool:
    """Whether maps of that shape, the batch included, have their channels first; None: a free size.

    Two equal sides beside each other are height and width; else the channels are as many as those
    of a picture. ``unless_clear`` is the answer where neither says anything.
    """
    if len(shape) != _RANK:
        return False
    _, first, second, last = shape
    if (first == second) != (second == last):
        return second == last
    if (first in COLOURS) != (last in COLOURS):
        return first in COLOURS
    return unless_clear
