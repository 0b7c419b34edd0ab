"""``medqa verify`` on invented records and texts; spans are found by ``str.index``, copied sentences need no model."""

import io
import json
import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.verification.entailment import Entailment
from tests.conftest import REPOSITORY

ARTICLE = """
<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>
<Journal><JournalIssue><PubDate><Year>2020</Year></PubDate></JournalIssue><Title>Invented</Title></Journal>
<ArticleTitle>{title}</ArticleTitle><Abstract><AbstractText>{abstract}</AbstractText></Abstract>
<PublicationTypeList><PublicationType UI="D016428">{kind}</PublicationType></PublicationTypeList>
</Article></MedlineCitation></PubmedArticle>"""
TEA = "Green tea lowered the resting heart rate by 3 beats per minute."
SLEEP = "Nurses who slept less had a higher blood pressure."
MAGNETS = "Magnet bracelets cured arthritis in all patients."
ARTICLES = [
    ("201", "Tea and the heart.", f"We gave 120 adults green tea. {TEA}", "Journal Article"),
    ("202", "Sleep of nurses.", SLEEP, "Journal Article"),
    ("203", "Magnets.", MAGNETS, "Retracted Publication"),
]
RECORDS = {pmid: f"{title}\n{abstract}" for pmid, title, abstract, _ in ARTICLES}
WRAPPED = """Tea and the heart

We gave 120 adults green tea or water for 12 weeks in a hospital. Green tea
lowered the resting heart rate by 3 beats per minute. No serious harm was
seen.
"""


@pytest.fixture
def indexed(medqa, tmp_path, tiny_model):
    """The command, in a folder with an index of the articles."""
    articles = "".join(
        ARTICLE.format(pmid=pmid, title=title, abstract=text, kind=kind) for pmid, title, text, kind in ARTICLES
    )
    (tmp_path / "records.xml").write_text(f'<?xml version="1.0"?><PubmedArticleSet>{articles}</PubmedArticleSet>')
    assert medqa("index", "records.xml", "--embedder", tiny_model)[0] == 0
    return medqa


def verified(medqa, *arguments, expected=0):
    code, out, err = medqa("verify", *arguments, "--json")
    assert (code, err) == (expected, "")
    return json.loads(out)


def span_of(quote, text):
    return (text.index(quote), text.index(quote) + len(quote))


def test_a_copied_sentence_is_tied_to_its_characters_in_a_file(medqa, tmp_path):
    (tmp_path / "tea.txt").write_text(f"We gave 120 adults green tea. {TEA} No serious harm was seen.")
    found = verified(medqa, TEA, "--text", "tea.txt")
    assert (found["all_supported"], found["evidence"], found["index"]) == (True, "text", None)
    [sentence] = found["sentences"]
    assert (sentence["verdict"], sentence["support"]) == ("supported", 1.0)
    [citation] = sentence["citations"]
    assert (citation["document_id"], citation["pmid"]) == ("TEXT", None)
    assert (citation["start"], citation["end"]) == span_of(TEA, (tmp_path / "tea.txt").read_text())
    code, out, _ = medqa("verify", TEA, "--text", "tea.txt")
    assert code == 0
    assert f"✓ supported (chance of support 1.00): {TEA}\n" in out
    assert f"    the text, characters 30-93: “{TEA}”\n" in out
    assert out.endswith("1 of 1 sentence supported.\n")


def test_quotes_of_a_wrapped_text_have_its_line_ends(medqa, tmp_path):
    (tmp_path / "tea.txt").write_bytes(WRAPPED.replace("\n", "\r\n").encode())
    [sentence] = verified(medqa, TEA, "--text", "tea.txt")["sentences"]
    [citation] = sentence["citations"]
    quote = "Green tea\r\nlowered the resting heart rate by 3 beats per minute."
    assert citation["quote"] == quote
    assert (citation["start"], citation["end"]) == span_of(quote, WRAPPED.replace("\n", "\r\n"))


def test_a_wrong_number_is_not_supported_and_the_exit_code_says_so(medqa, tmp_path):
    (tmp_path / "tea.txt").write_text(TEA)
    claim = "Green tea lowered the resting heart rate by 30 beats per minute."
    found = verified(medqa, claim, "--text", "tea.txt", expected=1)
    [sentence] = found["sentences"]
    assert found["all_supported"] is False
    assert sentence["verdict"] != "supported"
    assert "quantity" in [finding["kind"] for finding in sentence["findings"]]
    code, out, _ = medqa("verify", claim, "--text", "tea.txt")
    assert code == 1
    assert "'30 beats per minute' is not in the evidence" in out


def test_a_text_is_verified_without_index_embedder_or_model_server(tmp_path):
    (tmp_path / "tea.txt").write_text(TEA)
    script = (
        "import sys\n"
        f"sys.argv = ['medqa', 'verify', {TEA!r}, '--text', 'tea.txt', '--json']\n"
        "from llama_index_medqa.cli.command import main\n"
        "main()\n"
        "heavy = {'chromadb', 'llama_index', 'openai', 'torch', 'sentence_transformers', 'mcp', 'fastapi'}\n"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout)["all_supported"] is True


