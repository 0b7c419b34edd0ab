"""A PubMed record as plain, immutable data."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from llama_index_medqa.pubmed.record_details import (
    AbstractSection,
    Author,
    LazyDetails,
    MeshHeading,
    MeshQualifier,
    OtherAbstract,
    RecordDetails,
    Reference,
    known_details,
)

__all__ = [
    "ABSTRACT_LABEL",
    "GRAVEST_FIRST",
    "TITLE_LABEL",
    "AbstractSection",
    "Author",
    "Deletion",
    "Identity",
    "LazyDetails",
    "Link",
    "MeshHeading",
    "MeshQualifier",
    "OtherAbstract",
    "PubMedRecord",
    "PublicationDate",
    "RecordDetails",
    "Reference",
    "SectionSpan",
    "Status",
    "identity_of",
    "known_details",
    "status_of",
]

Status = Literal["current", "retracted", "retraction_notice", "concern", "corrected"]

TITLE_LABEL = "TITLE"
ABSTRACT_LABEL = "ABSTRACT"


@dataclass(frozen=True, slots=True)
class SectionSpan:
    """A section's span in :attr:`PubMedRecord.text`.

    ``text[start:end]``, in characters.
    """

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PublicationDate:
    """A publication date as precise as the source.

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
        """Return the date as the integer ``yyyymmdd``.

        It sorts and filters; unknown month or day count as 1.
        """
        return self.year * 10_000 + (self.month or 1) * 100 + (self.day or 1)


class Link(NamedTuple):
    """A line of NLM's comments and corrections.

    What another paper does to this one, or this to it.

    Attributes:
        kind: NLM's ``RefType``, such as ``RetractionIn`` (this paper is retracted there) or ``RetractionOf``
            (this paper is the notice).
        pmid: the other paper; None where NLM names none, which happens in real retractions.
        source: the other paper as printed, such as ``Lancet. 2020 Jun 13;395(10240):1820``.
    """

    kind: str
    pmid: str | None
    source: str


_RETRACTED = frozenset({"RetractionIn", "RetractedandRepublishedIn"})
_RETRACTION_NOTICE = frozenset({"RetractionOf", "PartialRetractionOf"})
_CONCERN = frozenset({"ExpressionOfConcernIn", "PartialRetractionIn"})
_CORRECTED = frozenset({"ErratumIn", "CorrectedandRepublishedIn"})
# The first is NLM's; the others are those of Scopus and Embase.
_RETRACTED_TYPES = frozenset(
    {"retracted publication", "retracted", "retracted article", "retracted paper", "tombstone"}
)
# NLM renamed the type; records carry either name.
_NOTICE_TYPES = frozenset({"retraction of publication", "retraction notice", "retraction"})
GRAVEST_FIRST: tuple[Status, ...] = ("retracted", "retraction_notice", "concern", "corrected", "current")
"""The statuses by what they mean for a reader."""


def status_of(publication_types: tuple[str, ...], links: tuple[Link, ...]) -> Status:
    """Return a paper's status by later notices.

    The gravest where there are several.

    A paper that is retracted in part counts as one of concern. Notices themselves (of an erratum, of a
    concern) are current papers; a notice of retraction has its own status because it must not be read as a
    finding.

    Args:
        publication_types: of the record, in any case.
        links: of the record.
    """
    kinds = {link.kind for link in links}
    types = {name.lower() for name in publication_types}
    if types & _RETRACTED_TYPES or kinds & _RETRACTED:
        return "retracted"
    if kinds & _RETRACTION_NOTICE or types & _NOTICE_TYPES:
        return "retraction_notice"
    if kinds & _CONCERN:
        return "concern"
    return "corrected" if kinds & _CORRECTED else "current"


class Identity(NamedTuple):
    """Which record a source describes, without the record.

    Attributes:
        document_id: as in :attr:`PubMedRecord.document_id`.
        version: of the citation.
        deleted: whether the source says that the record is gone.
    """

    document_id: str
    version: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Deletion:
    """NLM's notice that a PMID is no longer in PubMed.

    Attributes:
        pmid: PubMed identifier, digits only.
        version: version of the citation that was deleted, from 1.
    """

    pmid: str
    version: int = 1

    @property
    def document_id(self) -> str:
        """Return the id of the deleted record: ``PMID:123``."""
        return f"PMID:{self.pmid}"


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
        status: what later notices say of the paper. A retraction *notice* is a paper about another paper and
            is not itself retracted.
        links: comments, corrections and retractions, this paper's and of this paper.
        revised: when NLM last changed the record; None where the source does not state it.
        lazy_details: where :attr:`details` come from.
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
    links: tuple[Link, ...] = ()
    revised: PublicationDate | None = None
    lazy_details: LazyDetails = field(default_factory=lambda: known_details(RecordDetails()), repr=False)

    @property
    def details(self) -> RecordDetails:
        """Return all that an index does not need.

        Authors, references and more; parsed on first use.
        """
        return self.lazy_details.value

    @property
    def authors(self) -> tuple[Author, ...]:
        """Return the authors in order; parsed on first use."""
        return self.details.authors

    @property
    def references(self) -> tuple[Reference, ...]:
        """Return the reference list; parsed on first use."""
        return self.details.references

    @property
    def text(self) -> str:
        """Return title and abstract paragraphs, a line each.

        Every character span refers to it.
        """
        return "\n".join(part for part, _ in self._parts())

    @property
    def section_spans(self) -> tuple[SectionSpan, ...]:
        """Return the spans of title and sections in :attr:`text`.

        In order and without overlap.
        """
        spans, start = [], 0
        for part, label in self._parts():
            spans.append(SectionSpan(label, start, start + len(part)))
            start += len(part) + 1
        return tuple(spans)

    @property
    def document_id(self) -> str:
        """Return ``PMID:123``, or ``SHA:`` and 12 digits.

        The digits are of the text's hash, where there is no PMID.
        """
        if self.pmid is not None:
            return f"PMID:{self.pmid}"
        return f"SHA:{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    @property
    def record_hash(self) -> str:
        """Return 16 hexadecimal digits of the record's hash.

        They change when anything that is stored of the record changes.
        """
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
        details = self.details
        content += filter(None, (details.author_line, details.volume, details.issue, details.pages))
        canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def _parts(self) -> Iterator[tuple[str, str]]:
        if self.title:
            yield self.title, TITLE_LABEL
        for section in self.sections:
            if section.text:
                yield section.text, section.label or section.category or ABSTRACT_LABEL


def identity_of(item: PubMedRecord | Deletion) -> Identity:
    """Return which record an item of a source is about."""
    return Identity(item.document_id, item.version, isinstance(item, Deletion))
