"""The papers of an answer for reference managers: BibTeX, RIS, links to PubMed."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.pubmed.pmids import is_pmid
from llama_index_medqa.text.printable import printable
from llama_index_medqa.verification.passages import document_id_of

PUBMED = "https://pubmed.ncbi.nlm.nih.gov"
# Characters that mean something to TeX, and what stands for them.
_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: f"\\{character}" for character in "&%$#_{}"
}


@dataclass(frozen=True)
class Reference:
    """A cited paper, as far as the index knows it.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        title: its title.
        pmid: PubMed identifier; None where it has none.
        journal: empty where unknown.
        year: None where unknown.
        doi: empty where unknown.
        status: such as ``retracted``; ``current`` where nothing is known against it.
        authors: as they are filed, ``King, Martin L``; ``et al.`` stands for those that the index does not hold.
        volume: empty where unknown.
        issue: empty where unknown.
        pages: as NLM prints them, such as ``764-9``; empty where unknown.
    """

    document_id: str
    title: str
    pmid: str | None = None
    journal: str = ""
    year: int | None = None
    doi: str = ""
    status: str = "current"
    authors: tuple[str, ...] = ()
    volume: str = ""
    issue: str = ""
    pages: str = ""

    @property
    def in_pubmed(self) -> bool:
        """Return whether the paper has a numeric PMID."""
        return bool(self.pmid) and is_pmid(str(self.pmid))

    @property
    def link(self) -> str | None:
        """Return the address in PubMed, else by DOI; None without both."""
        if self.in_pubmed:
            return f"{PUBMED}/{self.pmid}/"
        return f"https://doi.org/{quote(self.doi, safe='/:;()')}" if self.doi else None


def references(response: MedQAResponse) -> list[Reference]:
    """Return the papers that an answer cites or quotes, in order."""
    metadata: dict[str, dict[str, Any]] = {}
    for item in response.source_nodes:
        metadata.setdefault(document_id_of(item.node), item.node.metadata)
    found: dict[str, Reference] = {}
    for citation in (*response.citations, *response.findings):
        known = metadata.get(citation.document_id, {})
        found.setdefault(
            citation.document_id,
            Reference(
                citation.document_id,
                citation.title,
                citation.pmid,
                str(known.get("journal", "")),
                known.get("year"),
                str(known.get("doi", "")),
                str(known.get("status", "current")),
                tuple(name for name in str(known.get("authors", "")).split("; ") if name),
                *(str(known.get(key, "")) for key in ("volume", "issue", "pages")),
            ),
        )
    return list(found.values())


def as_bibtex(cited: list[Reference]) -> str:
    """Return BibTeX entries, one ``@article`` for each paper."""
    entries = []
    for reference in cited:
        fields = {
            "author": " and ".join(map(_bibtex_name, reference.authors)),
            "title": f"{{{_tex(reference.title)}}}",
            "journal": _tex(reference.journal),
            "year": str(reference.year or ""),
            "volume": _tex(reference.volume),
            "number": _tex(reference.issue),
            "pages": _tex("--".join(_page_range(reference.pages))),
            "doi": _tex(reference.doi),
            "pmid": reference.pmid or "" if reference.in_pubmed else "",
            "url": _tex(reference.link or ""),
            "note": reference.status.capitalize() if reference.status != "current" else "",
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        key = re.sub(r"\W", "", reference.document_id)
        entries.append("\n".join([f"@article{{{key},", *lines, "}"]) + "\n")
    return "\n".join(entries)


def as_ris(cited: list[Reference]) -> str:
    """Return RIS records (type JOUR) for EndNote, Zotero and others."""
    records = []
    for reference in cited:
        first_page, last_page = (*_page_range(reference.pages), "", "")[:2]
        tags = [
            ("TY", "JOUR"),
            *(("AU", name.strip("{}")) for name in reference.authors),
            ("TI", reference.title),
            ("JO", reference.journal),
            ("PY", str(reference.year or "")),
            ("VL", reference.volume),
            ("IS", reference.issue),
            ("SP", first_page),
            ("EP", last_page),
            ("DO", reference.doi),
            ("AN", reference.pmid or "" if reference.in_pubmed else ""),
            ("DB", "PubMed" if reference.in_pubmed else ""),
            ("UR", reference.link or ""),
            ("N1", reference.status.capitalize() if reference.status != "current" else ""),
        ]
        # A value of RIS ends with its line.
        lines = [f"{tag}  - {printable(' '.join(value.split()))}" for tag, value in tags if value]
        records.append("\r\n".join([*lines, "ER  - ", ""]))
    return "\r\n".join(records)


def _bibtex_name(name: str) -> str:
    """Return a name as BibTeX reads it.

    Family name first, suffix between; a group's in braces, so that it stays whole.
    """
    if name == "et al.":
        return "others"
    family, comma, rest = name.partition(",")
    if name.startswith("{") or not comma:
        return f"{{{_tex(name.strip('{}'))}}}"
    given, _, suffix = rest.partition(",")
    return ", ".join(_tex(part) for part in (family, suffix, given) if part.strip())


def _page_range(pages: str) -> list[str]:
    """Return the first and the last page in full.

    NLM leaves out what they share: ``764-9`` is 764 and 769.
    """
    first, dash, last = pages.partition("-")
    if not dash or not (first.isdigit() and last.isdigit()):
        return [pages]
    return [first, first[: max(0, len(first) - len(last))] + last]


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in printable(" ".join(text.split())))
