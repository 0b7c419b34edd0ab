"""Formats that are known and not read: what they are, and what to do.

A refusal by name is better than records that are read wrongly or in part.
"""

import re
from typing import NamedTuple

from llama_index_medqa.pubmed.formats.xml.slices import RECORD_ELEMENTS, SET_ELEMENTS
from llama_index_medqa.pubmed.text import fold
from llama_index_medqa.redaction import redacted


class Foreign(NamedTuple):
    """A format that is known and not read.

    Attributes:
        kind: what the file is, such as ``a BibTeX file``.
        advice: what to do.
    """

    kind: str
    advice: str


_EXPORT_INSTEAD = "Export the papers as RIS, or from PubMed as XML or .nbib"
_WITH_ABSTRACTS = "Export the papers as RIS with their abstracts"
_UNPACK = "Unpack it and give the files inside"
_SAVE_NBIB = "Save the search in PubMed's format 'PubMed' (.nbib)"
_FETCH = "Fetch the records with efetch (db=pubmed, retmode=xml)"
_AS_LINES = "Write one record a line: frame.to_json('records.jsonl', orient='records', lines=True)"
_MAGIC = {
    b"%PDF-": Foreign("a PDF file", _EXPORT_INSTEAD),
    b"PK\x03\x04": Foreign("a ZIP archive or an Office file", _UNPACK + ", or save a sheet as CSV"),
    b"BZh": Foreign("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\x00": Foreign("compressed with xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": Foreign("compressed with zstd", _UNPACK),
    b"\xd0\xcf\x11\xe0": Foreign("an old Office file", "Save it as CSV, or export the papers as RIS"),
    b"{\\rtf": Foreign("an RTF file", _EXPORT_INSTEAD),
    b"SQLite format 3\x00": Foreign("a database", _EXPORT_INSTEAD),
    b"PAR1": Foreign("a Parquet file", _AS_LINES),
}
_ROOTS = {
    "xml": ("EndNote's", "Export it as RIS (in EndNote: 'RefMan (RIS) Export')"),
    "html": ("a web page", _SAVE_NBIB),
    "article": ("the full text of an article", "Give its PubMed record: XML or .nbib"),
    "pmc-articleset": ("full texts of PubMed Central", "Fetch the records from PubMed (db=pubmed)"),
    "rss": ("an RSS feed", _SAVE_NBIB),
    "feed": ("an Atom feed", _EXPORT_INSTEAD),
    "rdf:RDF": ("RDF, such as Zotero's", _WITH_ABSTRACTS),
    "modsCollection": ("MODS", _WITH_ABSTRACTS),
    "responseWrapper": ("Europe PMC's", _EXPORT_INSTEAD),
    "eSummaryResult": ("summaries of E-utilities", _FETCH),
    "eSearchResult": ("a search of E-utilities", "Fetch the records with efetch, or use --query"),
    "eFetchResult": ("an error of E-utilities", _FETCH),
    "eLinkResult": ("links of E-utilities", _FETCH),
    "ePostResult": ("an answer of E-utilities", _FETCH),
    "eInfoResult": ("an answer of E-utilities", _FETCH),
    "eSpellResult": ("an answer of E-utilities", _FETCH),
}
_SERVER_ERROR = re.compile("<ERROR>([^<]*)")
_ROOT = re.compile(r"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^>\[]*>\s*)*<([A-Za-z_][\w:.-]*)[\s/>]", re.DOTALL)
_TEXTS = (
    (r"(?:%[^%\n]*\n\s*)*@\s*[A-Za-z]+\s*[{(]", "a BibTeX file", f"{_WITH_ABSTRACTS}, or from PubMed as .nbib"),
    (r"FN (?:Clarivate|ISI|Thomson)|PT\tAU\t", "Web of Science's export", "Export the papers as RIS"),
    (r"1: \S", "PubMed's summary export", f"{_SAVE_NBIB}, which has the abstracts"),
    (
        r"\d{1,9}\s*(?:[\n,]\s*\d{1,9}\s*)*\Z",
        "a list of PMIDs",
        "Fetch them: medqa index --query '123[uid] OR 456[uid]'",
    ),
)
# These are asked first: their lines look like those of other formats.
_EXPORTS = (
    (r"Scopus\s*\n\s*EXPORT DATE", "Scopus's text or BibTeX export", "Export the papers as RIS or CSV with abstracts"),
    (r"(?:_{20,}\s*)?Report Information from ProQuest|_{20,}\s*\n", "ProQuest's text export", _WITH_ABSTRACTS),
    (r"(?:EMBASE\s+)?RECORD 1\s*\n", "Embase's text export", _WITH_ABSTRACTS),
    (r'"?TITLE"?,"[^\n]*\n"?(?:AUTHOR|SOURCE|FULL RECORD)', "Embase's CSV by fields", _WITH_ABSTRACTS),
    (r"Record #1 of \d", "the Cochrane Library's text export", _WITH_ABSTRACTS),
)
_JSON = (
    (
        r"(?s)\{\s*\"header\"\s*:\s*\{[^}]*\"esummary\"",
        "an answer of E-utilities with summaries, not abstracts",
        _FETCH,
    ),
    (r"(?s)\{\s*\"header\"\s*:\s*\{[^}]*\"e[a-z]+\"", "an answer of E-utilities without records", _FETCH),
    (r"(?s).{0,400}?\"resultList\"\s*:", "Europe PMC's answer", "Give the list of its 'result'"),
    (r"(?s).{0,400}?\"Better(?: ?)BibTeX JSON\"", "Better BibTeX's JSON", "Export the papers as CSL JSON, CSV or RIS"),
    (r"\{\s*\"[^\"]*\"\s*:\s*\{\s*\"0\"\s*:|\{\s*\"columns\"\s*:\s*\[", "a data frame by columns", _AS_LINES),
    (r"\{\s*\"0\"\s*:\s*\{|\{\s*\"schema\"\s*:\s*\{", "a data frame by its index", _AS_LINES),
)
_ERROR_OF_SERVER = re.compile(r"\{\s*\"error\"\s*:\s*\"([^\"]{1,200})")
_MANY_LINES = re.compile(r"\{\s*(?:\n|\"[^\"]*\"\s*:\s*[\[{]?\s*\n)")


def foreign_binary(start: bytes) -> Foreign | None:
    """Return the format that a file's first bytes tell."""
    return next((foreign for magic, foreign in _MAGIC.items() if start.startswith(magic)), None)


def foreign_xml(text: str) -> Foreign | None:
    """Return the format that a root element tells.

    None for PubMed's, and where there is no root element.
    """
    found = _ROOT.match(text)
    known = SET_ELEMENTS | RECORD_ELEMENTS
    if found is None or found[1] in known:
        return None
    what, advice = _ROOTS.get(found[1], ("", f"Expected one of {', '.join(sorted(known))}"))
    error = _SERVER_ERROR.search(text)
    said = f"The server said: {redacted(fold(error[1]))}. " if error else ""
    return Foreign(f"XML, but not PubMed's: its root element is <{found[1]}>{what and f' ({what})'}", said + advice)


def foreign_json(text: str) -> Foreign | None:
    """Return what a JSON object is that is no record.

    None where it may be the first of JSON lines.
    """
    if error := _ERROR_OF_SERVER.match(text):
        return Foreign("the error of a server", f"It said: {redacted(fold(error[1]))}. Ask again")
    named = _named(text, _JSON)
    if named is None and _MANY_LINES.match(text):
        return Foreign("a JSON object over several lines", "Give a list of records, or one record a line")
    return named


def foreign_export(text: str) -> Foreign | None:
    """Return the database of an export that is not read.

    Of those whose lines could be taken for another format's.
    """
    return _named(text, _EXPORTS)


def foreign_text(text: str) -> Foreign | None:
    """Return what a text is that no reader knows."""
    return _named(text, _TEXTS)


def _named(text: str, known: tuple[tuple[str, str, str], ...]) -> Foreign | None:
    return next((Foreign(kind, advice) for form, kind, advice in known if re.match(form, text)), None)
