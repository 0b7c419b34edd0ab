"""The command, with a tiny embedder in place of packaged weights; every failure is one line with its fix."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ARTICLE = """
<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>
<Journal><JournalIssue><PubDate><Year>2020</Year></PubDate></JournalIssue><Title>Invented</Title></Journal>
<ArticleTitle>{title}</ArticleTitle><Abstract><AbstractText>{abstract}</AbstractText></Abstract>
</Article></MedlineCitation></PubmedArticle>"""
ARTICLES = [
    ("201", "Tea and the heart.", "Green tea lowered the resting heart rate by 3 beats per minute."),
    ("202", "Sleep of nurses.", "Nurses who slept less had a higher blood pressure."),
]


@pytest.fixture
def xml(tmp_path):
    articles = "".join(ARTICLE.format(pmid=pmid, title=title, abstract=text) for pmid, title, text in ARTICLES)
    path = tmp_path / "records.xml"
    path.write_text(f'<?xml version="1.0"?><PubmedArticleSet>{articles}</PubmedArticleSet>')
    return path


@pytest.fixture
def medqa(medqa, tiny_model):
    """The command, with a tiny embedder where one is needed."""

    def run(*arguments: str, embedder: str | None = tiny_model):
        extra = ["--embedder", embedder] if embedder and arguments[0] in ("index", "ask", "update") else []
        return medqa(*arguments, *extra)

    return run


def test_index_ask_and_info(medqa, xml):
    code, out, _ = medqa("index", xml, "--json")
    assert (code, json.loads(out)["added"]) == (0, 2)
    code, out, _ = medqa("index", xml)
    assert (code, "0 records added, 0 updated, 2 unchanged" in out) == (0, True)
    assert "Embedding with tiny-bert (32 dimensions) on " in out
    code, out, _ = medqa("ask", "Does green tea lower the resting heart rate?", "--llm", "extractive")
    assert code == 0
    assert "Green tea lowered the resting heart rate by 3 beats per minute [PMID:201]." in out
    assert "Answered by extractive" in out
    assert "Answer: Yes [PMID:201]. Green tea" in out
    assert "Drafted by extractive" not in out
    assert re.search(r"PMID:201 +│ 19-82 +│ Tea and the heart\. \(2020\)", out)
    out = medqa("ask", "Does green tea lower the resting heart rate?", "--llm", "extractive", "--why")[1]
    assert "Drafted by extractive: 1 sentence, 1 shown." in out
    code, out, _ = medqa("info", "--json")
    assert (json.loads(out)["documents"], json.loads(out)["years"]) == (2, [2020, 2020])
    assert "tiny-bert" in medqa("info")[1]


@pytest.mark.parametrize("retrieval", ["hybrid", "dense", "lexical"])
def test_every_way_of_retrieval_and_retracted_papers(medqa, xml, retrieval):
    medqa("index", xml)
    question = ("ask", "Does green tea lower the resting heart rate?", "--llm", "extractive", "--retrieval", retrieval)
    assert "3 beats per minute [PMID:201]" in medqa(*question)[1]
    assert "3 beats per minute [PMID:201]" in medqa(*question, "--include-retracted")[1]


def test_an_answer_goes_into_files(medqa, xml, tmp_path):
    medqa("index", xml)
    files = {name: tmp_path / f"answer.{name}" for name in ("html", "markdown", "bibtex", "ris")}
    options = [part for name, file in files.items() for part in (f"--{name}", file)]
    question = ("ask", "Does green tea lower the resting heart rate?", "--llm", "extractive")
    assert medqa(*question, *options)[0] == 0
    texts = {name: file.read_text() for name, file in files.items()}
    assert "Green tea lowered the resting heart rate by 3 beats per minute.</mark>" in texts["html"]
    assert "[PMID:201](https://pubmed.ncbi.nlm.nih.gov/201/)" in texts["markdown"]
    assert "title = {{Tea and the heart.}}" in texts["bibtex"]
    assert "TI  - Tea and the heart." in texts["ris"]
    assert "summary of literature, not medical advice" in texts["html"]
    code, _, err = medqa(*question, "--html", tmp_path / "missing" / "a.html")
    assert (code, "cannot be written" in err) == (1, True)


def test_only_some_papers_are_asked(medqa, xml):
    medqa("index", xml)
    question = ("ask", "Does green tea lower the resting heart rate?", "--llm", "extractive", "--json")
    assert json.loads(medqa(*question, "--from-year", "2020", "--journal", "Invented")[1])["citations"]
    for options in (("--from-year", "2021"), ("--to-year", "2019"), ("--journal", "Other")):
        assert json.loads(medqa(*question, *options)[1])["abstained"] == "no_evidence"
    code, _, err = medqa(*question, "--policy", "lenient")
    assert (code, "choose strict, mark, report" in err) == (2, True)


def test_a_question_that_cannot_be_translated_is_refused_before_anything_is_loaded(medqa, xml, monkeypatch):
    medqa("index", xml)

    def load(*arguments, **more):
        raise AssertionError

    monkeypatch.setattr("llama_index_medqa.components.open_embedder", load)
    code, out, err = medqa("ask", "Senkt grüner Tee die Herzfrequenz?", "--llm", "extractive")
    assert (code, out) == (1, "")
    assert "The question is in German, and 'extractive' cannot translate it: ask it in English" in err
    code, out, err = medqa("ask", "Czy zielona herbata obniża tętno?")
    assert (code, out) == (1, "")
    assert "The question is in Polish." in err
    with pytest.raises(AssertionError):
        medqa("ask", "Does green tea lower the heart rate?", "--llm", "extractive")


def test_a_question_that_the_corpus_cannot_answer(medqa, xml):
    medqa("index", xml)
    code, out, _ = medqa("ask", "What is the capital of Mongolia?", "--llm", "extractive", "--json")
    answer = json.loads(out)
    assert (code, answer["abstained"], answer["sentences"]) == (0, "no_evidence", [])
    assert answer["answer"] == "I cannot answer this from the indexed literature."
    out = medqa("ask", "What is the capital of Mongolia?", "--llm", "extractive")[1]
    assert "I cannot answer this from the indexed literature." in out
    assert "nearest records" in out


def truncated(path):
    whole = gzip.compress(path.read_bytes() * 50)
    target = path.with_suffix(".xml.gz")
    target.write_bytes(whole[: len(whole) // 2])
    return target


def written(path, text):
    path.write_text(text)
    return path


BAD_INPUT = {
    "missing file": (lambda folder, xml: ["index", folder / "none.xml"], "none.xml"),
    "truncated gzip": (lambda folder, xml: ["index", truncated(xml)], "records.xml.gz"),
    "not PubMed's XML": (lambda folder, xml: ["index", written(folder / "a.xml", "<html><p/></html>")], "html"),
    "an empty corpus": (
        lambda folder, xml: ["index", written(folder / "a.xml", "<PubmedArticleSet></PubmedArticleSet>")],
        "No record",
    ),
    "overlap not less than the chunk": (
        lambda folder, xml: ["index", xml, "--chunk-size", "64", "--chunk-overlap", "64"],
        "chunk_overlap (64) must be less than chunk_size (64)",
    ),
    "Ray without a server to write to": (
        lambda folder, xml: ["index", xml, "--ray", "local"],
        "chroma run --path medqa_index",
    ),
    "a missing file for Ray": (
        lambda folder, xml: ["index", folder / "none.xml", "--ray", "local", "--index", "http://127.0.0.1"],
        "none.xml",
    ),
    "unknown profile": (lambda folder, xml: ["index", xml, "--profile", "gpu"], "embedded or mistral7b"),
    "no index": (lambda folder, xml: ["ask", "Why?", "--index", "nowhere"], "medqa index FILE"),
    "unknown embedder": (lambda folder, xml: ["index", xml, "--embedder", "word2vec"], "multilingual-e5-small"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_that_names_the_fix(medqa, tmp_path, tiny_model, xml, case):
    arguments, message = BAD_INPUT[case]
    code, out, err = medqa(*arguments(tmp_path, xml), embedder=None if case == "unknown embedder" else tiny_model)
    assert code == (2 if case in ("unknown profile", "Ray without a server to write to") else 1)
    assert re.fullmatch(r"Error: .+\n", err)
    assert message in err
    assert out == ""
    assert not (tmp_path / "medqa_index").exists()


def test_bad_ways_to_ask(medqa, xml, tmp_path, tiny_model, tmp_path_factory):
    medqa("index", xml)

    def error(*arguments, expected=2, **kwargs):
        code, _, err = medqa("ask", "Why?", *arguments, **kwargs)
        assert code == expected
        assert err.count("\n") == 1
        return err

    assert "No language-model server answers at http://127.0.0.1:9/v1" in error(
        "--api-base", "http://127.0.0.1:9/v1", expected=1
    )
    assert "give --api-base" in error("--llm", "server")
    assert "choose extractive, local, server" in error("--llm", "gpt")
    assert "leave one of the two out, or choose --llm local" in error("--llm", "extractive", "--adapter", "/nowhere")
    assert "--retrieval cannot be 'sparse': choose hybrid, dense, lexical" in error("--retrieval", "sparse")
    assert "give a GGUF file with --weights" in error("--llm", "local", "--profile", "mistral7b")
    wrong = written(tmp_path / "model.gguf", "GGUF but not the model")
    pytest.importorskip("xllamacpp")
    message = error("--llm", "local", "--weights", wrong, expected=1)
    assert "sha256" in message
    assert "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046" in message


def test_another_embedder_is_told_before_any_query(medqa, xml, tiny_model, tmp_path):
    import shutil

    medqa("index", xml)
    other = tmp_path / "other-bert"
    shutil.copytree(tiny_model, other)
    weights = other / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    code, _, err = medqa("ask", "Does tea help?", "--llm", "extractive", embedder=str(other))
    assert code == 1
    assert "built with 'tiny-bert' and is opened with 'other-bert'" in err


def test_usage_errors_have_their_own_exit_code(medqa):
    assert medqa("ask")[0] == 2


@pytest.mark.parametrize("command", [("ask", "Does tea help?"), ("evaluate", "cases.jsonl")])
def test_more_chunks_than_anybody_reads_are_refused_with_the_limit(medqa, command):
    code, _, err = medqa(*command, "--top-k", "100000")
    assert code == 2
    assert "1000" in err


def test_help_loads_nothing_heavy():
    script = (
        "import sys; sys.argv = ['medqa', '--help']\n"
        "from llama_index_medqa.cli.command import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'chromadb', 'llama_index', 'lxml', 'transformers', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_a_query_and_an_update(medqa, monkeypatch):
    from llama_index_medqa.testing import EutilsDouble, synthetic_records

    records = synthetic_records(5)
    double = EutilsDouble(records)
    with double.serve() as address:
        monkeypatch.setenv("MEDQA_ENTREZ_URL", address)
        code, out, _ = medqa("index", "--query", "synthetic", "--max", "4", "--json")
        assert (code, json.loads(out)["added"], json.loads(out)["crawl"]["fetched"]) == (0, 4, 4)
        asked = len(double.requests)
        code, out, _ = medqa("index", "--query", "synthetic", "--max", "4")
        assert (code, "0 records added, 0 updated, 4 unchanged" in out) == (0, True)
        assert len(double.requests) == asked
        pmid = list(records)[-1]
        double.put(pmid, records[pmid].replace(b"Synthetic record", b"Revised record"))
        code, out, _ = medqa("update")
        assert code == 0
        assert "4 records checked: 1 revised, 0 deleted" in out
        assert f"revised: PMID:{pmid}" in out
    code, out, _ = medqa("info")
    assert re.search(r"courtesy of the U\.S\. National Library of Medicine, as of \d{4}-\d\d-\d\d\.$", out.strip())


def test_a_query_of_which_a_record_does_not_come_is_told(medqa, monkeypatch):
    from llama_index_medqa.testing import EutilsDouble, synthetic_records

    records = synthetic_records(3)
    missing = list(records)[1]
    with EutilsDouble(records, undeliverable=[missing]).serve() as address:
        monkeypatch.setenv("MEDQA_ENTREZ_URL", address)
        code, out, _ = medqa("index", "--query", "synthetic")
    assert code == 3
    assert "2 records added" in out
    assert f"Without record: PMID {missing}" in out


def test_files_and_a_query_exclude_each_other(medqa, xml):
    assert "either files or --query" in medqa("index", xml, "--query", "tea")[2]
    assert "either files or --query" in medqa("index")[2]


@pytest.mark.parametrize("question", ["", "  ", "\n"])
def test_an_empty_question_is_told_before_anything_is_opened(medqa, question):
    code, out, err = medqa("ask", question, embedder=None)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("Error: The question is empty")


@pytest.fixture
def never_opened(monkeypatch):
    """Nothing large may be loaded."""
    monkeypatch.setattr("llama_index_medqa.components.open_embedder", lambda *_: pytest.fail("the embedder was loaded"))


@pytest.mark.parametrize("option", ["--html", "--markdown", "--bibtex", "--ris"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_loaded(medqa, xml, tmp_path, request, option):
    medqa("index", xml)
    request.getfixturevalue("never_opened")
    for path in (tmp_path / "missing" / "answer", tmp_path, Path("/proc/answer")):
        code, out, err = medqa("ask", "Does tea help?", "--llm", "extractive", option, path)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"{path} cannot be written: " in err


def test_one_file_for_two_formats_is_told(medqa, xml, tmp_path):
    medqa("index", xml)
    same = ("--html", tmp_path / "a", "--ris", tmp_path / "b" / ".." / "a")
    (tmp_path / "b").mkdir()
    code, _, err = medqa("ask", "Does tea help?", "--llm", "extractive", *same)
    assert (code, "give each a file of its own" in err) == (1, True)


def test_a_file_that_fails_at_last_keeps_no_other_from_being_written(medqa, xml, tmp_path, monkeypatch):
    from pathlib import Path

    medqa("index", xml)
    write = Path.write_text

    def full(path, *arguments, **options):
        if path.suffix == ".html":
            raise OSError(28, "No space left on device")
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    files = ("--html", tmp_path / "a.html", "--ris", tmp_path / "a.ris")
    code, out, err = medqa("ask", "Does green tea lower the resting heart rate?", "--llm", "extractive", *files)
    assert (code, "3 beats per minute" in out) == (1, True)
    assert "a.html cannot be written: No space left on device" in err
    assert "TI  - Tea and the heart." in (tmp_path / "a.ris").read_text()


def test_a_dead_server_is_told_before_anything_is_loaded(medqa, xml, request):
    medqa("index", xml)
    request.getfixturevalue("never_opened")
    code, out, err = medqa("ask", "Does tea help?", "--api-base", "http://127.0.0.1:9/v1")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "No language-model server answers at http://127.0.0.1:9/v1" in err


# --- what others wrote is shown, not obeyed ---------------------------------------------------------------------------

ESCAPES = "\x1b[31mred\x1b]8;;https://evil.example/\x07link\x9b2J\u202eback"


def test_no_escape_of_a_record_reaches_the_terminal_or_a_file(medqa, tmp_path):
    record = {
        "pmid": "301",
        "title": f"Tea {ESCAPES} and the heart.",
        "sections": [{"text": f"Green tea {ESCAPES} lowered the resting heart rate by 3 beats per minute."}],
        "journal": f"Journal {ESCAPES}",
    }
    (tmp_path / "records.jsonl").write_text(json.dumps(record) + "\n")
    assert medqa("index", tmp_path / "records.jsonl")[0] == 0
    files = {name: tmp_path / f"answer.{name}" for name in ("html", "markdown", "bibtex", "ris")}
    options = [part for name, file in files.items() for part in (f"--{name}", file)]
    question = ("ask", "Does green tea lower the resting heart rate?", "--llm", "extractive")
    code, out, err = medqa(*question, *options)
    assert (code, "3 beats per minute" in out) == (0, True)
    plain = medqa(*question, "--json")[1]
    assert json.loads(plain)["sources"][0]["title"] == record["title"]
    for text in (out, err, plain, *(file.read_text() for file in files.values())):
        assert not set(text) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize("name", ["[x]", "[/x]", "[bold]a[/bold]", ":smile:"])
def test_markup_in_names_is_shown_as_it_is(medqa, xml, name):
    code, out, _ = medqa("index", xml, "--index", name)
    assert (code, f"{name}: 2 records added" in out) == (0, True)
    out = medqa("info", "--index", name)[1]
    assert name in out
    question = ("ask", f"Does green tea {name} lower the resting heart rate?", "--llm", "extractive", "--index", name)
    code, out, _ = medqa(*question)
    assert (code, f"Question: Does green tea {name} lower" in out) == (0, True)


def test_no_escape_in_a_message_reaches_the_terminal(medqa):
    code, _, err = medqa("index", "\x1b[2Jnone\x9b.xml")
    assert (code, set(err) & set("\x1b\x9b")) == (1, set())
