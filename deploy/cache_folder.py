"""Where things live that are made once for all runs: environments, the ARM sysroot, plugins."""

import os
from pathlib import Path


def cache() -> Path:
    """The folder for what can be made again: $POCKETGAN_CACHE, or pocketgan in the user's cache."""
    named = os.environ.get("POCKETGAN_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "pocketgan"
