"""What docs/evaluation.md shows must work."""

import ast
import re

from typer.main import get_command

from llama_index_medqa.cli.command import app
from llama_index_medqa.evaluation.cases import load_cases
from llama_index_medqa.evaluation.gate.margins import read_margins
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.measures.citation_support import names_by
from llama_index_medqa.evaluation.measures.ragas import RAGAS_NAMES
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs/evaluation.md").read_text()


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL).group(1)


def test_every_option_exists():
    commands = get_command(app).commands
    options = {option for name in ("evaluate", "gate") for one in commands[name].params for option in one.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE))
    assert {"--engine", "--margins", "--journal"} <= named <= options


def test_the_case_and_the_margins_can_be_read(tmp_path):
    (tmp_path / "case.jsonl").write_text(block("json"))
    assert load_cases(tmp_path / "case.jsonl")[0].gold_label == "yes"
    (tmp_path / "margins.toml").write_text(block("toml"))
    assert read_margins(tmp_path / "margins.toml").margins["Seconds"] == 2.0


def test_every_measure_is_in_the_table():
    shown = {
        name for row in re.findall(r"^\| (`[A-Z n].*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)
    }
    known = {measure.name for measure in measures_of(headings=["Tea"])} | set(names_by("verifier"))
    assert known | set(RAGAS_NAMES) == shown


def test_the_python_block_is_valid():
    assert any(isinstance(node, ast.Await) for node in ast.walk(ast.parse(block("python"))))
