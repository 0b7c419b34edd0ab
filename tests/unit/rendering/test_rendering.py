"""Answers as text, Markdown, JSON, HTML, BibTeX and RIS."""

import base64
import json
import re
import shutil
import subprocess
from datetime import date
from html.parser import HTMLParser

import pytest
from llama_index.core.schema import NodeWithScore

from llama_index_medqa.answering.response import FINDINGS_LEAD, Disagreement, ExcludedPaper, MedQAResponse, quoted
from llama_index_medqa.rendering.export import save_answer
from llama_index_medqa.rendering.html import as_html
from llama_index_medqa.rendering.references import as_bibtex, as_ris, references
from llama_index_medqa.rendering.text import as_data, as_markdown, as_text
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation, Finding

TODAY = date(2026, 1, 31)
QUESTION = "Does <green> tea lower the heart rate & is it safe?"


@pytest.fixture
def response(documents, word_piece) -> MedQAResponse:
    from llama_index_medqa import TokenNodeParser

    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=64, chunk_overlap=16)
    nodes = [NodeWithScore(node=node, score=0.5) for node in parser.get_nodes_from_documents(documents)]
    tea, sleep = documents[0].text, documents[1].text

    def cited(number: int, text: str, quote: str) -> Citation:
        start = text.index(quote)
        title = documents[number].metadata["title"]
        return Citation(
            documents[number].id_, documents[number].metadata["pmid"], title, start, start + len(quote), quote
        )

    lowered = cited(0, tea, "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water.")
    against = cited(1, sleep, "H. pylori was rare.")
    sentences = [
        AnswerSentence("Green tea lowered the heart rate.", "supported", 0.9, (lowered,), (against,)),
        AnswerSentence("Tea <b>helps</b>.", "unsupported", 0.1),
    ]
    return MedQAResponse(
        response="Green tea lowered the heart rate [PMID:101]. Tea <b>helps</b>.",
        source_nodes=nodes,
        sentences=sentences,
        dropped=[AnswerSentence("It cures cancer.")],
        disagreements=[Disagreement(sentences[0].text, (lowered,), (against,))],
        retracted={"PMID:101": "concern"},
        notice="Not advice.",
        answered_by="scripted",
        as_of=date(2026, 1, 1),
        seconds={"retrieve": 0.1},
    )


