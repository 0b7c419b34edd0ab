"""Mutated inputs for every reader: no foreign errors, no hanging, no merged papers.

Half of the inputs are samples with changed bytes. The other half are exports of three papers, each value of which names
its paper, with changed lines: no record that is read may name two.

Usage::

    python -m benchmarks.pubmed.fuzz_readers --inputs 100000 [--samples FOLDER] --write

Samples are those written below and, with ``--samples``, all files of a folder that are not too large. Every mutation is
drawn from a seeded generator, so that an input can be made again from its number. A failure ends the run with the
number, the sample and the traceback. Results go to ``benchmarks/results/fuzz_readers.json``.
"""

import argparse
import collections
import contextlib
import gzip
import hashlib
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.errors import MedQAError
from llama_index_medqa.pubmed.formats.jsonl import as_data
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord

LIMIT_SECONDS = 10
LARGEST_SAMPLE = 60_000

ARTICLE = """<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">1</PMID>
<DateRevised><Year>2020</Year><Month>01</Month><Day>02</Day></DateRevised><Article PubModel="Print"><Journal>
<ISSN IssnType="Print">0000-0000</ISSN><JournalIssue CitedMedium="Print"><Volume>1</Volume><PubDate><Year>2001</Year>
<Month>Feb</Month></PubDate></JournalIssue><Title>Journal of Examples</Title></Journal>
<ArticleTitle>10<sup>9</sup>/L of <i>H. pylori</i> &amp; CO<sub>2</sub></ArticleTitle>
<ELocationID EIdType="doi" ValidYN="Y">10.1/x</ELocationID><Abstract>
<AbstractText Label="AIM" NlmCategory="OBJECTIVE">One &lt; two.</AbstractText><AbstractText>Three.</AbstractText>
<CopyrightInformation>us</CopyrightInformation></Abstract><AuthorList CompleteYN="Y"><Author ValidYN="Y">
<LastName>King</LastName><ForeName>Ada</ForeName><Initials>A</Initials><AffiliationInfo><Affiliation>Here</Affiliation>
</AffiliationInfo></Author><Author><CollectiveName>Group</CollectiveName></Author></AuthorList><Language>eng</Language>
<PublicationTypeList><PublicationType UI="D1">Review</PublicationType></PublicationTypeList></Article>
<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><RefSource>J</RefSource><PMID Version="1">5</PMID>
</CommentsCorrections></CommentsCorrectionsList><MeshHeadingList><MeshHeading>
<DescriptorName UI="D1" MajorTopicYN="N">Tea</DescriptorName><QualifierName UI="Q1" MajorTopicYN="Y">use</QualifierName>
</MeshHeading></MeshHeadingList></MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="pmc">PMC1</ArticleId>
</ArticleIdList><ReferenceList><Reference><Citation>Cited</Citation></Reference></ReferenceList></PubmedData>
</PubmedArticle>"""
BOOK = """<PubmedBookArticle><BookDocument><PMID Version="1">2</PMID><Book><BookTitle>B</BookTitle><PubDate>
<MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate></Book></BookDocument></PubmedBookArticle>"""
DELETION = '<DeleteCitation><PMID Version="1">3</PMID></DeleteCitation>'
XML = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE x PUBLIC "-//NLM//DTD" "https://x/y.dtd">\n{}'.format(
    f"<PubmedArticleSet>\n{ARTICLE}\n<!-- a remark -->{BOOK}{DELETION}{ARTICLE}</PubmedArticleSet>"
)
NBIB = """PMID- 1
TI  - A title
      goes on.
AB  - BACKGROUND: One. METHODS: Two.
FAU - King, Ada
AU  - King A
MH  - Tea/*use
DP  - 2001 Feb 3
RIN - J. PMID: 5
LID - 10.1/x [doi]

PMID- 2
TI  - Second.
"""
MEDICAL_DATA = json.dumps(
    [
        {"article_title": "T", "article_abstract": "A \u03b2", "pub_date": {"year": "2020", "month": "Jan", "day": ""}},
        {"article_title": "U", "article_abstract": "B", "pub_date": {"year": 2021, "month": 2, "day": 3}},
    ]
)
JSON_LINES = (
    json.dumps(
        {"pmid": "1", "title": "T", "sections": [{"text": "A", "label": "L"}], "date": {"year": 2000}, "mesh": ["M"]}
    )
    + "\n"
    + json.dumps({"deleted": "2"})
    + "\n"
    + json.dumps({"title": "T", "details": {"authors": [{"last_name": "K"}], "article_ids": [["doi", "x"]]}})
)


def _paper(word: str, number: int) -> dict[str, str]:
    """Return a paper every value of which names it.

    By its word or by a number that is its own.
    """
    return {
        "word": word,
        "pmid": f"9000{number}00{number}",
        "year": f"200{number}",
        "volume": f"7{number}7{number}",
        "page": f"88{number}88{number}",
    }


