"""Every command in the docs is one that the parsers take, with values that a recipe takes."""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import PocketganError
from pipeline.cli import COMMANDS
from pipeline.commands import arguments
from pipeline.commands.arguments import RUNNING, command_parser, parse_with_overrides
from pipeline.commands.compress import _option_values, parse_compress
from pipeline.commands.starting_values import LATENTS_BASE
from pipeline.plans import FROM_SCRATCH
from pipeline.recipe.reading import load_recipe, read_values, shipped_recipes

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
STAGES = ("run", *FROM_SCRATCH.names)
FEWEST = 150
"""Commands that there are at least, or they were not found."""


class ParsedError(Exception):
    """Ends a command behind its parser."""


def code(text: str) -> Iterator[str]:
    """Lines of blocks, those that go on joined, and what stands between backquotes."""
    block = r"(?ms)^```.*?^```|^    .*?$"
    for match in re.findall(block, text):
        yield from re.sub(r"\\\n\s*", " ", match).splitlines()
    yield from re.sub(r"(?m)^    (.*)\\\n\s*(.*)$", r"`\1\2`", text).split("`")[1::2]


def commands(text: str) -> Iterator[list[str]]:
    """Of pocketgan, without its name; those with an omission or an option in brackets are none."""
    for line in code(text):
        try:
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
        except ValueError:
            continue
        for part in " ".join(map(shlex.quote, words)).split(" '&&' "):
            name, *others = shlex.split(part) or [""]
            if name == "pocketgan" and others and not re.search(r"…|\[--|\\$", part):
                yield others


def check(name: str, given: list[str]) -> None:
    """PocketganError for what the command would not take."""
    is_stage = name in STAGES and (name != "benchmark" or given[:1] in ([], ["RECIPE"], ["digits"]))
    if not given or "--help" in given:
        assert name in COMMANDS
    elif name == "compress":
        options, overrides = parse_compress(given)
        values = _option_values(options, runs_discriminator=False)
        load_recipe({"name": "docs", **read_values(LATENTS_BASE)}, values, overrides)
    elif is_stage:
        parser = command_parser(name, *RUNNING)
        parser.add_argument("recipe", type=str)
        options, overrides = parse_with_overrides(parser, given)
        load_recipe(options.recipe if options.recipe in shipped_recipes() else "digits", overrides)
    else:
        with pytest.raises(ParsedError):
            COMMANDS[name](given)


@pytest.fixture
def parsers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands end when their arguments are parsed."""

    def parse(*given: Any) -> None:
        arguments_parse(*given)
        raise ParsedError

    arguments_parse = arguments.parse
    for name in COMMANDS.keys() - {"compress", *STAGES} | {"benchmark"}:
        monkeypatch.setattr(import_module(f"pipeline.commands.{name}"), "parse", parse)


@pytest.mark.usefixtures("parsers_alone")
def test_every_command_of_the_docs_can_be_given() -> None:
    count = 0
    for page in PAGES:
        for name, *given in commands(page.read_text(encoding="utf-8")):
            count += 1
            try:
                check(name, given)
            except PocketganError as error:
                pytest.fail(f"{page.name}: pocketgan {name} {shlex.join(given)}: {error}")
    assert count >= FEWEST


@pytest.mark.usefixtures("parsers_alone")
@pytest.mark.parametrize(
    "line", ["run digits --train.stepz 3", "check a.keras --pixel -1 1", "compress a --max-mb 3"]
)
def test_a_command_with_a_mistake_is_found(line: str) -> None:
    ((name, *given),) = set(map(tuple, commands(f"See:\n\n    pocketgan {line}\n")))
    with pytest.raises(PocketganError, match="no option"):
        check(name, given)
