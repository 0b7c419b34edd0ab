"""The papers that an answer cites, for reference managers: BibTeX, RIS, and links to PubMed."""

import re
from dataclasses import dataclass
from typing import Any

from llama_index_medqa.response import MedQAResponse
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
    """

    document_id: str
    title: str
    pmid: str | None = None
    journal: str = ""
    year: int | None = None
    doi: str = ""
    status: str = "current"

    @property
    def link(self) -> str | None:
        """Address of the paper: in PubMed, else by its DOI; None where it has neither."""
        if self.pmid:
            return f"{PUBMED}/{self.pmid}/"
        return f"https://doi.org/{self.doi}" if self.doi else None


def references(response: MedQAResponse) -> list[Reference]:
    """The papers that an answer cites, in the order in which it does."""
    metadata: dict[str, dict[str, Any]] = {}
    for item in response.source_nodes:
        metadata.setdefault(document_id_of(item.node), item.node.metadata)
    found: dict[str, Reference] = {}
    for citation in response.citations:
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
            ),
        )
    return list(found.values())


def as_bibtex(cited: list[Reference]) -> str:
    """BibTeX entries, an ``@article`` a paper. Authors are left out: an index does not hold them."""
    entries = []
    for reference in cited:
        fields = {
            "title": f"{{{_tex(reference.title)}}}",
            "journal": _tex(reference.journal),
            "year": str(reference.year or ""),
            "doi": _tex(reference.doi),
            "pmid": reference.pmid or "",
            "url": _tex(reference.link or ""),
            "note": reference.status.capitalize() if reference.status != "current" else "",
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        key = re.sub(r"\W", "", reference.document_id)
        entries.append("\n".join([f"@article{{{key},", *lines, "}"]) + "\n")
    return "\n".join(entries)


def as_ris(cited: list[Reference]) -> str:
    """RIS records (type JOUR), a paper each, for EndNote, Zotero and others."""
    records = []
    for reference in cited:
        tags = {
            "TY": "JOUR",
            "TI": reference.title,
            "JO": reference.journal,
            "PY": str(reference.year or ""),
            "DO": reference.doi,
            "AN": reference.pmid or "",
            "DB": "PubMed" if reference.pmid else "",
            "UR": reference.link or "",
            "N1": reference.status.capitalize() if reference.status != "current" else "",
        }
        # A value of RIS ends with its line.
        lines = [f"{tag}  - {' '.join(value.split())}" for tag, value in tags.items() if value]
        records.append("\r\n".join([*lines, "ER  - ", ""]))
    return "\r\n".join(records)


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))
