"""Keys that stand twice in a YAML text: of two the parser takes the last, and says nothing."""

from typing import NamedTuple

import yaml


class RepeatedKey(NamedTuple):
    """A key of one mapping, and the two lines that it stands in."""

    name: str
    first_line: int
    line: int


def repeated_key(text: str) -> RepeatedKey | None:
    """The first key that stands twice in a mapping of ``text``; None where there is none.

    Raises YAMLError where it is no YAML, and RecursionError for a value that holds itself.
    """
    return _repeated(yaml.compose(text, yaml.SafeLoader), set(), frozenset())


def _repeated(
    node: yaml.Node | None, visited: set[int], above: frozenset[int]
) -> RepeatedKey | None:
    if id(node) in above:
        raise RecursionError
    if not isinstance(node, yaml.CollectionNode) or id(node) in visited:
        return None
    visited.add(id(node))
    above |= {id(node)}
    lines: dict[str, int] = {}
    for item in node.value:
        value = item
        if isinstance(node, yaml.MappingNode):
            key, value = item
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                return RepeatedKey(name, lines[name], line)
            lines[name] = line
        if below := _repeated(value, visited, above):
            return below
    return None
