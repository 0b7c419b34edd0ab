"""The notebook, run with the real models as a reader runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

NAME = "rag_usecase.ipynb"


def said(notebook: Path) -> str:
    """What its cells printed."""
    outputs = [output for cell in json.loads(notebook.read_text())["cells"] for output in cell.get("outputs", ())]
    assert not any(output["output_type"] == "error" for output in outputs)
    return "".join("".join(output.get("text", "")) for output in outputs)


def check(text: str) -> None:
    # Found by retrieval, cited, judged under each prompt, and refused where the papers say nothing.
    assert "PMID:106 Vitrification or slow freezing" in text
    # Under each prompt an answer, or the findings that come nearest, with its paper.
    assert "[PMID:106]" in text
    assert "What are the most common symptoms of heart disease?\n  context only: " in text
    assert text.rstrip().splitlines()[-2] == "I cannot answer this from the indexed literature."


def test_it_runs(tmp_path):
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    notebook = tmp_path / "examples" / NAME
    code = "from nbclient.cli import main; main()"
    command = [sys.executable, "-c", code, "--inplace", "--timeout=1500", str(notebook)]
    before = notebook.stat().st_mtime_ns
    done = subprocess.run(command, check=False, cwd=notebook.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert notebook.stat().st_mtime_ns > before
    check(said(notebook))