class Page(HTMLParser):
    """What is in a page: marked texts, link targets, and any tag that would load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.active: list[str] = []
        self._inside = False

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "mark":
            self._inside = True
            self.marked.append("")
            self.ids.add(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        if tag in {"script", "img", "iframe", "link", "b"} or "src" in given:
            self.active.append(tag)

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "mark"

    def handle_data(self, data):
        if self._inside:
            self.marked[-1] += data


def test_html_shows_each_span_in_its_abstract(response):
    page = Page()
    page.feed(as_html(QUESTION, response, TODAY))
    quotes = {
        citation.quote for sentence in response.sentences for citation in (*sentence.citations, *sentence.opposing)
    }
    assert set(page.marked) == quotes
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner
    assert inner <= page.ids
    assert "https://pubmed.ncbi.nlm.nih.gov/101/" in page.links
    assert page.active == []
    text = as_html(QUESTION, response, TODAY)
    assert "Tea &lt;b&gt;helps&lt;/b&gt;. [unsupported]" in text
    assert "It cures cancer." in text
    assert "Not advice." in text


def test_text_and_markdown_say_what_a_reader_must_know(response):
    for text in (as_text(QUESTION, response, TODAY), as_markdown(QUESTION, response, TODAY)):
        for part in ("under an expression of concern", "Papers disagree", "1 sentence.", "Not advice.", "2026-01-01"):
            assert part in text
    assert "[[PMID:101](https://pubmed.ncbi.nlm.nih.gov/101/)]" in as_markdown(QUESTION, response, TODAY)
    assert "Tea \\<b\\>helps\\</b\\>." in as_markdown(QUESTION, response, TODAY)


def test_an_abstention_says_why_what_was_searched_and_what_is_near(response):
    empty = MedQAResponse(
        response="I cannot answer this from the indexed literature.",
        source_nodes=response.source_nodes,
        abstained="no_evidence",
        explanation="No retrieved record speaks of what was asked.",
        searched=["capital Mongolia"],
        answered_by="scripted",
    )
    for text in (as_text("q", empty, TODAY), as_markdown("q", empty, TODAY), as_html("q", empty, TODAY)):
        assert "No retrieved record speaks of what was asked." in text
        assert "Searched for: capital Mongolia" in text
        assert "Sleep duration and blood pressure in nurses" in text


@pytest.fixture
def findings(response) -> MedQAResponse:
    """A draft that did not pass the checks, and a quote in its place."""
    [quote] = response.sentences[0].citations
    return MedQAResponse(
        response=quoted([quote], {"PMID:101": "concern"}),
        source_nodes=response.source_nodes,
        findings=[quote],
        dropped=[AnswerSentence("It cures cancer.", findings=(Finding("entity", '"cancer" is not in the text'),))],
        draft="It cures cancer.",
        abstained="nothing_supported",
        explanation="scripted drafted 1 sentence, of which none could be verified.",
        searched=[QUESTION],
        retracted={"PMID:101": "concern"},
        caution="Ask a doctor.",
        answered_by="scripted",
    )


def test_findings_are_said_to_be_quotes_and_no_answer(findings):
    quote = findings.findings[0].quote
    shown = {
        as_text: as_text(QUESTION, findings, TODAY),
        as_markdown: as_markdown(QUESTION, findings, TODAY),
        as_html: as_html(QUESTION, findings, TODAY),
    }
    for text in shown.values():
        for part in ("Findings", FINDINGS_LEAD, quote, "Ask a doctor.", findings.explanation, "Searched for"):
            assert part in text
        assert "Answered by" not in text
        assert "Near, but no answer" not in text
        assert "Quoted from the papers; scripted drafted no answer that could be verified" in text
    page = Page()
    page.feed(shown[as_html])
    assert page.marked == [quote]
    assert {link[1:] for link in page.links if link.startswith("#")} == page.ids
    assert "It cures cancer. [&#34;cancer&#34; is not in the text]" in shown[as_html]
    data = json.loads(json.dumps(as_data(QUESTION, findings)))
    assert (data["outcome"], data["citations"]) == ("findings", [])
    assert data["findings"][0]["quote"] == quote
    assert [reference.document_id for reference in references(findings)] == ["PMID:101"]


def test_an_answer_and_nothing_are_told_apart_from_findings(response):
    nothing = MedQAResponse(response="I cannot answer this from the indexed literature.", abstained="no_evidence")
    for render in (as_text, as_markdown, as_html):
        assert "Nothing found" in render(QUESTION, nothing, TODAY)
        answer = render(QUESTION, response, TODAY)
        assert "Answer" in answer
        assert FINDINGS_LEAD not in answer
    assert as_data(QUESTION, nothing)["outcome"] == "nothing_found"
    assert as_data(QUESTION, response)["outcome"] == "answer"


def test_what_a_filter_left_out_is_rendered():
    paper = ExcludedPaper("PMID:7", "Old tea", "year >= 2020 (2011)")
    nothing = MedQAResponse(response="I cannot.", abstained="no_evidence", excluded=[paper])
    for render in (as_text, as_html):
        assert "PMID:7: Old tea [year" in render(QUESTION, nothing, TODAY)


def test_data_goes_through_json(response):
    data = json.loads(json.dumps(as_data(QUESTION, response)))
    assert data["links"] == {"PMID:101": "https://pubmed.ncbi.nlm.nih.gov/101/"}
    assert data["sentences"][0]["citations"][0]["pmid"] == "101"
    assert data["retracted"] == {"PMID:101": "concern"}


def test_bibtex_and_ris_hold_what_the_index_knows(response):
    [tea] = references(response)
    assert as_bibtex([tea]) == (
        "@article{PMID101,\n"
        "  title = {{Green tea and resting heart rate: a randomized trial.}},\n"
        "  journal = {Journal of Invented Trials},\n"
        "  year = {2021},\n"
        "  pmid = {101},\n"
        "  url = {https://pubmed.ncbi.nlm.nih.gov/101/},\n"
        "}\n"
    )
    assert as_ris([tea]).split("\r\n") == [
        "TY  - JOUR",
        "TI  - Green tea and resting heart rate: a randomized trial.",
        "JO  - Journal of Invented Trials",
        "PY  - 2021",
        "AN  - 101",
        "DB  - PubMed",
        "UR  - https://pubmed.ncbi.nlm.nih.gov/101/",
        "ER  - ",
        "",
    ]


def test_bibtex_and_ris_hold_authors_volume_issue_and_pages(response):
    cited = response.sentences[0].citations[0].document_id
    known = {
        "authors": "King, Martin L, Jr; Lovelace, Ada B; {Tea, Milk & Co Group}; et al.",
        "volume": "7",
        "issue": "2",
    }
    for item in response.source_nodes:
        if item.node.ref_doc_id == cited:
            item.node.metadata.update(known, pages="764-9")
    bibtex, ris = as_bibtex(references(response)), as_ris(references(response))
    # BibTeX: "von Last, Jr, First"; names are divided by "and", and "others" stands for the rest (btxdoc, section 4).
    assert "author = {King, Jr, Martin L and Lovelace, Ada B and {Tea, Milk \\& Co Group} and others}," in bibtex
    for line in ("volume = {7}", "number = {2}", "pages = {764--769}"):
        assert f"  {line}," in bibtex
    for line in (
        "AU  - King, Martin L, Jr",
        "AU  - Tea, Milk & Co Group",
        "VL  - 7",
        "IS  - 2",
        "SP  - 764",
        "EP  - 769",
    ):
        assert f"\r\n{line}\r\n" in ris


@pytest.mark.parametrize("pages", ["e123", "S1-S5", "12", "1-2, 5", ""])
def test_pages_that_are_no_range_stay_as_they_are(pages):
    from llama_index_medqa.rendering.references import Reference

    text = as_ris([Reference("PMID:1", "T", "1", pages=pages)])
    assert f"SP  - {pages}" in text if pages else "SP  - " not in text
    assert "EP  - " not in text


def test_the_source_is_pubmed_only_where_the_records_are(response):
    for number, item in enumerate(response.source_nodes):
        item.node.relationships.clear()
        item.node.metadata.pop("pmid", None)
        item.node.id_ = f"SHA:{number}"
    own = as_text(QUESTION, response, TODAY)
    assert "Source: files of your own, not PubMed" in own
    assert "courtesy" not in own
    assert MedQAResponse(response="x", source_nodes=response.source_nodes).metadata["source"].endswith("not PubMed")
    response.source_nodes[0].node.metadata["pmid"] = "101"
    assert "Library of Medicine, and files of your own, as of" in as_text(QUESTION, response, TODAY)
    response.source_nodes = response.source_nodes[:1]
    assert "Library of Medicine, as of" in as_text(QUESTION, response, TODAY)


def test_tex_cannot_be_broken_by_a_title():
    from llama_index_medqa.rendering.references import Reference

    text = as_bibtex([Reference("SHA:ab", r"50% of {A} & B_1 \ C")])
    assert r"title = {{50\% of \{A\} \& B\_1 \textbackslash{} C}}" in text


def test_answers_are_saved(response, tmp_path):
    from llama_index_medqa.errors import InputError

    files = {name: tmp_path / f"answer.{name}" for name in ("html", "markdown", "bibtex", "ris")}
    save_answer(QUESTION, response, **files)
    assert files["html"].read_text().startswith("<!DOCTYPE html>")
    assert files["ris"].read_bytes().count(b"\r\n") == 8
    with pytest.raises(InputError, match="cannot be written"):
        save_answer(QUESTION, response, html=tmp_path / "missing" / "a.html")


# What the browser made of the page, put where --dump-dom shows it.
_LOOK = """<script>
const marks = [...document.querySelectorAll("mark")].map((mark) => ({
  text: mark.textContent,
  colour: getComputedStyle(mark).backgroundColor,
  visible: mark.getBoundingClientRect().width > 0 && mark.getBoundingClientRect().height > 0,
}));
const seen = { marks, width: document.documentElement.scrollWidth, window: innerWidth };
document.body.innerHTML = `<pre>${btoa(unescape(encodeURIComponent(JSON.stringify(seen))))}</pre>`;
</script>"""


def test_a_browser_shows_the_spans_in_their_colours(response, tmp_path):
    """Looked at in headless Chromium: spans are visible in their colours, and nothing is wider than the window."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("needs a Chromium: no chromium, chromium-browser or google-chrome is installed")
    page = tmp_path / "answer.html"
    page.write_text(as_html(QUESTION, response, TODAY).replace("</body>", f"{_LOOK}</body>"), encoding="utf-8")
    flags = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --window-size=900,1400 --dump-dom"
    )
    command = [browser, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    seen = json.loads(base64.b64decode(re.search(r"<pre>([\w+/=]+)</pre>", done.stdout).group(1)))
    colours = {mark["text"]: mark["colour"] for mark in seen["marks"] if mark["visible"]}
    [lowered] = response.sentences[0].citations
    [against] = response.sentences[0].opposing
    assert colours == {lowered.quote: "rgb(255, 229, 138)", against.quote: "rgb(255, 201, 196)"}
    assert seen["width"] <= seen["window"]
