"""Writes ``docs/readers-compared.md``: the same XML through three readers.

Usage::

    pip install llama-index-readers-papers==0.6.0 langchain-community==0.4.1 xmltodict defusedxml
    python -m benchmarks.pubmed.readers_compared --data FOLDER

The two stock readers run as they are, only their network is replaced: every request is answered with the sample. The
samples on the page are written by us. ``--data`` adds figures over the real PubMed records of a folder.
"""

import argparse
import contextlib
import gzip
import importlib.metadata
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from lxml import etree

PAGE = Path(__file__).parents[2] / "docs" / "readers-compared.md"
HEAD = '<?xml version="1.0" ?>\n<PubmedArticleSet>'

JOURNAL = (
    '<Journal><JournalIssue CitedMedium="Print"><PubDate><Year>2020</Year></PubDate></JournalIssue>'
    "<Title>Journal of Examples</Title></Journal>"
)


class Case(NamedTuple):
    """A sample and what it shows."""

    shows: str
    title: str
    abstract: str


class ReaderResult(NamedTuple):
    """The result of a reader: a title and a text, or an error."""

    title: str
    text: str


CASES = (
    Case(
        "Italics in the middle of title and abstract",
        "Eradication of <i>Helicobacter pylori</i> in children.",
        "<AbstractText>Infection with <i>H. pylori</i> is common, and <i>H. pylori</i> can be cured.</AbstractText>",
    ),
    Case(
        "Powers and indices",
        "Platelets below 50 x 10<sup>9</sup>/L.",
        "<AbstractText>We gave CO<sub>2</sub> to patients with 50 x 10<sup>9</sup>/L platelets or less.</AbstractText>",
    ),
    Case(
        "A structured abstract in which one paragraph has no label",
        "Green tea and heart rate.",
        '<AbstractText Label="METHODS" NlmCategory="METHODS">Adults drank tea.</AbstractText>'
        "<AbstractText>The trial was registered.</AbstractText>"
        '<AbstractText Label="RESULTS" NlmCategory="RESULTS">The heart rate fell.</AbstractText>',
    ),
    Case(
        "Paragraphs without labels",
        "Two paragraphs.",
        "<AbstractText>The first paragraph.</AbstractText><AbstractText>The second paragraph.</AbstractText>",
    ),
    Case(
        "A formula",
        "Effect size.",
        '<AbstractText>The effect was <mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:msup>'
        "<mml:mi>r</mml:mi><mml:mn>2</mml:mn></mml:msup><mml:mo>=</mml:mo><mml:mn>0.3</mml:mn></mml:math>,"
        " which is large.</AbstractText>",
    ),
    Case("A labelled paragraph alone", "One label.", '<AbstractText Label="AIM">To show one label.</AbstractText>'),
    Case("No abstract", "A letter.", ""),
)
JATS = """<pmc-articleset><article><front><journal-meta>
<journal-title>Journal of Examples</journal-title></journal-meta><article-meta><title-group>
<article-title>Tea lowers the heart rate</article-title></title-group>
<abstract><p>Infection with <italic>H. pylori</italic> is common in adults who drink no tea.</p></abstract>
</article-meta></front><back><ref-list><ref><element-citation><article-title>A cited paper about coffee</article-title>
</element-citation></ref></ref-list></back></article></pmc-articleset>"""


def xml_of(case: Case) -> bytes:
    """Return the case as the answer of E-utilities."""
    abstract = f"<Abstract>{case.abstract}</Abstract>" if case.abstract else ""
    return (
        f'{HEAD}<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">1</PMID>'
        f'<Article PubModel="Print">{JOURNAL}<ArticleTitle>{case.title}</ArticleTitle>{abstract}</Article>'
        "</MedlineCitation></PubmedArticle></PubmedArticleSet>"
    ).encode()


def by_llama_index(xml: bytes) -> ReaderResult:
    """LlamaIndex's ``PubmedReader``."""
    from llama_index.readers.papers import PubmedReader

    def answer(url: str, **_: Any) -> mock.Mock:
        return mock.Mock(content=b"<eSearchResult><Id>1</Id></eSearchResult>" if "esearch" in url else xml)

    with mock.patch("requests.get", answer), mock.patch("time.sleep"), contextlib.redirect_stdout(io.StringIO()):
        documents = PubmedReader().load_data("query", 1)
    if not documents:
        return ReaderResult("(no document)", "(no document)")
    return ReaderResult(str(documents[0].metadata["Title of this paper"]), documents[0].text)


def by_langchain(xml: bytes) -> ReaderResult:
    """LangChain's ``PubMedLoader``."""
    from langchain_community.document_loaders.pubmed import PubMedLoader

    found = json.dumps({"esearchresult": {"webenv": "W", "idlist": ["1"]}}).encode()
    with mock.patch("urllib.request.urlopen", lambda url: io.BytesIO(found if "esearch" in url else xml)):
        try:
            (document,) = PubMedLoader("query", 1).load()
        except Exception as error:  # noqa: BLE001 (whatever ends the other reader is what the page has to say)
            return ReaderResult(f"({type(error).__name__})", f"({type(error).__name__})")
    return ReaderResult(str(document.metadata["Title"]), document.page_content)


def by_medqa(xml: bytes) -> ReaderResult:
    """Our reader; the text is what follows the title."""
    from llama_index_medqa.pubmed.formats.xml import read_xml
    from llama_index_medqa.pubmed.record import PubMedRecord

    record = next(item for item in read_xml(io.BytesIO(xml)) if isinstance(item, PubMedRecord))
    return ReaderResult(record.title, "\n".join(section.text for section in record.sections))


