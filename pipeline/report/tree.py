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


def lines(tree: Mapping[str, JsonValue], none: str) -> list[tuple[str, str]]:
    """The leaves in words, for people; ``none`` is what stands for a missing one."""
    return [(key.replace("_", " "), _written(key, value, none)) for key, value in leaves(tree)]


def _written(key: str, value: object, none: str) -> str:
    if value is None:
        return none
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and "memory" in key:
        return f"{value / 2**30:.1f} GiB"
    return str(value)
