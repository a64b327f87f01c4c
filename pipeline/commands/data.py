"""The command data: published sets of pictures, and bringing them here."""

from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.consoles import cell
from pipeline.data.sets import SETS, install


def data(arguments: list[str]) -> int:
    usage = "pocketgan data [--json]  or  pocketgan data install NAME … [--from FOLDER]"
    parser = command_parser("data", "json", more=": `data install NAME`.", usage=usage)
    parser.add_argument("action", nargs="?", type=str, help="'install', or nothing to list")
    parser.add_argument("names", nargs="*", type=str, help=f"of {', '.join(SETS)}")
    parser.add_argument(
        "--from",
        dest="downloads",
        type=Path,
        help="folder with the files that would be fetched, where this machine cannot",
    )
    options = parse(parser, arguments)
    if options.action is None:
        sets = [_describe(name) for name in SETS]
        show(options, sets, lambda: _table(sets))
        return OK
    if options.action != "install" or not options.names:
        raise PocketganError(
            f"pocketgan data: {' '.join([options.action, *options.names])!r} is not understood",
            f"pocketgan data install NAME, with a name of: {', '.join(SETS)}.",
        )
    for name in options.names:
        install(
            name,
            downloads=options.downloads,
            say=lambda step: progress.console.print(step),
        )
    if options.json:
        show(options, {"installed": options.names}, Text)
    return OK


def _describe(name: str) -> dict[str, Any]:
    """What the listing says of a set, as plain values."""
    picture_set = SETS[name]
    place = picture_set.place
    return {
        "name": name,
        "holds": picture_set.describe,
        "licence": picture_set.licence,
        "megabytes": picture_set.megabytes,
        "fetched_by": picture_set.client,
        "place": None if place is None else str(place),
    }


def _table(sets: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("", "set", "what it holds", "licence", "download", "where"):
        table.add_column(title, no_wrap=title == "set", overflow="fold")
    for each in sets:
        here = each["place"] is not None
        download = f"{each['megabytes']} MB, {each['fetched_by']}"
        where = each["place"] if here else f"pocketgan data install {each['name']}"
        cells = (each["name"], each["holds"], each["licence"], download, where)
        mark = Text("✓", style="green") if here else Text("–", style="yellow")
        table.add_row(mark, *map(cell, cells))
    return table
