"""The commands and Python of README and docs/usage.md, run word for word with the real models."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest

from llama_index_medqa.testing import EutilsDouble, synthetic_records
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
USAGE = (REPOSITORY / "docs/usage.md").read_text(encoding="utf-8")
MAIN = "from llama_index_medqa.cli.command import main; main()"
START_SECONDS = 300
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
    return run(folder, prelude + MAIN)


def commands_of(page: str) -> list[str]:
    return re.findall(r"^(medqa .*)$", page, re.MULTILINE)


def test_the_commands_of_the_readme(demo, tmp_path):
    # The index of `medqa demo` with a model is there already: the demo without one goes on with it.
    shutil.copytree(demo[0], tmp_path, dirs_exist_ok=True)
    demo_line, app = commands_of(README)
    output = command(tmp_path, shlex.split(demo_line, comments=True), "http://127.0.0.1:9")
    assert "0 records added, 0 updated, 200 unchanged" in output
    assert len(re.findall(r"^(?:Answer|Findings): ", output, re.MULTILINE)) == 3
    assert output.count("extractive") >= 3
    shown = re.search(r"```text\n(Question: .*\nAnswer: .*)\.\n```", README)[1]
    assert shown in output
    # A browser that only has to be started.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "400", "BROWSER": "true"}
    arguments = [*shlex.split(app, comments=True)[1:], "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        address = re.search(r"medqa listens on (http://127\.0\.0\.1:\d+) ", process.stdout.readline())[1]
        deadline = time.monotonic() + START_SECONDS
        while httpx.get(f"{address}/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "200 records" in httpx.get(address).text
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def test_the_commands_of_the_page(folder):
    lines = commands_of(USAGE)
    named = [line.split()[1] for line in lines]
    assert named == ["index", "index", "update", "ask", "ask", "ask", "ask", "info", "evaluate", "gate"]
    made_up = synthetic_records(3)
    records = {pmid: made_up[pmid].replace(b"Synthetic record", b"Takotsubo cardiomyopathy") for pmid in made_up}
    records["301"] = ARTICLE.encode()
    with EutilsDouble(records).serve() as address:
        outputs = {line: command(folder, shlex.split(line, comments=True), address) for line in lines[:-1]}
        # The candidate of the page is the baseline of the next comparison.
        (folder / "baseline.json").write_bytes((folder / "candidate.json").read_bytes())
        assert "Gate:" in command(folder, shlex.split(lines[-1]), address)
    for line, output in outputs.items():
        if line.startswith("medqa ask") and "--json" not in line:
            assert re.search(r"^(?:Answer|Findings): ", output, re.MULTILINE)
        if "extractive" in line:
            assert "Caffeine slowed the recovery of the heart rate after strength exercise [PMID:301]." in output
    assert FINDING in (folder / "answer.html").read_text()
    assert (folder / "report.html").exists()


def test_the_python_of_the_readme(tmp_path):
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    block, shown = re.search(r"```python\n(.*?)```\n```text\n(.*?)```", README, re.DOTALL).groups()
    assert run(tmp_path, block) == shown
    pmid, start, end, quote = shown.rstrip("\n").split(" ", 3)
    papers = [json.loads(line) for line in (tmp_path / "examples/papers.jsonl").read_text().splitlines()]
    [text] = [f"{paper['title']}\n{paper['abstract']}" for paper in papers if paper["pmid"] == pmid]
    assert text[int(start) : int(end)] == quote


def test_the_python_of_the_page(folder):
    block = re.search(r"```python\n(.*?)```", USAGE, re.DOTALL)
    start = len("Caffeine and exercise.\n")
    output = run(folder, block.group(1))
    assert f"[('301', {start}, {start + len(FINDING)})]" in output
