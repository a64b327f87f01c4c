"""What all commands share: reading their arguments, printing their result, and the exit codes."""

import json
import math
import re
import shlex
from argparse import ZERO_OR_MORE, Action, ArgumentError
from collections.abc import Callable, Iterable
from dataclasses import fields
from itertools import islice
from typing import Any

from jsonargparse import ArgumentParser, DefaultHelpFormatter
from jsonargparse.typing import PositiveInt
from rich.console import Console, RenderableType

from deploy.errors import PocketganError
from pipeline import consoles, progress
from pipeline.parser_words import reason, type_in_words
from pipeline.plans import FROM_SCRATCH
from pipeline.recipe.reading import recipe_keys
from pipeline.recipe.sections import Recipe

OK, BAD_INPUT, FAILED, INTERRUPTED = 0, 2, 3, 130
"""Done; refused in one message; done, but a gate or a measurement failed; Ctrl-C."""

SUMMARIES = {
    "run": "All stages of a recipe, only what is stale",
    "compress": "The smallest generator within a budget, from yours or anyone's",
    **{name: step.title[0].upper() + step.title[1:] for name, step in FROM_SCRATCH.steps.items()},
    "worker": "Try students of searches that other machines lead",
    "benchmark": "Measure .tflite files of any origin, or a recipe's, on any target",
    "explain": "Why a .tflite costs what it costs on a target, and what would change it",
    "check": "What compressing a generator, yours or anyone's, will meet",
    "bundle": "Write what an app developer needs of a finished run",
    "gallery": "Write a web page that draws with a finished run's files",
    "verify": "Check a bundle, folder or zip: a changed byte anywhere is found",
    "targets": "Where files can be measured, and what adds a target",
    "doctor": "What this machine is, and what makes its figures doubtful",
    "inspect": "What a .tflite holds: operations, types, zeros, MACs, memory",
    "compare": "Two reports side by side",
    "data": "Published sets of pictures, and what brings them here",
    "list": "Recipes, networks, losses, data sources",
}
"""Command → what it is for, in a line."""

RUNNING = ("runs", "workers", "storage", "artifacts", "quiet", "json")
"""Common options of what runs the stages of a recipe."""
_COMMON: dict[str, dict[str, Any]] = {
    "runs": {"type": str, "default": "runs", "help": "folder in which each run has its own"},
    "quiet": {"action": "store_true", "help": "no progress, no notes"},
    "workers": {
        "type": PositiveInt,
        "help": "most processes side by side where work is independent; as many as cores and "
        "memory allow if left out",
    },
    "storage": {
        "type": str,
        "metavar": "ADDRESS",
        "help": "let `pocketgan worker ADDRESS`, on any machine, try the students of a search: a "
        "database (postgresql://…), or Optuna's proxy before one (grpc://host:port)",
    },
    "artifacts": {
        "type": str,
        "metavar": "PLACE",
        "help": "folder or bucket (s3://…) that those workers reach; the run's folder if left out",
    },
    "json": {"action": "store_true", "help": "the result as JSON on standard output"},
}


class _HelpFormatter(DefaultHelpFormatter):
    """The help in plain words, without defaults that say nothing (null, or False of a switch), and
    without "required" where the command does without.

    Indented paragraphs keep their lines.
    """

    def _get_type_str(self, action: Action) -> str | None:
        wanted = getattr(action, "_typehint", None) or action.type
        return None if wanted in (None, str) else type_in_words(wanted)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part
            if part.startswith(" ")
            else super(_HelpFormatter, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        )

    def _get_help_string(self, action: Action) -> str:
        words = super()._get_help_string(action).replace("type: %(type)s", "%(type)s")
        if action.option_strings or action.nargs == ZERO_OR_MORE:
            # A recipe needs a name, but has one; argparse calls what may be left out required.
            words = words.replace(" (required)", "").replace("(required, ", "(")
        is_switch = action.nargs == 0 and action.default is False
        if action.default is None or is_switch:
            words = words.replace(", default: %(default)s", "").replace(
                " (default: %(default)s)", ""
            )
        return words


