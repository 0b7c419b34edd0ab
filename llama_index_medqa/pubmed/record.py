"""A PubMed record as plain, immutable data: the one form that every input is read into."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Status = Literal["current", "retracted", "retraction_notice", "concern", "corrected"]

TITLE_LABEL = "TITLE"
ABSTRACT_LABEL = "ABSTRACT"


@dataclass(frozen=True, slots=True)
class AbstractSection:
    """One paragraph of an abstract.

    Attributes:
        text: the paragraph, whitespace folded, without its label.
        label: the heading that the journal printed, such as ``METHODS``; None where there is none.
        category: NLM's normalised category (``BACKGROUND``, ``OBJECTIVE``, ``METHODS``, ``RESULTS``,
            ``CONCLUSIONS``); None where NLM gave none.
    """

    text: str
    label: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class SectionSpan:
    """Where a section lies in :attr:`PubMedRecord.text`: ``text[start:end]``, in characters."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PublicationDate:
    """A publication date of the precision that the source gave.

    Attributes:
        year: four digits.
        month: 1 to 12, or None.
        day: 1 to 31, or None; never set without a month.
    """

    year: int
    month: int | None = None
    day: int | None = None

    @property
    def ordinal(self) -> int:
        """The date as the integer ``yyyymmdd`` that sorts and filters; an unknown month or day counts as 1."""
        return self.year * 10_000 + (self.month or 1) * 100 + (self.day or 1)


@dataclass(frozen=True, slots=True)
class PubMedRecord:
    """One citation of PubMed, or of a source that looks like it.

    Attributes:
        title: the article title with all text of its inline markup.
        sections: the abstract's paragraphs in order; empty where the record has no abstract.
        pmid: PubMed identifier, digits only; None where the source keeps none.
        version: version of the citation, from 1.
        journal: full journal title.
        date: publication date of the issue; None where the source gives none.
        mesh: MeSH descriptor names in the order of the record.
        publication_types: such as ``Randomized Controlled Trial``.
        doi: digital object identifier without a resolver's address.
        status: what later notices say of the paper. A retraction *notice* is a paper about another paper and is
            not itself retracted.
    """

    title: str
    sections: tuple[AbstractSection, ...] = ()
    pmid: str | None = None
    version: int = 1
    journal: str = ""
    date: PublicationDate | None = None
    mesh: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    doi: str | None = None
    status: Status = "current"

    @property
    def text(self) -> str:
        """Title and abstract paragraphs, a line each: the text that every character span refers to."""
        return "\n".join(part for part, _ in self._parts())

    @property
    def section_spans(self) -> tuple[SectionSpan, ...]:
        """The spans of title and sections in :attr:`text`, in order and without overlap."""
        spans, start = [], 0
        for part, label in self._parts():
            spans.append(SectionSpan(label, start, start + len(part)))
            start += len(part) + 1
        return tuple(spans)

    @property
    def document_id(self) -> str:
        """``PMID:123``, or ``SHA:`` and 12 hexadecimal digits of the text where there is no PMID."""
        if self.pmid is not None:
            return f"PMID:{self.pmid}"
        return f"SHA:{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    @property
    def record_hash(self) -> str:
        """16 hexadecimal digits that change when anything that is stored of the record changes."""
        content = [
            self.pmid,
            [[span.label, span.start, span.end] for span in self.section_spans],
            self.text,
            self.journal,
            [self.date.year, self.date.ordinal] if self.date else None,
            self.mesh,
            self.publication_types,
            self.doi,
            self.status,
        ]
        canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def _parts(self) -> Iterator[tuple[str, str]]:
        if self.title:
            yield self.title, TITLE_LABEL
        for section in self.sections:
            if section.text:
                yield section.text, section.label or section.category or ABSTRACT_LABEL
