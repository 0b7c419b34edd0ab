"""The notebook, run with the real models as a reader runs it."""

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

NOTEBOOK = REPOSITORY / "examples/rag_usecase.ipynb"


def said(notebook: nbformat.NotebookNode) -> str:
    """What its cells printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


def check(text: str) -> None:
    # Found by retrieval, cited, and refused where the papers say nothing.
    assert "PMID:106 Vitrification or slow freezing" in text
    assert "[PMID:106]" in text
    assert "What are the most common symptoms of heart disease?\n  context only:" in text
    assert text.rstrip().splitlines()[-2] == "I cannot answer this from the indexed literature."


def test_it_runs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    client.execute()
    check(said(notebook))


def test_what_is_committed_is_what_it_says():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(output.output_type == "error" for cell in notebook.cells for output in cell.get("outputs", ()))
    check(said(notebook))
