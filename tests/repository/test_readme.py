"""What the README and CONTRIBUTING name must exist."""

import ast
import re
import tomllib

import pytest

from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README + CONTRIBUTING, re.MULTILINE))
    assert named
    assert named <= targets


def test_every_extra_exists():
    named = set(re.findall(r"^\| `([a-z`, ]+)` \|", README, re.MULTILINE))
    extras = {extra for cell in named for extra in re.split(r"`, `", cell)}
    assert {"embeddings", "local"} <= extras
    assert extras <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_every_python_block_is_valid_and_imports_public_names(block):
    import llama_index_medqa

    imports = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
    for node in imports:
        if node.module == "llama_index_medqa":
            assert {name.name for name in node.names} <= set(llama_index_medqa.__all__)


def test_every_option_exists():
    from typer.main import get_command

    from llama_index_medqa.cli.command import app

    commands = get_command(app).commands
    for line in re.findall(r"^medqa .*$", README, re.MULTILINE):
        name = line.split()[1]
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= options


def test_no_machine_path_or_registry_host_is_written_anywhere():
    import subprocess

    files = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        path = REPOSITORY / name
        if path.suffix in {".png", ".gz"} or path == REPOSITORY / "tests/repository/test_readme.py":
            continue
        text = path.read_text(errors="replace")
        assert not re.search(r"/work/|/root/|/home/\w|/opt/", text), name
