"""The map in docs/architecture.md against the tree."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TREE = TEXT.split("```")[1]
WHOLE = ("pipeline", "deploy")
"""Packages of which each folder and each root module has a line in the tree."""


def _listed() -> list[str]:
    """Paths of the tree, from the root: a folder ends in ``/``; two spaces are one level."""
    paths: list[str] = []
    above: list[str] = []
    for line in filter(None, TREE.splitlines()):
        name = line.split()[0]
        level = (len(line) - len(line.lstrip())) // 2
        above[level:] = [name]
        paths.append("".join(above))
    return paths


def _there() -> list[str]:
    """What the tree must list of the packages."""
    paths = []
    for package in WHOLE:
        folder = ROOT / package
        paths += [str(file.relative_to(ROOT)) for file in folder.glob("*.py")]
        for inner in [folder, *folder.rglob("*")]:
            if inner.is_dir() and any(inner.rglob("*.py")) and inner.name != "__pycache__":
                paths.append(f"{inner.relative_to(ROOT)}/")
    return [path for path in paths if not path.endswith("__init__.py")]


def test_the_tree_lists_every_package_and_root_module() -> None:
    assert sorted(set(_there()) - set(_listed())) == []


def test_everything_in_the_tree_is_there_and_stands_once() -> None:
    listed = _listed()
    assert [path for path in listed if not (ROOT / path).exists()] == []
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:\w+/)+[\w.*-]*)`", TEXT))))
def test_a_path_in_the_text_exists(path: str) -> None:
    assert list(ROOT.glob(path.rstrip("/")))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:pipeline|deploy)\.[\w.]+)`", TEXT))))
def test_a_name_in_the_text_is_defined(name: str) -> None:
    assert _is_defined(name)


def _is_defined(name: str) -> bool:
    """Whether a dotted name is a module, or is defined in one; read without importing it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ROOT.joinpath(*parts[:length])
        if module.is_dir():
            return length == len(parts)
        if module.with_suffix(".py").is_file():
            return _defines(ast.parse(module.with_suffix(".py").read_text()), parts[length:])
    return False


def _defines(scope: ast.Module | ast.ClassDef, names: list[str]) -> bool:
    if not names:
        return True
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and node.name == names[0]:
            return _defines(node, names[1:])
        if isinstance(node, ast.FunctionDef) and node.name == names[0]:
            return len(names) == 1
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == names[0]:
            return len(names) == 1
    return False


def test_a_name_that_is_not_defined_is_noticed() -> None:
    assert _is_defined("pipeline.run.Run")
    assert _is_defined("pipeline.stage.stage")
    assert not _is_defined("pipeline.stage.stage.work")
    assert not _is_defined("pipeline.run.Walk")
    assert not _is_defined("pipeline.walk.Run")
    assert not _is_defined("pipeline.run.Run.walk")
