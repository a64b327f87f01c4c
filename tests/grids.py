"""Tests of two things together: every value of both is tried quickly, all pairs slowly."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest


def pairs(first: Iterable[Any], second: Iterable[Any]) -> list[Any]:
    """For ``parametrize``: all pairs; as few as hold every value of both are quick."""
    ours, others = [*first], [*second]
    quick = {
        (ours[number % len(ours)], others[number % len(others)])
        for number in range(max(len(ours), len(others)))
    }
    return [
        pytest.param(*pair, marks=() if pair in quick else pytest.mark.slow)
        for pair in product(ours, others)
    ]
