"""The examples run as a user runs them, and say what they promise."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from llama_index_medqa.cli.command import app as command_line
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
# A script for the command, as an installation makes it: this interpreter, this checkout.
COMMAND = f"#!/bin/sh\nexec {sys.executable} -c 'from llama_index_medqa.cli.command import main; main()' \"$@\"\n"


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/medqa").write_text(COMMAND)
    (folder / "bin/medqa").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "MEDQA_CACHE_DIR": str(folder),
        "TMPDIR": str(folder),
    }
    environment.pop("GITHUB_STEP_SUMMARY", None)
    return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "streaming.py",
            [
                "compared with water [PMID:101].",
                "No serious adverse events occurred with green tea [PMID:101].",
                "): It also cures the common cold.",
            ],
        ),
        (
            "chat.py",
            [
                "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:101].",
                "No serious adverse events occurred with green tea [PMID:101].",
                "I cannot answer this from the indexed literature.",
            ],
        ),
        (
            "agent_tool.py",
            [
                "the tool said: Walking for 15 minutes after each meal lowered blood glucose by 12",
                "with 1 checked citation(s)",
                "the agent said: Walking for 15 minutes",
            ],
        ),
        (
            "custom_corpus.py",
            [
                "indexed again: 2 unchanged",
                "Drinking water does not change its results [Leaflet 7: before a fasting blood test].",
                "characters 89 to 132: Drinking water does not change its results.",
                "Is green tea good for the heart? I cannot answer this from the indexed literature.",
            ],
        ),
        (
            "other_vector_store.py",
            [
                "QdrantVectorStore:\n  deletes nodes by id: yes\n",
                "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:101].",
            ],
        ),
        (
            "evaluate_engine.py",
            [
                "1.00: Does green tea lower the resting heart rate?\n  0.00: Does walking",
                "0.00: Does music before surgery lessen pain after surgery?",
                "not scored, no gold label: Is vitrification of ovarian tissue safer than slow freezing?",
            ],
        ),
        (
            "evaluate_text_files.py",
            [
                "Recall@1: 1.000 (1.000 to 1.000), 2 of 3 cases; 1 no gold document",
                "Accuracy: 1.000 (1.000 to 1.000), 1 of 3 cases; 2 no gold label",
                "Gate: not enough evidence",
            ],
        ),
        (
            "own_judge.py",
            [
                # It cannot tell a claim from its contrary.
                "supported against refuted:  AUROC 0.50",
                "'Green tea raised the resting heart rate.': 1.0",
            ],
        ),
    ],
)
def test_an_example_runs(name, expected, tmp_path):
    if name == "other_vector_store.py":
        pytest.importorskip("llama_index.vector_stores.qdrant")
    done = run([sys.executable, str(EXAMPLES / name)], tmp_path)
    assert done.returncode == 0, done.stderr
    for part in expected:
        assert part in done.stdout
    assert "Warning" not in done.stderr


def test_every_script_is_run_and_listed():
    scripts = {path.name for path in EXAMPLES.glob("*.py")} - {"papers.py"}
    tested = {name for name, _ in test_an_example_runs.pytestmark[0].args[1]}
    assert scripts == tested
    listed = (EXAMPLES / "README.md").read_text()
    assert all(f"]({name})" in listed for name in (*scripts, "rag_usecase.ipynb", "ci_gate/"))


def test_the_command_evaluates_the_same_engine(tmp_path):
    command = ["medqa", "evaluate", "cases.jsonl", "--engine", "evaluate_engine:engine", "--output", "results.json"]
    copy(tmp_path)
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    # Of four questions with a label it is right on three, always saying yes.
    summary = json.loads((tmp_path / "results.json").read_text())["summary"]
    assert summary["Accuracy"]["estimate"]["mean"] == pytest.approx(0.75)


def test_the_gate_passes_this_checkout_and_fails_a_worse_one(tmp_path):
    copy(tmp_path)
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    gate = tmp_path / "ci_gate/gate.sh"
    passed = run(["bash", str(gate), str(tmp_path / "first")], tmp_path)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "Gate: pass" in passed.stdout
    papers = (tmp_path / "papers.jsonl").read_text().splitlines()
    (tmp_path / "papers.jsonl").write_text(papers[0])
    failed = run(["bash", str(gate), str(tmp_path / "second")], tmp_path)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert {path.name for path in (tmp_path / "second").iterdir()} >= {
        "candidate.json",
        "gate.xml",
        "gate.html",
        "gate.md",
    }


def test_the_workflow_runs_the_gate():
    steps = yaml.safe_load((EXAMPLES / "ci_gate/answers.yml").read_text())["jobs"]["gate"]["steps"]
    assert "bash examples/ci_gate/gate.sh" in [step.get("run") for step in steps]
    kept = next(step["with"]["path"] for step in steps if step.get("if") == "always()").split()
    script = (EXAMPLES / "ci_gate/gate.sh").read_text()
    assert all(Path(path).name in script for path in kept)


def test_the_workflow_of_the_installed_package_gives_commands_that_exist(tmp_path):
    """Each command line is parsed by the command's own parser, and only the package and the job's files are named."""
    text = (EXAMPLES / "ci_gate/installed_package.yml").read_text()
    steps = yaml.safe_load(text)["jobs"]["gate"]["steps"]
    lines = [step["run"].replace("\\\n", " ") for step in steps if step.get("run", "").startswith("medqa")]
    assert [line.split()[1] for line in lines] == ["evaluate", "gate"]
    app = get_command(command_line)
    for line in lines:
        _, name, *words = shlex.split(line.partition("||")[0])
        app.commands[name].make_context(name, words)
    assert "examples/" not in text


def copy(folder: Path) -> None:
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "candidate*"))
