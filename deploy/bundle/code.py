"""Ready code, filled from ``model.json``: one short file a language."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from deploy.bundle.files import CODE
from deploy.bundle.schema import Model
from deploy.bundle.text import plain

_ESCAPES = {"\\": "\\\\", '"': '\\"'}
_KOTLIN = {**_ESCAPES, "$": "\\$"}
_CPP = {**_ESCAPES, "?": "\\?"}  # two in a row would begin a trigraph


def code(model: Model) -> dict[str, bytes]:
    """Path inside the bundle → source."""
    environment = Environment(
        loader=PackageLoader("deploy.bundle", "code"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": _text,
        "kotlin_text": lambda text: _text(text, _KOTLIN),
        "cpp_text": lambda text: _text(text, _CPP),
        "plain": plain,
    }
    facts = _facts(model)
    sources = {}
    for path in CODE:
        template = environment.get_template(f"{path.removeprefix('code/')}.j2")
        sources[path] = template.render(facts).encode()
    return sources


def _facts(model: Model) -> dict[str, Any]:
    port = {"int8": (-128, 127), "int16": (-32768, 32767), "float32": (0, 0)}
    return {
        "m": model,
        "channels": model.channels,
        "inputs": dict(zip(("low", "high"), port[model.input.dtype], strict=True)),
        "title": f"{plain(model.name)} ({plain(model.variant)})",
        "about": _about(model),
    }


def _about(model: Model) -> str:
    size = f"{model.height}×{model.picture_width}"
    classes = f", {model.latent.classes} classes" if model.latent.classes else ""
    return f"{size} {model.pixels.channels} pictures of '{plain(model.data.name)}'{classes}"


def _text(text: str, escapes: dict[str, str] = _ESCAPES) -> str:
    """A string literal of Python and Swift, or, with its escapes, of another language."""
    return '"' + "".join(escapes.get(character, character) for character in plain(text)) + '"'
