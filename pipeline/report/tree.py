"""Nested settings as flat lines."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue


def leaves(tree: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, JsonValue]]:
    """The leaves of a nested mapping, each under its dotted key; lists count as leaves."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
