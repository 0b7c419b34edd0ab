"""What the README and CONTRIBUTING name must exist."""

import ast
import json
import re
import tomllib

import pytest

from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CHINESE = (REPOSITORY / "README.zh-CN.md").read_text(encoding="utf-8")
INSTALL = (REPOSITORY / "docs/install.md").read_text(encoding="utf-8")
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README + CONTRIBUTING, re.MULTILINE))
    assert named
    assert named <= targets


def extras_in_tables(page: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE))


def test_every_extra_exists():
    extras = set(PROJECT["optional-dependencies"])
    assert extras_in_tables(INSTALL) == extras - {"dev"}
    assert {"local", "server"} <= extras_in_tables(README) <= extras
    named = [
        extra
        for page in (README, INSTALL)
        for names in re.findall(r'"\.\[([a-z,]+)\]', page)
        for extra in names.split(",")
    ]
    assert named
    assert set(named) <= extras


def test_the_readme_is_short_and_plain():
    assert len(README.split()) <= 900
    tables = re.findall(r"(?:^\|.*\n)+", README, re.MULTILINE)
    assert tables
    assert all(len(table.splitlines()) - 2 <= 6 for table in tables)
    # Words that only those who built it understand.
    assert re.findall(r"\b(?:seed|told|our machines|who declines)\b", README) == []


@pytest.mark.parametrize("readme", [README, CHINESE], ids=["english", "chinese"])
def test_the_verifiers_figures_are_those_of_its_card(readme):
    card = json.loads((REPOSITORY / "llama_index_medqa/verification/model/card.json").read_text(encoding="utf-8"))
    measured = card["claims"]["measured_on"]["balanced"]
    expected = [f"{measured[name]:.0%}".replace("%", " %") for name in ("true_kept", "wrong_passed")]
    assert re.findall(r"\d+ %", readme) == expected


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
        # A service lies in /opt/medqa by custom; the two homes are examples.
        assert not re.search(r"/work/|/root/|/home/(?!(?:you|somebody)/)\w|/opt/(?!medqa\b)", text), name