READERS: dict[str, Callable[[bytes], ReaderResult]] = {
    "LlamaIndex `PubmedReader`": by_llama_index,
    "LangChain `PubMedLoader`": by_langchain,
    "`PubMedReader` of llama-index-medqa": by_medqa,
}


def cell(text: str) -> str:
    """Return a text as a cell of a Markdown table."""
    return "`" + re.sub(r"\s*\n\s*", " ⏎ ", text.strip()).replace("|", "\\|") + "`" if text.strip() else "(empty)"


def case_table(case: Case) -> str:
    """One case as a heading, its XML and a table."""
    xml = xml_of(case)
    lines = [f"### {case.shows}", "", "```xml", f"<ArticleTitle>{case.title}</ArticleTitle>"]
    lines += [f"<Abstract>{case.abstract}</Abstract>", "```", "", "| reader | title | text |", "|---|---|---|"]
    for name, read in READERS.items():
        title, text = read(xml)
        lines.append(f"| {name} | {cell(title)} | {cell(text)} |")
    return "\n".join([*lines, ""])


def real_records(folder: Path) -> Iterator[bytes]:
    """Every ``PubmedArticle`` below a folder, as an answer of its own."""
    for path in sorted(folder.rglob("*")):
        if path.name.endswith((".xml", ".xml.gz")):
            content = path.read_bytes()
            with contextlib.suppress(etree.XMLSyntaxError):
                tree = etree.fromstring(gzip.decompress(content) if path.suffix == ".gz" else content)
                for article in tree.iter("PubmedArticle"):
                    if article.find("MedlineCitation/Article/ArticleTitle") is not None:
                        yield HEAD.encode() + etree.tostring(article, with_tail=False) + b"</PubmedArticleSet>"


def words(text: str) -> str:
    """Return the words of a text in order, separated by single spaces.

    Signs that keep powers and fractions apart are none.
    """
    found = re.findall(r"[^\W_]+", re.sub(r"[\^/]", "", text))
    return f" {' '.join(found)} "


def figures(folder: Path) -> str:
    """Return how much of real titles and abstracts the readers keep.

    Expected values come from XPath's string().
    """
    titles, paragraphs, abstracts = Counter[str](), Counter[str](), Counter[str]()
    records = expected_paragraphs = with_abstract = 0
    for xml in real_records(folder):
        article = etree.fromstring(xml).find(".//Article")
        title = words(article.find("ArticleTitle").xpath("string()"))
        parts = [words(part.xpath("string()")) for part in article.iterfind("Abstract/AbstractText")]
        records += 1
        with_abstract += bool(parts)
        expected_paragraphs += len(parts)
        for name, read in READERS.items():
            found = read(xml)
            text = words(found.text)
            kept = sum(part in text for part in parts)
            titles[name] += words(found.title) == title
            paragraphs[name] += kept
            abstracts[name] += bool(parts) and kept == len(parts)
    lines = ["| reader | titles right | abstracts whole | paragraphs whole |", "|---|--:|--:|--:|"]
    for name in READERS:
        counts = (titles[name], records), (abstracts[name], with_abstract), (paragraphs[name], expected_paragraphs)
        lines.append(f"| {name} | {' | '.join(f'{right} of {total}' for right, total in counts)} |")
    return "\n".join([*lines, ""])


def full_text_section() -> str:
    """Return what LlamaIndex's reader does with full text, its purpose."""
    title, text = by_llama_index(JATS.encode())
    return "\n".join(
        [
            "## The full text that LlamaIndex's reader asks for",
            "",
            "LlamaIndex's `PubmedReader` searches PubMed Central and reads full texts (JATS), not PubMed's records. On",
            "the XML that it is made for it takes the *last* `article-title` of the document, which is one of the",
            "references, and drops what follows an inline element:",
            "",
            "```xml",
            JATS,
            "```",
            "",
            f"- title: {cell(title)}",
            f"- text: {cell(text)}",
            "",
        ]
    )


def page(data: Path | None) -> str:
    """Return the whole page."""
    packages = ("llama-index-readers-papers", "langchain-community", "xmltodict")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    parts = [
        "# Three readers on the same XML",
        "",
        "Made by `python -m benchmarks.pubmed.readers_compared`; change that script, not this page. The readers are "
        "those of",
        f"{versions}, and of this package.",
        "Every reader got the same bytes, as the answer of a network that is not there. ⏎ stands for a line's end.",
        "",
        "## PubMed's XML",
        "",
        "The samples are ours, reduced to what they show. LlamaIndex's `PubmedReader` is made for the full texts of",
        "PubMed Central (see below); here it shows what it does with a PubMed record.",
        "",
        *map(case_table, CASES),
        full_text_section(),
    ]
    if data:
        parts += [
            "## Real records",
            "",
            "Over real PubMed records (NLM's own samples and those that other projects use as tests). A title or a",
            "paragraph of an abstract is right when the text holds the words of XPath's `string()` of its element, all",
            "of them and in order. Our one miss is a demonstration of MathML, where we join a power to its base.",
            "",
            figures(data),
        ]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Compare readers of PubMed XML.")
    parser.add_argument("--data", type=Path, help="folder of real PubMed XML files")
    content = page(parser.parse_args().data)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(content)
    sys.stdout.write(f"{PAGE.name}: {len(content.splitlines())} lines\n")


if __name__ == "__main__":
    main()
