"""Detection of a file's format by its content."""

import codecs
import re
from collections.abc import Callable, Iterator

from llama_index_medqa.pubmed.byte_streams import Pieces
from llama_index_medqa.pubmed.formats.exports.delimited import delimiter_of, read_delimited
from llama_index_medqa.pubmed.formats.exports.endnote import read_endnote
from llama_index_medqa.pubmed.formats.exports.foreign import (
    Foreign,
    foreign_binary,
    foreign_export,
    foreign_json,
    foreign_text,
    foreign_xml,
)
from llama_index_medqa.pubmed.formats.exports.ovid import DIVIDER, read_ovid, read_ovid_names
from llama_index_medqa.pubmed.formats.exports.pubmed_abstracts import BEGINNING, read_pubmed_abstracts
from llama_index_medqa.pubmed.formats.exports.ris import read_ris
from llama_index_medqa.pubmed.formats.jsonl import read_jsonl
from llama_index_medqa.pubmed.formats.medical_data import read_medical_data
from llama_index_medqa.pubmed.formats.nbib import read_nbib
from llama_index_medqa.pubmed.formats.xml import read_xml
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord

__all__ = ["SUPPORTED_FORMATS", "Foreign", "Reader", "find_format"]

Reader = Callable[[Pieces], Iterator[PubMedRecord | Deletion]]

SUPPORTED_FORMATS = (
    "PubMed/MEDLINE XML (.xml), PubMed's text exports (.nbib, .txt) and CSV, RIS, EndNote's .enw, Ovid's exports, "
    "medical_data.json and JSON lines (.jsonl), each also as .gz"
)


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
    if binary := foreign_binary(start):
        return binary
    text = _decoded(start)
    shown = text.lstrip()
    if DIVIDER.fullmatch(shown.partition("\n")[0].strip()):
        return _ovid(shown)
    if shown.startswith("<"):
        return foreign_xml(shown) or read_xml
    if shown.startswith("["):
        return read_medical_data
    if shown.startswith("{"):
        return foreign_json(shown) or read_jsonl
    return foreign_export(shown) or _exported(text, shown) or foreign_text(shown)


def _decoded(start: bytes) -> str:
    is_wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = start.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
