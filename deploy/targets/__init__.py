"""Where a variant can be measured. One file a target, one row here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from deploy.errors import PocketganError
from deploy.jobs import Measurement
from deploy.targets import local

# Every target takes the arguments of ``local.measure``.
TARGETS: Mapping[str, Callable[..., list[Measurement]]] = MappingProxyType(
    {"local": local.measure},
)


def find_target(name: str) -> Callable[..., list[Measurement]]:
    """The function that measures on the target called ``name``.

    Raises:
        PocketganError: there is no such target.
    """
    try:
        return TARGETS[name]
    except KeyError:
        known = ", ".join(TARGETS)
        raise PocketganError(f"no target is called {name!r}", f"Choose one of: {known}.") from None
