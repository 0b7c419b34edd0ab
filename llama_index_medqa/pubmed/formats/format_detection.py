"""Detection of a file's format by its content."""

import codecs
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from llama_index_medqa.pubmed.byte_streams import Pieces
from llama_index_medqa.pubmed.formats.exports.delimited import delimiter_of, read_delimited
from llama_index_medqa.pubmed.formats.exports.endnote import read_endnote
from llama_index_medqa.pubmed.formats.exports.ovid import DIVIDER, read_ovid, read_ovid_names
from llama_index_medqa.pubmed.formats.exports.pubmed_abstracts import BEGINNING, read_pubmed_abstracts
from llama_index_medqa.pubmed.formats.exports.ris import read_ris
from llama_index_medqa.pubmed.formats.jsonl import read_jsonl
from llama_index_medqa.pubmed.formats.medical_data import read_medical_data
from llama_index_medqa.pubmed.formats.nbib import read_nbib
from llama_index_medqa.pubmed.formats.xml import read_xml
from llama_index_medqa.pubmed.formats.xml.slices import RECORD_ELEMENTS, SET_ELEMENTS
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord
from llama_index_medqa.pubmed.text import fold

Reader = Callable[[Pieces], Iterator[PubMedRecord | Deletion]]

SUPPORTED_FORMATS = (
    "PubMed/MEDLINE XML (.xml), PubMed's text exports (.nbib, .txt) and CSV, RIS, EndNote's .enw, Ovid's exports, "
    "medical_data.json and JSON lines (.jsonl), each also as .gz"
)


class Foreign(NamedTuple):
    """A format that is known and not read.

    Attributes:
        kind: what the file is, such as ``a BibTeX file``.
        advice: what to do.
    """

    kind: str
    advice: str


