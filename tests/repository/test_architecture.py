"""ARCHITECTURE.md tells the tree as it is, and the tree keeps its sizes."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "llama_index_medqa"
PAGE = REPOSITORY / "ARCHITECTURE.md"
FOLDERS = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
# Measured on the tree when this was written; a module that grows beyond is to be split.
MOST_LINES = 400
MOST_MODULES = 15
MOST_FUNCTION_LINES = 40  # with its docstring, without its decorators
CODE_FOLDERS = ("llama_index_medqa", "data_tools", "training", "benchmarks", "docs", "examples")


def is_former_path(module: Path) -> bool:
    return "= moved_to(" in module.read_text(encoding="utf-8")


def told_tree() -> dict[str, set[str]]:
    """For each folder or module that the table of the page names at its top level, the folders in it."""
    table = PAGE.read_text(encoding="utf-8").partition("## The tree")[2].partition("\n## ")[0]
    cells = [line.replace("\\|", "/").split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)`(?:\s*\(([^)]*)\))?", " ".join(cells))
    return {name: set(re.findall(r"`(\w+)`", inside)) for name, inside in named}


def test_the_page_tells_the_tree_of_two_levels():
    folders = {
        folder.name: {below.name for below in folder.iterdir() if below.is_dir() and below.name != "__pycache__"}
        for folder in FOLDERS
        if folder.parent == PACKAGE
    }
    modules = {path.stem: set() for path in MODULES if path.parent == PACKAGE and not is_former_path(path)}
    assert told_tree() == {**folders, **modules}


def test_the_page_names_the_former_paths():
    page = PAGE.read_text(encoding="utf-8")
    former = [path.stem for path in MODULES if path.parent == PACKAGE and is_former_path(path)]
    assert former
    assert [name for name in former if f"`{name}`" not in page] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_says_what_it_knows_and_holds_few_modules(folder):
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    assert text
    assert folder == PACKAGE or "mport" in text
    assert sum(path.suffix == ".py" and path.name != "__init__.py" for path in folder.iterdir()) <= MOST_MODULES


def test_no_module_is_longer_than_agreed():
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in MODULES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_no_function_is_longer_than_agreed():
    long = {
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}": lines
        for folder in CODE_FOLDERS
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_FUNCTION_LINES
    }
    assert long == {}