_PAPERS = [_paper("alpha", 1), _paper("beta", 2), _paper("gamma", 3)]
_RIS = """TY  - JOUR
AU  - {word}, Ann
TI  - The {word} trial of tea.
JO  - {word} Journal
PY  - {year}
VL  - {volume}
SP  - {page}
AB  - BACKGROUND: The {word} background.
The {word} results go on.
AN  - {pmid}
DO  - 10.1000/{word}
ER  -
"""
_NBIB = """PMID- {pmid}
OWN - NLM {word}
VI  - {volume}
DP  - {year} Feb
TI  - The {word} trial
      of {word} tea.
PG  - {page}
AB  - The {word} results.
FAU - {word}, Ann
JT  - {word} Journal
SO  - {word} {year}
"""
_OVID = """VN  - Ovid Technologies
UI  - {pmid}
AU  - {word} A
TI  - The {word} trial.
SO  - {word} Journal. {volume}(2):{page}, {year} Feb.
AB  - The {word} results.
YR  - {year}
"""
_OVID_NAMES = """<{number}>
Unique Identifier
  {pmid}
Title
  The {word} trial.
Source
  {word} Journal. {volume}(2):{page}, {year} Feb.
Abstract
  The {word} results.
"""
_ENDNOTE = """%0 Journal Article
%A {word}, Ann
%T The {word} trial.
%J {word} Journal
%D {year}
%V {volume}
%P {page}
%M {pmid}
%X The {word} results.
"""
_ABSTRACTS = """{number}. {word} J. {year} Feb;{volume}(2):{page}. doi: 10.1000/{word}.

The {word} trial of tea.

{word} A(1).

Author information:
(1)The {word} house.

The {word} results
go on.

DOI: 10.1000/{word}
PMID: {pmid} [Indexed for MEDLINE]

"""
_CSV = '{pmid},"The {word} trial, of tea","{word} A, {word} B","{word} J. {year};{volume}:{page}.",{word} J,{year}\n'
_ROW = {"pmid": "{pmid}", "title": "{word} trial", "abstract": "{word} results", "volume": "{volume}", "year": "{year}"}
_JSON_LINE = json.dumps(_ROW).replace("{", "{{", 1)[:-1] + "}}\n"


def _export(template: str, between: str = "", header: str = "") -> str:
    papers = (template.format(number=number, **paper) for number, paper in enumerate(_PAPERS, start=1))
    return header + between.join(papers)