_EXPORT_INSTEAD = "Export the papers as RIS, or from PubMed as XML or .nbib"
_UNPACK = "Unpack it and give the files inside"
_MAGIC = {
    b"%PDF-": Foreign("a PDF file", _EXPORT_INSTEAD),
    b"PK\x03\x04": Foreign("a ZIP archive or an Office file", _UNPACK + ", or save a sheet as CSV"),
    b"BZh": Foreign("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\x00": Foreign("compressed with xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": Foreign("compressed with zstd", _UNPACK),
    b"\xd0\xcf\x11\xe0": Foreign("an old Office file", "Save it as CSV, or export the papers as RIS"),
    b"{\\rtf": Foreign("an RTF file", _EXPORT_INSTEAD),
    b"SQLite format 3\x00": Foreign("a database", _EXPORT_INSTEAD),
}
_SAVE_NBIB = "Save the search in PubMed's format 'PubMed' (.nbib)"
_FOREIGN_ROOTS = {
    "xml": ("EndNote's", "Export it as RIS (in EndNote: 'RefMan (RIS) Export')"),
    "html": ("a web page", _SAVE_NBIB),
    "article": ("the full text of an article", "Give its PubMed record: XML or .nbib"),
    "pmc-articleset": ("full texts of PubMed Central", "Fetch the records from PubMed (db=pubmed)"),
    "rss": ("an RSS feed", _SAVE_NBIB),
    "eSummaryResult": ("summaries of E-utilities", "Fetch the records with efetch"),
    "eSearchResult": ("a search of E-utilities", "Fetch the records with efetch, or use --query"),
}
_SERVER_ERROR = re.compile("<ERROR>([^<]*)")
_BIBTEX = re.compile(r"\s*(?:%[^%\n]*\n\s*)*@\s*[A-Za-z]+\s*[{(]")
_WEB_OF_SCIENCE = re.compile(r"\s*FN (?:Clarivate|ISI|Thomson)")
_SUMMARY = re.compile(r"\s*1: \S")
_PMIDS = re.compile(r"\s*\d{1,9}\s*(?:[\n,]\s*\d{1,9}\s*)*\Z")
_ROOT = re.compile(r"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^>\[]*>\s*)*<([A-Za-z_][\w:.-]*)[\s/>]", re.DOTALL)
_TAG = re.compile(r"PMID-|[A-Z][A-Z0-9]{1,3} {0,2}- ?\S")
_TAGS = re.compile(r"^([A-Z][A-Z0-9]{1,3}) {0,2}-(?: |$|(?<=PMID-))", re.MULTILINE)
_RIS = re.compile(r"^TY {1,2}- [A-Z]", re.MULTILINE)
_RIS_TAGS = frozenset({"A1", "ER", "JF", "JO", "N2", "PY", "T1", "Y1"})
_ENDNOTE = re.compile(r"%[0A-Z] \S")
_LINES_BEFORE_RIS = 30


def find_format(start: bytes) -> Reader | Foreign | None:
    """Return the reader of a file, or its foreign format.

    Args:
        start: the first piece of the file.

    Returns:
        None for an empty file, or one of no known format.
    """
    for magic, foreign in _MAGIC.items():
        if start.startswith(magic):
            return foreign
    text = _decoded(start)
    shown = text.lstrip()
    if DIVIDER.fullmatch(shown.partition("\n")[0].strip()):
        return _ovid(shown)
    if shown.startswith("<"):
        return _xml(shown)
    if shown.startswith("["):
        return read_medical_data
    if shown.startswith("{"):
        return read_jsonl
    return _exported(text, shown) or _foreign_text(shown)


def _decoded(start: bytes) -> str:
    is_wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = start.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _xml(text: str) -> Reader | Foreign:
    found = _ROOT.match(text)
    if found is None or found[1] in SET_ELEMENTS | RECORD_ELEMENTS:
        return read_xml
    root = found[1]
    what, advice = _FOREIGN_ROOTS.get(
        root, ("", f"Expected one of {', '.join(sorted(SET_ELEMENTS | RECORD_ELEMENTS))}")
    )
    error = _SERVER_ERROR.search(text)
    said = f"The server said: {fold(error[1])}. " if error else ""
    return Foreign(f"XML, but not PubMed's: its root element is <{root}>{what and f' ({what})'}", said + advice)


def _ovid(text: str) -> Reader:
    lines = [line for line in text.split("\n")[1:] if line.strip()]
    return read_ovid if lines and _TAG.match(lines[0]) else read_ovid_names


def _exported(text: str, shown: str) -> Reader | None:
    """Return the reader of a text with tags, or of a table."""
    first_lines = "\n".join(shown.split("\n")[:_LINES_BEFORE_RIS])
    if _RIS.search(first_lines):
        return read_ris
    if _ENDNOTE.match(shown):
        return read_endnote
    if _TAG.match(shown) and not BEGINNING.match(shown):
        return _tagged(set(_TAGS.findall(text)))
    first = first_lines.partition("\n")[0]
    if BEGINNING.fullmatch(first):
        return read_pubmed_abstracts
    return read_delimited if delimiter_of(first) else None


def _tagged(tags: set[str]) -> Reader:
    if tags & {"PMID", "PMCR"}:
        return read_nbib
    if tags & {"UI", "VN"}:
        return read_ovid
    return read_ris if tags & _RIS_TAGS else read_nbib


def _foreign_text(text: str) -> Foreign | None:
    if _BIBTEX.match(text):
        return Foreign("a BibTeX file", "Export the papers as RIS with their abstracts, or from PubMed as .nbib")
    if _WEB_OF_SCIENCE.match(text):
        return Foreign("Web of Science's export", "Export the papers as RIS")
    if _SUMMARY.match(text):
        return Foreign("PubMed's summary export", f"{_SAVE_NBIB}, which has the abstracts")
    if _PMIDS.match(text):
        return Foreign("a list of PMIDs", "Fetch them: medqa index --query '123[uid] OR 456[uid]'")
    return None
