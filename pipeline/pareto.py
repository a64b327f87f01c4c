"""What no other beats at two costs."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def front(items: Iterable[Item], costs: Callable[[Item], tuple[float, float]]) -> list[Item]:
    """The items, by rising first cost, that no other beats at both; less is better of both."""
    unbeaten: list[Item] = []
    for item in sorted(items, key=costs):
        if not unbeaten or costs(item)[1] < costs(unbeaten[-1])[1]:
            unbeaten.append(item)
    return unbeaten
