"""The README's commands and Python, run word for word with the real models on a record of our own."""

import re
import subprocess
import sys

import pytest

from llama_index_medqa.testing import EutilsDouble, synthetic_records
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

README = (REPOSITORY / "README.md").read_text()
FINDING = "Caffeine slowed the recovery of the heart rate after strength exercise."
ARTICLE = f"""<PubmedArticle><MedlineCitation><PMID Version="1">301</PMID><Article>
<Journal><JournalIssue><PubDate><Year>2021</Year></PubDate></JournalIssue><Title>Invented</Title></Journal>
<ArticleTitle>Caffeine and exercise.</ArticleTitle><Abstract><AbstractText>{FINDING}</AbstractText></Abstract>
</Article></MedlineCitation></PubmedArticle>"""
XML = f"<PubmedArticleSet>{ARTICLE}</PubmedArticleSet>"
SEED = """[{"article_title": "Sleep of nurses", "article_abstract": "Nurses who slept less had more headaches.",
"pub_date": {"year": "2020", "month": "1", "day": "2"}}]"""
CASES = """{"id": "1", "question": "Does caffeine affect heart rate recovery after exercise?", "gold_pmids": ["301"]}"""
ENGINE = """from llama_index_medqa import BgeEmbedding, MedQAQueryEngine, PubMedIndex
from llama_index_medqa.weights import locate


def engine():
    embedder = BgeEmbedding(model_name=str(locate("bge-small-en-v1.5")))
    return MedQAQueryEngine.from_index(PubMedIndex.open("medqa_index", embed_model=embedder), llm="extractive")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import gzip

    folder = tmp_path_factory.mktemp("readme")
    (folder / "records.xml.gz").write_bytes(gzip.compress(XML.encode()))
    (folder / "medical_data.json").write_text(SEED)
    (folder / "cases.jsonl").write_text(CASES)
    (folder / "margins.toml").write_text("[margins]\n'Recall@5' = 0.05\n")
    (folder / "my_app").mkdir()
    (folder / "my_app" / "engines.py").write_text(ENGINE)
    return folder


def run(folder, script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(folder, arguments: list[str], entrez: str) -> str:
    prelude = f"import os, sys; sys.argv = {arguments!r}; os.environ['MEDQA_ENTREZ_URL'] = {entrez!r}\n"
    return run(folder, f"{prelude}from llama_index_medqa.cli.command import main; main()")


def test_the_commands(folder):
    import shlex

    lines = re.findall(r"^(medqa .*)$", README, re.MULTILINE)
    named = [line.split()[1] for line in lines]
    assert named == ["index", "index", "update", "ask", "ask", "ask", "ask", "info", "evaluate", "gate"]
    made_up = synthetic_records(3)
    records = {pmid: made_up[pmid].replace(b"Synthetic record", b"Takotsubo cardiomyopathy") for pmid in made_up}
    records["301"] = ARTICLE.encode()
    with EutilsDouble(records).serve() as address:
        outputs = {line: command(folder, shlex.split(line, comments=True), address) for line in lines[:-1]}
        # The candidate of the README is the baseline of the next comparison.
        (folder / "baseline.json").write_bytes((folder / "candidate.json").read_bytes())
        assert "Gate:" in command(folder, shlex.split(lines[-1]), address)
    for line, output in outputs.items():
        if line.startswith("medqa ask") and "--json" not in line:
            assert re.search(r"^(?:Answer|Findings): ", output, re.MULTILINE)
        if "extractive" in line:
            assert "Caffeine slowed the recovery of the heart rate after strength exercise [PMID:301]." in output
    assert FINDING in (folder / "answer.html").read_text()
    assert (folder / "report.html").exists()


def test_the_python(folder):
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    start = len("Caffeine and exercise.\n")
    output = run(folder, block.group(1))
    assert f"[('301', {start}, {start + len(FINDING)})]" in output
