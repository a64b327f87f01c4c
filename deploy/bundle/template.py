"""The templates of a bundle's texts, in the folder ``templates``."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment(filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """Where ``CARD.md.j2`` and the like are found; a name that is not given is an error."""
    templates = Environment(
        loader=PackageLoader("deploy.bundle"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(filters)
    return templates