EXPORTS = {
    "ris": _export(_RIS, "\n"),
    "ris_dense": _export(_RIS),
    "export_nbib": _export(_NBIB, "\n"),
    "nbib_dense": _export(_NBIB),
    "ovid": _export(_OVID, "\n"),
    "ovid_names": _export(_OVID_NAMES, "\n"),
    "endnote": _export(_ENDNOTE, "\n"),
    "abstracts": _export(_ABSTRACTS, "\n"),
    "csv": _export(_CSV, header="PMID,Title,Authors,Citation,Journal/Book,Publication Year\n"),
    "json_lines": _export(_JSON_LINE),
    "json_list": "[\n" + ",\n".join(_export(_JSON_LINE).splitlines()) + "\n]\n",
}
SAMPLES = {"xml": XML, "nbib": NBIB, "medical_data": MEDICAL_DATA, "jsonl": JSON_LINES} | EXPORTS
TOKENS = (
    *(b"<", b">", b"</", b"/>", b"&", b";", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x?>", b"&#0;", b"&#xD800;"),
    *(b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"&nbsp;", b"<i>", b"</i>", b"<sup>", b"</PubmedArticle>", b"<PMID>"),
    *(b'"', b"'", b"{", b"}", b"[", b"]", b",", b":", b"null", b"1e999", b"-1", b"9" * 5000, b"\\ud800", b"\\u0000"),
    *(
        b"\n",
        b"\r",
        b"\t",
        b"      ",
        b"AB  - ",
        b"PMID- ",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\x1f\x8b",
    ),
    *(b"\xc2\x85", b"\xe2\x80\xa8", b"[" * 2000, b"<i>" * 300),
)


def mutated(sample: bytes, source: random.Random) -> bytes:
    """Return the sample after one to eight changes."""
    data = bytearray(sample)
    for _ in range(source.choice((1, 1, 1, 2, 4, 8))):
        position = source.randrange(len(data) + 1)
        length = min(source.choice((1, 1, 2, 8, 40, 400)), len(data) - position)
        change = source.randrange(6)
        if change == 0:
            data[position : position + length] = b""
        elif change == 1:
            data[position:position] = source.choice(TOKENS)
        elif change == 2:
            data[position : position + length] = source.randbytes(length)
        elif change == 3:
            data[position:position] = data[position : position + length]
        elif change == 4:
            other = source.randrange(len(data) + 1)
            data[position : position + length] = data[other : other + length]
        elif source.random() < 0.2:
            del data[position:]
    return gzip.compress(bytes(data))[: source.choice((None, None, -4, 30))] if source.random() < 0.05 else bytes(data)


def with_changed_lines(sample: str, source: random.Random) -> bytes:
    """Return the sample after one to three changes of lines.

    Of the kinds that programs and people make.
    """
    lines = sample.split("\n")
    for _ in range(source.choice((1, 1, 2, 3))):
        position = source.randrange(len(lines))
        line = lines[position]
        lines[position : position + 1] = source.choice(
            (
                *([], [line, line], [line, ""], ["", line], [line + "   "], [f" {line}"], [line.lower()]),
                *([line.replace('"', "", 1)], [line.replace(",", "", 1)], [line.replace("-", " ", 1)], [line[:-1]]),
                *([line[:8]], [line[1:]], ["ER  - ", line], ["TY  - JOUR", line], [line.replace("  ", " ", 1)]),
            )
        )
    text = source.choice(("\n", "\n", "\r\n", "\r")).join(lines)
    encoding = source.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16"))
    content = text[: source.randrange(len(text))] if source.random() < 0.1 else text
    return content.encode(encoding)


def papers_named(item: PubMedRecord | Deletion) -> set[str]:
    """Return the papers of the exports that a record names."""
    told = json.dumps(as_data(item)).lower()
    return {paper["word"] for paper in _PAPERS if any(value in told for key, value in paper.items() if key != "year")}


def read_all(content: bytes) -> int:
    """Read an input to its end, with everything that is parsed on first use."""
    number = 0
    for item in read_records(BytesIO(content)):
        json.dumps(as_data(item)).encode()
        if isinstance(item, PubMedRecord):
            assert item.record_hash
            assert item.text == "\n".join(item.text[span.start : span.end] for span in item.section_spans)
        number += 1
    return number


def require_unmerged(content: bytes) -> None:
    """Fail where a record names two papers."""
    for item in read_records(BytesIO(content)):
        named = papers_named(item)
        assert len(named) <= 1, f"{item.document_id} is put together from {sorted(named)}: {content!r}"


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """End a read that takes too long, in CPU seconds.

    Others may keep the processor busy.
    """

    def too_long(*_: object) -> None:
        raise TimeoutError(f"longer than {LIMIT_SECONDS} s")

    signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def samples(folder: Path | None) -> dict[str, bytes]:
    """Our own samples, and the smaller files of a folder."""
    found = {name: text.encode() for name, text in SAMPLES.items()}
    for path in sorted(folder.rglob("*")) if folder else ():
        if path.is_file() and path.suffix in {".xml", ".nbib", ".txt", ".medline", ".json", ".ris", ".csv", ".enw"}:
            content = path.read_bytes()
            if 0 < len(content) <= LARGEST_SAMPLE:
                found[path.name] = content
    return found


def outcome(content: bytes, description: str, *, is_export: bool) -> str:
    """Read an input, and return ``read`` or the name of the error."""
    try:
        with time_limit():
            read_all(content)
            if is_export:
                require_unmerged(content)
    except MedQAError as error:
        if len(str(error).splitlines()) != 1:
            raise RuntimeError(f"{description}: not one line: {error!r}") from error
        return type(error).__name__
    except BaseException:
        sys.stderr.write(f"{description}:\n")
        raise
    return "read"


def main() -> None:
    """Read mutated inputs and count what came of them."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of files.")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--seed", type=int, default=20_240_601)
    parser.add_argument("--write", action="store_true", help="write the results file")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    made_with = provenance([], ["lxml", "isal"])
    found = samples(arguments.samples)
    own = list(SAMPLES)
    outcomes: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    for number in range(arguments.inputs):
        source = random.Random(f"{arguments.seed}/{number}")
        is_export = number % 2 == 1
        name = source.choice(own) if source.random() < 0.7 else source.choice(list(found))
        name = source.choice(list(EXPORTS)) if is_export else name
        content = with_changed_lines(EXPORTS[name], source) if is_export else mutated(found[name], source)
        start = time.process_time()
        outcomes[outcome(content, f"input {number}, mutated from {name}", is_export=is_export)] += 1
        slowest = max(slowest, time.process_time() - start)
    results = {
        **made_with,
        "samples": {name: hashlib.sha256(content).hexdigest()[:12] for name, content in found.items()},
        "inputs": arguments.inputs,
        "outcomes": dict(outcomes),
        "slowest_s": round(slowest, 3),
    }
    sys.stdout.write(json.dumps({key: results[key] for key in ("inputs", "outcomes", "slowest_s")}) + "\n")
    if arguments.write:
        write_results("fuzz_readers", results)


if __name__ == "__main__":
    main()
