"""Details of a record: authors, references, MeSH headings, other abstracts."""

from collections.abc import Callable
from typing import NamedTuple

# Every chunk of a record carries the line.
_AUTHORS_IN_LINE = 50


class AbstractSection(NamedTuple):
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


class Author(NamedTuple):
    """An author, a group of authors, or an investigator.

    Attributes:
        last_name: family name; empty for a group.
        fore_name: given names as printed.
        initials: of the given names.
        suffix: such as ``Jr``.
        collective_name: name of a group; empty for a person.
        affiliations: in the order of the record.
        orcid: the author's ORCID as the record spells it; None where it has none.
    """

    last_name: str = ""
    fore_name: str = ""
    initials: str = ""
    suffix: str = ""
    collective_name: str = ""
    affiliations: tuple[str, ...] = ()
    orcid: str | None = None

    @property
    def name(self) -> str:
        """Return the name as it is read: ``Ada B Lovelace Jr``.

        Or the group's name.
        """
        return self.collective_name or " ".join(
            part for part in (self.fore_name or self.initials, self.last_name, self.suffix) if part
        )

    @property
    def filed_name(self) -> str:
        """Return the name as it is filed: ``Lovelace, Ada B, Jr``.

        A group's in braces where it has a comma itself.
        """
        if self.collective_name:
            group = self.collective_name.replace(";", ",")
            return f"{{{group}}}" if "," in group else group
        parts = (self.last_name, self.fore_name or self.initials, self.suffix)
        return ", ".join(part.replace(";", " ").replace(",", " ") for part in parts if part)


class Reference(NamedTuple):
    """A line of the paper's reference list.

    Attributes:
        citation: as printed; may be empty where only identifiers are given.
        ids: pairs of kind (``pubmed``, ``doi``, ``pmcid`` …) and identifier.
    """

    citation: str
    ids: tuple[tuple[str, str], ...] = ()

    @property
    def pmid(self) -> str | None:
        """Return the PMID of the cited paper.

        None where the list gives none.
        """
        return next((value for kind, value in self.ids if kind == "pubmed"), None)


class MeshQualifier(NamedTuple):
    """A subheading such as ``drug therapy``.

    ``major`` where it names a main topic of the paper.
    """

    name: str
    major: bool = False


class MeshHeading(NamedTuple):
    """A MeSH descriptor with its subheadings.

    ``major`` where the descriptor itself is a main topic.
    """

    name: str
    major: bool = False
    qualifiers: tuple[MeshQualifier, ...] = ()


class OtherAbstract(NamedTuple):
    """An abstract beside the main one.

    A translation, a summary in plain language, or another database's.

    Attributes:
        kind: NLM's ``Type``, such as ``plain-language-summary`` or ``Publisher``.
        language: three letters as NLM writes them, such as ``eng``.
        sections: its paragraphs.
        copyright: its copyright line.
    """

    kind: str
    language: str
    sections: tuple[AbstractSection, ...]
    copyright: str = ""


class RecordDetails(NamedTuple):
    """The parts of a record that an index does not need.

    They are parsed on first use.

    Attributes:
        authors: in order, groups among them.
        references: the reference list, sub-lists joined in order.
        mesh_headings: descriptors with subheadings and major flags.
        keywords: the authors' or another indexer's.
        languages: three letters each, such as ``eng``.
        vernacular_title: the title in the paper's own language.
        other_abstracts: abstracts beside the main one.
        copyright: copyright line of the main abstract.
        article_ids: pairs of kind (``pubmed``, ``pmc``, ``doi``, ``pii``, ``bookaccession`` …) and
            identifier.
        chemicals: names of substances.
        volume: of the journal.
        issue: of the journal.
        pages: as NLM prints them, such as ``764-9``.
        issn: of the journal.
        journal_abbreviation: NLM's (``MedlineTA``), else ISO's.
        journal_id: NLM's unique identifier of the journal.
        country: of the journal.
        printed_date: the free text of a ``MedlineDate``, such as ``1998 Dec-1999 Jan``.
        conflict_of_interest: the authors' statement.
        book_title: where the record is a book or a chapter of one.
    """

    authors: tuple[Author, ...] = ()
    references: tuple[Reference, ...] = ()
    mesh_headings: tuple[MeshHeading, ...] = ()
    keywords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    vernacular_title: str = ""
    other_abstracts: tuple[OtherAbstract, ...] = ()
    copyright: str = ""
    article_ids: tuple[tuple[str, str], ...] = ()
    chemicals: tuple[str, ...] = ()
    volume: str = ""
    issue: str = ""
    pages: str = ""
    issn: str = ""
    journal_abbreviation: str = ""
    journal_id: str = ""
    country: str = ""
    printed_date: str = ""
    conflict_of_interest: str = ""
    book_title: str = ""

    @property
    def pmcid(self) -> str | None:
        """Return the PubMed Central id, such as ``PMC4513071``.

        None where the paper is not there.
        """
        return next((value for kind, value in self.article_ids if kind == "pmc"), None)

    @property
    def bibliography(self) -> "RecordDetails":
        """Return what a citation of the paper needs.

        Authors without affiliations, volume, issue and pages.
        """
        authors = tuple(author._replace(affiliations=(), orcid=None) for author in self.authors)
        return RecordDetails(authors=authors, volume=self.volume, issue=self.issue, pages=self.pages)

    @property
    def author_line(self) -> str:
        """Return the authors as they are filed, in a line.

        ``King, Martin L; A Study Group``; beyond 50 of them ``et al.``.
        """
        names = [author.filed_name for author in self.authors[:_AUTHORS_IN_LINE]]
        return "; ".join(names + ["et al."] * (len(self.authors) > _AUTHORS_IN_LINE))


class LazyDetails:
    """Details that are parsed on first use and kept.

    Args:
        parse: gives the details; a ``functools.partial`` of a module-level function can be pickled.
        value: the details where they are known already.
    """

    __slots__ = ("_parse", "_value")

    def __init__(self, parse: Callable[[], RecordDetails], value: RecordDetails | None = None) -> None:
        self._parse = parse
        self._value = value

    @property
    def value(self) -> RecordDetails:
        """Return the parsed details."""
        if self._value is None:
            self._value = self._parse()
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyDetails) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


def known_details(details: RecordDetails) -> LazyDetails:
    """Wrap details that need no parsing."""
    return LazyDetails(RecordDetails, details)