def test_a_draft_is_verified_sentence_by_sentence_with_its_marks(indexed, tmp_path, monkeypatch):
    def load(*arguments, **more):
        raise AssertionError("every sentence cites a record, so nothing is searched for")

    monkeypatch.setattr("llama_index_medqa.components.open_embedder", load)
    draft = f"""# Tea. And sleep

{TEA[:-1]} [PMID:201]. Is that much?
- {SLEEP} [PMID:202]
- {SLEEP[:-1]} [PMID:201].
"""
    (tmp_path / "draft.md").write_text(draft.replace("Is that", "Is [PMID:201] that"))
    found = verified(indexed, "--draft", "draft.md", expected=1)
    assert found["headings"] == ["Tea. And sleep"]
    assert [sentence["cited"] for sentence in found["sentences"]] == [
        ["PMID:201"],
        ["PMID:201"],
        ["PMID:202"],
        ["PMID:201"],
    ]
    tea, question, sleep, wrong = found["sentences"]
    assert (tea["verdict"], sleep["verdict"]) == ("supported", "supported")
    assert [finding["kind"] for finding in question["findings"]] == ["no_claim"]
    [citation] = tea["citations"]
    assert (citation["start"], citation["end"]) == span_of(TEA, RECORDS["201"])
    assert wrong["verdict"] == "unsupported"
    assert {"kind": "wrong_mark", "detail": "PMID:201 does not say this"} in wrong["findings"]
    code, out, _ = indexed("verify", "--draft", "draft.md")
    assert code == 1
    assert "– states nothing: Is that much?" in out
    assert "Not verified, because they are headings: Tea. And sleep" in out
    assert "2 of 3 sentences supported." in out


def test_a_draft_of_supported_sentences_and_questions_ends_with_0(indexed, tmp_path):
    (tmp_path / "draft.txt").write_text(f"Does [PMID:201] tea help? {TEA[:-1]} [PMID:201].")
    assert verified(indexed, "--draft", "draft.txt")["all_supported"] is True
    (tmp_path / "questions.txt").write_text("Does [PMID:201] tea help?")
    code, out, _ = indexed("verify", "--draft", "questions.txt")
    assert (code, "Nothing was verified: no sentence states anything." in out) == (1, True)


def test_given_records_decide_and_no_embedder_is_opened(indexed, monkeypatch):
    def load(*arguments, **more):
        raise AssertionError("the records are given")

    monkeypatch.setattr("llama_index_medqa.components.open_embedder", load)
    for pmids in (["--pmid", "201"], ["--pmid", "PMID:201", "--pmid", "202"]):
        found = verified(indexed, TEA, *pmids)
        assert (found["evidence"], found["index"]) == ("records", "medqa_index")
        [citation] = found["sentences"][0]["citations"]
        assert (citation["pmid"], (citation["start"], citation["end"])) == ("201", span_of(TEA, RECORDS["201"]))
    assert verified(indexed, TEA, "--pmid", "202", expected=1)["sentences"][0]["verdict"] == "unsupported"
    [record] = found["records"]
    assert record == {
        "document_id": "PMID:201",
        "title": "Tea and the heart.",
        "journal": "Invented",
        "year": 2020,
        "status": "current",
        "link": "https://pubmed.ncbi.nlm.nih.gov/201/",
    }


@pytest.mark.parametrize("arguments", [[TEA, "--pmid", "999"], [f"{TEA[:-1]} [PMID:999]."]])
def test_a_record_that_is_not_there_is_an_error_with_the_way_to_add_it(indexed, arguments):
    code, out, err = indexed("verify", *arguments)
    assert (code, out) == (1, "")
    assert re.fullmatch(r"Error: .+\n", err)
    assert "does not hold PMID:999, so nothing can be verified against it" in err
    command = shlex.split(err.partition("Add it with: medqa ")[2])
    assert command == ["index", "--query", "999[pmid]", "--index", "medqa_index"]


def test_the_way_to_add_missing_records_is_a_command_that_exists(indexed, tmp_path):
    from llama_index_medqa.cli.command import app

    (tmp_path / "draft.txt").write_text("Tea helps [PMID:998]. Coffee helps [PMID:999; PMID:201].")
    code, _, err = indexed("verify", "--draft", "draft.txt")
    assert (code, "PMID:998, PMID:999, so" in err) == (1, True)
    command = shlex.split(err.partition("Add it with: medqa ")[2])
    context = get_command(app).commands[command[0]].make_context("index", command[1:])
    assert (context.params["query"], context.params["folder"]) == ("998[pmid] OR 999[pmid]", "medqa_index")


