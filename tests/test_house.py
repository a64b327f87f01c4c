"""The rules of the house, over every Python file of the product and of the tools."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = ("pipeline", "deploy", "tools")


class Broken(NamedTuple):
    """Where a rule is broken, and by what."""

    line: int
    name: str


Rule = Callable[[ast.Module], Iterator[Broken]]


def bare_booleans(tree: ast.Module) -> Iterator[Broken]:
    """Calls with a True or False that no name explains."""
    for call in _calls(tree):
        if any(isinstance(a, ast.Constant) and isinstance(a.value, bool) for a in call.args):
            yield Broken(call.lineno, ast.unparse(call.func))


REMEDIES: dict[Rule, str] = {
    bare_booleans: "Give it by name.",
}
BROKEN_BY: dict[Rule, str] = {
    bare_booleans: "f(1, True)",
}


@pytest.mark.parametrize("rule", REMEDIES, ids=lambda rule: rule.__name__)
def test_the_rule_is_kept(rule: Rule) -> None:
    broken = [f"{file}:{line} {name}" for file, tree in _product() for line, name in rule(tree)]
    assert not broken, _message(REMEDIES[rule], broken)


@pytest.mark.parametrize("rule", REMEDIES, ids=lambda rule: rule.__name__)
def test_a_file_that_breaks_the_rule_is_noticed(rule: Rule) -> None:
    assert len(list(rule(ast.parse(BROKEN_BY[rule])))) == 1


def _product() -> Iterator[tuple[str, ast.Module]]:
    for folder in PRODUCT:
        yield from _trees(folder)


@cache
def _trees(folder: str) -> list[tuple[str, ast.Module]]:
    """(Path from the root, syntax tree) of each Python file in ``folder``."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [(str(file.relative_to(ROOT)), ast.parse(file.read_text())) for file in files]


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _message(remedy: str, broken: list[str]) -> str:
    return "\n".join([remedy, *broken])
