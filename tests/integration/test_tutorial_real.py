"""The tutorial's commands and Python, run word for word in a copy of the examples with the real models."""

import re
import shlex
import shutil

import pytest

from tests.conftest import REPOSITORY
from tests.integration.test_readme_real import command, run

pytestmark = pytest.mark.integration

TUTORIAL = (REPOSITORY / "docs/tutorial.md").read_text()
NO_ENTREZ = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each command printed, in the tutorial's order, and the folder."""
    folder = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(REPOSITORY / "examples", folder / "examples")
    lines = re.findall(r"^(medqa .*)$", TUTORIAL, re.MULTILINE)
    return folder, {line: command(folder, shlex.split(line), NO_ENTREZ) for line in lines}


def output_of(said, *words: str) -> list[str]:
    return [output for line, output in said[1].items() if all(word in line for word in words)]


def test_the_index_and_the_answers(said):
    assert "8 records added" in output_of(said, "medqa index")[0]
    assert "bge-small-en-v1.5" in output_of(said, "medqa info")[0]
    quoted, drafted = output_of(said, "medqa ask", "walking")
    assert "Answer: " in quoted
    assert "[PMID:103]" in quoted
    # An answer, or the finding itself, said to be a quote.
    assert re.search(r"^(?:Answer|Findings): ", drafted, re.MULTILINE)
    assert "[PMID:103]" in drafted
    assert "I cannot answer this from the indexed literature." in output_of(said, "medqa ask", "migraine")[0]


def test_the_evaluation_and_the_verdict(said):
    assert all("6 questions asked" in output for output in output_of(said, "medqa evaluate"))
    assert "Gate:" in output_of(said, "medqa gate")[0]
    assert (said[0] / "gate.html").exists()


def test_the_python(said):
    output = run(said[0], re.search(r"```python\n(.*?)```", TUTORIAL, re.DOTALL).group(1))
    assert "PMID:103" in output
