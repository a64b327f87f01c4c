"""Ready code, filled from ``model.json``: one short file a language."""

from collections.abc import Callable
from typing import Any

from deploy.bundle.files import CODE
from deploy.bundle.schema import Model
from deploy.bundle.template import environment
from deploy.printable import plain

_LIMITS = {
    "int8": {"low": -128, "high": 127},
    "int16": {"low": -32768, "high": 32767},
    "float32": {},
}


def code(model: Model) -> dict[str, bytes]:
    """Path inside the bundle → source."""
    templates = environment({"plain": plain, **_LITERALS})
    size = f"{model.height}×{model.picture_width}"
    classes = f", {model.latent.classes} classes" if model.latent.classes else ""
    facts: dict[str, Any] = {
        "m": model,
        "channels": model.channels,
        "inputs": _LIMITS[model.input.dtype],
        "title": f"{plain(model.name)} ({plain(model.variant)})",
        "about": f"{size} {model.pixels.channels} pictures of '{plain(model.data.name)}'{classes}",
    }
    return {
        path: templates.get_template(f"{path.removeprefix('code/')}.j2").render(facts).encode()
        for path in CODE
    }


def _literal(*escaped: str) -> Callable[[str], str]:
    """How a language writes a string: in double quotes, these characters behind a backslash."""
    escapes = {ord(character): f"\\{character}" for character in ("\\", '"', *escaped)}
    return lambda text: f'"{plain(text).translate(escapes)}"'


_LITERALS = {
    "text": _literal(),  # Python and Swift
    "kotlin_text": _literal("$"),
    "cpp_text": _literal("?"),  # two in a row would begin a trigraph
}
