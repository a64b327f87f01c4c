"""Layers of the user's own: a Python file that defines them."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError

REGISTER = (
    "Put its class into a Python file, decorate it with "
    "@keras.saving.register_keras_serializable(), and give the file with --custom FILE."
)


def load_custom(path: Path) -> dict[str, Any]:
    """Run the user's file; name → class or function that it defines.

    Raises PocketganError where the file is missing or fails.
    """
    if not path.is_file():
        raise PocketganError(f"--custom {path}: there is no such file.", REGISTER)
    name = f"custom_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PocketganError(f"--custom {path} is no Python file.", "Its name must end with .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        raise PocketganError(
            f"--custom {path} fails: {type(error).__name__}: {error}", "Mend the file."
        ) from error
    return {
        key: value
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == name
    }
