"""The rules of the house, over every Python file of the product and of the tools."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = ("pipeline", "deploy", "tools")
PARTICIPLES = {"asked", "built", "drawn", "found", "given", "kept"}
PARTICIPLES |= {"known", "made", "seen", "shown", "taught", "told"}
LONGEST_FUNCTION = 50  # lines
MOST_PLAIN_PARAMETERS = 4  # or fields; of more than that, two at most are positional
MOST_POSITIONAL = 5  # arguments in a call

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Broken(NamedTuple):
    """Where a rule is broken, and by what."""

    line: int
    name: str


Rule = Callable[[ast.Module], Iterator[Broken]]


def names_that_say_when(tree: ast.Module) -> Iterator[Broken]:
    """Variables, parameters, fields and functions that are named by a bare participle."""
    for name in _names(tree):
        if name.name.strip("_") in PARTICIPLES:
            yield name


def _names(tree: ast.Module) -> Iterator[Broken]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield Broken(node.lineno, name)
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield Broken(node.lineno, name)


def long_functions(tree: ast.Module) -> Iterator[Broken]:
    """Functions that do not fit on a screen."""
    for function in _functions(tree):
        assert function.end_lineno is not None
        if function.end_lineno - function.lineno + 1 > LONGEST_FUNCTION:
            yield Broken(function.lineno, function.name)


def many_positional_parameters(tree: ast.Module) -> Iterator[Broken]:
    """Functions of many parameters that a caller may give without their names."""
    for function in _functions(tree):
        positional = _positional(function)
        total = len(positional) + len(function.args.kwonlyargs)
        if total > MOST_PLAIN_PARAMETERS and len(positional) > 2:
            yield Broken(function.lineno, function.name)


def positional_bool_parameters(tree: ast.Module) -> Iterator[Broken]:
    """Parameters of type bool that a caller may give without their names."""
    for function in _functions(tree):
        for parameter in _positional(function):
            if parameter.annotation is not None and ast.unparse(parameter.annotation) == "bool":
                yield Broken(function.lineno, f"{function.name}({parameter.arg})")


def calls_of_many_positional(tree: ast.Module) -> Iterator[Broken]:
    """Calls in which only their order tells the arguments apart."""
    for call in _calls(tree):
        plain = [argument for argument in call.args if not isinstance(argument, ast.Starred)]
        if len(plain) > MOST_POSITIONAL:
            yield Broken(call.lineno, ast.unparse(call.func))


def bare_booleans(tree: ast.Module) -> Iterator[Broken]:
    """Calls with a True or False that no name explains."""
    for call in _calls(tree):
        if any(isinstance(a, ast.Constant) and isinstance(a.value, bool) for a in call.args):
            yield Broken(call.lineno, ast.unparse(call.func))


def wide_records(tree: ast.Module) -> Iterator[Broken]:
    """Dataclasses and named tuples of many fields that can be made without their names."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        fields = [
            line
            for line in node.body
            if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation)
        ]
        made_by_position = any("NamedTuple" in ast.unparse(base) for base in node.bases) or any(
            "dataclass" in text and "kw_only=True" not in text
            for text in map(ast.unparse, node.decorator_list)
        )
        if made_by_position and len(fields) > MOST_PLAIN_PARAMETERS:
            yield Broken(node.lineno, node.name)


REMEDIES: dict[Rule, str] = {
    names_that_say_when: "Name it by what it holds.",
    long_functions: "Divide it.",
    many_positional_parameters: "Put `*` after the first or the second.",
    positional_bool_parameters: "Put `*` before it.",
    calls_of_many_positional: "Give them by name.",
    bare_booleans: "Give it by name.",
    wide_records: "Make it a dataclass with kw_only=True.",
}
BROKEN_BY: dict[Rule, str] = {
    names_that_say_when: "def f(x):\n    for a, made in x:\n        pass",
    long_functions: "def f():\n" + "    pass\n" * LONGEST_FUNCTION,
    many_positional_parameters: "def f(a, b, c, *, d, e): pass",
    positional_bool_parameters: "class A:\n    def f(self, a: bool): pass",
    calls_of_many_positional: "f(1, 2, 3, 4, 5, 6)",
    bare_booleans: "f(1, True)",
    wide_records: "class A(NamedTuple):" + "".join(f"\n    {name}: int" for name in "abcde"),
}


@pytest.mark.parametrize("rule", REMEDIES, ids=lambda rule: rule.__name__)
def test_the_rule_is_kept(rule: Rule) -> None:
    broken = [f"{file}:{line} {name}" for file, tree in _product() for line, name in rule(tree)]
    assert not broken, _message(REMEDIES[rule], broken)


@pytest.mark.parametrize("rule", REMEDIES, ids=lambda rule: rule.__name__)
def test_a_file_that_breaks_the_rule_is_noticed(rule: Rule) -> None:
    assert len(list(rule(ast.parse(BROKEN_BY[rule])))) == 1


def test_a_class_name_means_one_thing() -> None:
    classes = [
        (node.name, f"{file}:{node.lineno} {node.name}")
        for file, tree in _product()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    broken = _several(classes)
    assert not broken, _message("Rename all but one.", broken)


def test_an_alias_means_one_thing() -> None:
    aliases = [
        (name, f"{file}:{line} {name}")
        for file, tree in _product()
        for line, name in _globals(tree)
        if name[0].isupper() and not name.isupper()
    ]
    broken = _several(aliases)
    assert not broken, _message("Import it from one module, or rename all but one.", broken)


def _several(named: list[tuple[str, str]]) -> list[str]:
    """The places of each name that has more than one."""
    times = Counter(name for name, _ in named)
    return [place for name, place in sorted(named) if times[name] > 1]


def _globals(tree: ast.Module) -> Iterator[Broken]:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield Broken(statement.lineno, name)


def _product() -> Iterator[tuple[str, ast.Module]]:
    for folder in PRODUCT:
        yield from _trees(folder)


@cache
def _trees(folder: str) -> list[tuple[str, ast.Module]]:
    """(Path from the root, syntax tree) of each Python file in ``folder``."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [(str(file.relative_to(ROOT)), ast.parse(file.read_text())) for file in files]


def _functions(tree: ast.Module) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _positional(function: Function) -> list[ast.arg]:
    parameters = [*function.args.posonlyargs, *function.args.args]
    return [parameter for parameter in parameters if parameter.arg not in ("self", "cls")]


def _message(remedy: str, broken: list[str]) -> str:
    return "\n".join([remedy, *broken])
