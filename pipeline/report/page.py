"""The pages' one set-up: templates, style, and how figures are written in them."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report.quantities import number

_HERE = Path(__file__).parent


def render_page(template: Path, **values: Any) -> str:
    """The page that ``template`` makes of ``values``; the same values give the same text.

    It refers to nothing outside itself. Templates beside it and those of this folder can be
    imported; a name that is missing among the values is an error.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    style = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template.name).render(style=style, **values)