def test_without_records_or_text_the_index_is_searched(indexed, tiny_model):
    found = verified(indexed, TEA, "--embedder", tiny_model)
    assert (found["evidence"], found["all_supported"]) == ("index", True)
    assert found["sentences"][0]["citations"][0]["pmid"] == "201"
    # A retracted paper supports nothing unless it is named, and then with a warning.
    assert verified(indexed, MAGNETS, "--embedder", tiny_model, expected=1)["all_supported"] is False
    code, out, _ = indexed("verify", MAGNETS, "--pmid", "203")
    assert (code, "Careful: PMID:203 is retracted." in out) == (0, True)
    assert verified(indexed, MAGNETS, "--pmid", "203")["records"][0]["status"] == "retracted"


def test_what_says_the_contrary_is_quoted(medqa, tmp_path, monkeypatch):
    contrary = "Green tea raised the resting heart rate."
    (tmp_path / "tea.txt").write_text(contrary)
    claim = "Green tea lowered the resting heart rate."
    model = ScriptedEntailment({(contrary, claim): Entailment(0.05, 0.05, 0.9)})
    monkeypatch.setattr("llama_index_medqa.verification.verifier.EntailmentEncoder", lambda: model)
    code, out, _ = medqa("verify", claim, "--text", "tea.txt")
    assert code == 1
    assert "✗ contradicted (chance of support 0.05): Green tea lowered" in out
    assert f"the text, characters 0-{len(contrary)} says the contrary: “{contrary}”" in out
    assert "0 of 1 sentence supported, 1 contradicted." in out


def test_nothing_in_a_text_moves_the_terminal(medqa, tmp_path):
    (tmp_path / "tea.txt").write_text(f"{TEA[:-1]} [red]\x1b[2J.")
    code, out, _ = medqa("verify", f"{TEA[:-1]} [red]\x1b[2J.", "--text", "tea.txt")
    assert code == 0
    assert "\x1b" not in out
    assert "[red]�[2J" in out


def test_standard_input_is_read_once(medqa, tmp_path, monkeypatch):
    (tmp_path / "tea.txt").write_text(TEA)
    for arguments in (["--draft", "-", "--text", "tea.txt"], [TEA, "--text", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEA.encode())))
        assert medqa("verify", *arguments)[0] == 0


MISUSES = {
    "nothing": ([], 2, "Give either a sentence"),
    "a sentence and a draft": (["Tea helps.", "--draft", "draft.txt"], 2, "Give either a sentence"),
    "an empty sentence": ([" ", "--text", "tea.txt"], 2, "nothing to verify"),
    "an empty draft": (["--draft", "empty.txt", "--text", "tea.txt"], 2, "empty.txt holds nothing to verify"),
    "records and a text": (["Tea.", "--pmid", "1", "--text", "tea.txt"], 2, "Give either --pmid or --text"),
    "standard input twice": (["--draft", "-", "--text", "-"], 2, "Only one of --text and --draft"),
    "no PMID": (["Tea.", "--pmid", "tea"], 2, "--pmid cannot be 'tea'"),
    "no strictness": (["Tea.", "--text", "tea.txt", "--strictness", "lax"], 2, "choose strict, balanced, open"),
    "no file": (["Tea.", "--text", "none.txt"], 1, "--text cannot read none.txt"),
    "an empty text": (["Tea.", "--text", "empty.txt"], 1, "text to verify against is empty"),
    "no text": (["Tea.", "--text", "latin.txt"], 1, "latin.txt is no text in UTF-8"),
    "no index": (["Tea.", "--pmid", "1", "--index", "nowhere"], 1, "medqa index FILE"),
}


@pytest.mark.parametrize("case", MISUSES)
def test_misuse_is_one_line_that_names_the_fix(medqa, tmp_path, case):
    for name, content in (("tea.txt", b"Tea."), ("empty.txt", b" \n"), ("latin.txt", "Käse.".encode("latin-1"))):
        (tmp_path / name).write_bytes(content)
    arguments, expected, message = MISUSES[case]
    code, out, err = medqa("verify", *arguments)
    assert (code, out) == (expected, "")
    assert re.fullmatch(r"Error: .+\n", err)
    assert message in err


def test_the_documentation_prints_what_it_says(medqa, tmp_path):
    """But for the chances, which are another version's after the model was made again."""
    page = (REPOSITORY / "docs" / "verify.md").read_text(encoding="utf-8").partition("## An example")[2]
    abstract, draft, output = re.findall(r"```(?:text|markdown)\n(.*?)```", page, re.DOTALL)[:3]
    (tmp_path / "abstract.txt").write_text(abstract)
    (tmp_path / "draft.md").write_text(draft)
    code, out, _ = medqa(*re.search(r"`medqa (verify .*?)` prints", page).group(1).split())
    assert code == 1
    chance = re.compile(r"chance of support \d\.\d\d")
    assert chance.sub("chance", out) == chance.sub("chance", output)


def test_the_documentation_names_every_field(medqa, tmp_path):
    (tmp_path / "tea.txt").write_text(TEA)
    found = verified(medqa, TEA, "--text", "tea.txt")
    page = (REPOSITORY / "docs" / "verify.md").read_text(encoding="utf-8").partition("## As data")[2]
    told = {name for row in re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == {*found, *found["sentences"][0]}