def command_parser(
    command: str, *common: str, more: str = "", usage: str | None = None
) -> ArgumentParser:
    """A parser for ``pocketgan COMMAND`` with ``common`` options: ``runs``, ``quiet``, ``json``…

    ``more`` goes on after the command's summary. Give the parser to ``parse``: it raises where
    argparse would end the program.
    """
    parser = ArgumentParser(
        prog=f"pocketgan {command}",
        usage=usage,
        description=SUMMARIES[command] + more,
        exit_on_error=False,
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )
    # What argparse takes for a value although it begins with a dash: not only -5, but -5%, too.
    parser._negative_number_matcher = re.compile("-[^-]")
    add_common(parser, common)
    return parser


def add_common(parser: Any, names: Iterable[str]) -> None:
    """Let a parser, or a group of its options, take those that many commands have."""
    for option in names:
        parser.add_argument(f"--{option}", **_COMMON[option])


def asks_for_help(arguments: list[str]) -> bool:
    """Whether the help will be shown, and nothing else done."""
    return "-h" in arguments or "--help" in arguments


def parse(parser: ArgumentParser, arguments: list[str], further_options: Iterable[str] = ()) -> Any:
    """Parsed arguments; ``--quiet`` and, where a command has both, ``--json`` silence progress.

    Raises PocketganError in place of a usage message; an unknown option may be meant for one of the
    parser's or of ``further_options``.
    """
    try:
        options = parser.parse_args(arguments)
    except ArgumentError as error:
        raise PocketganError(
            f"{parser.prog}: {reason(error, [*parser._option_string_actions, *further_options])}",
            f"`{parser.prog} --help` tells more.",
        ) from error
    options.command_line = f"{parser.prog} {shlex.join(arguments)}"
    if "quiet" in options and (options.quiet or options.get("json")):
        progress.silence()
    return options


def refusal(command: str, error: PocketganError) -> dict[str, Any]:
    """What ``--json`` gives in place of a result; of ``check`` that is a verdict, too."""
    document: dict[str, Any] = {"error": error.problem, "remedy": error.remedy}
    if command == "check":
        document |= {"schema": 1, "verdict": f"cannot be: {error.problem}"}
    return document


def in_command(options: Any, added: str) -> str:
    """A remedy: the command as it was given, with further options, ready to be pasted."""
    command = f"{options.command_line} {added}"
    return f"With what is likely filled in, to be mended where it is wrong:\n  {command}"


def parse_with_overrides(parser: ArgumentParser, arguments: list[str]) -> tuple[Any, list[str]]:
    """Parsed arguments, and the others: those that change a recipe, such as ``--train.steps 9``."""
    options, sections = parser.get_defaults(), {field.name for field in fields(Recipe)}
    own: list[str] = []
    overrides: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        key = argument.removeprefix("--").split("=")[0]
        changes_recipe = key.split(".")[0].rstrip("+") in sections
        if not argument.startswith("--") or key.replace("-", "_") in options or not changes_recipe:
            own.append(argument)
        else:
            overrides += [argument] if "=" in argument else [argument, *islice(remaining, 1)]
    parsed = parse(parser, own, [f"--{key}" for key in recipe_keys()])
    parsed.command_line = f"{parser.prog} {shlex.join(arguments)}"
    return parsed, overrides


def show(
    options: Any,
    document: Any,
    render: Callable[[], RenderableType],
    console: Console | None = None,
) -> None:
    """Print a command's result: with ``--json`` the document, else what ``render`` gives.

    ``document`` is plain values, or the text of a JSON document, which knows no infinite numbers.
    ``console`` is where the rendered goes, standard output if left out.
    """
    if options.json:
        text = document if isinstance(document, str) else json.dumps(_finite(document), indent=1)
        print(text.rstrip())
    else:
        (console or consoles.console()).print(render())


def _finite(value: Any) -> Any:
    """Plain values as JSON has them: null where a stranger's file holds no finite number."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
