"""The schema of records that other programs write.

Known keys, their other names, and lossless conversions.

JSON lines, ``medical_data.json``, tables and the exports of other programs all become records here. It is described for
users in ``docs/formats.md``; a test compares the two.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from llama_index_medqa.pubmed.formats.citation_line import CitationLine, parse_citation
from llama_index_medqa.pubmed.formats.json_values import (
    TypedValues,
    is_missing,
    json_date,
    json_doi,
    json_number_text,
    json_pmid,
    json_text,
    json_texts,
)
from llama_index_medqa.pubmed.formats.names import read_authors
from llama_index_medqa.pubmed.formats.notices import divided_types, read_notices, status_of_title
from llama_index_medqa.pubmed.record import (
    GRAVEST_FIRST,
    AbstractSection,
    Deletion,
    Link,
    PublicationDate,
    PubMedRecord,
    RecordDetails,
    Status,
    known_details,
    status_of,
)
from llama_index_medqa.pubmed.remarks import Remarks
from llama_index_medqa.pubmed.text import fold

# Names are compared without regard to case, spaces and punctuation: articleTitle, Article Title and article_title.
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "title": ("article_title", "paper_title"),
    "abstract": ("article_abstract", "abstract_text", "abstract_note", "text", "content"),
    "sections": (),
    "pmid": ("pubmed_id", "article_pmid"),
    "doi": ("digital_object_identifier",),
    "journal": (
        "journal_title",
        "journal_name",
        "Journal/Book",
        "container_title",
        "publication_title",
        "source_title",
        "pubtitle",
    ),
    "date": ("pub_date", "publication_date", "date_published", "issued", "published"),
    "year": ("publication_year", "pub_year"),
    "authors": ("author", "author_list"),
    "mesh": ("mesh_terms", "mesh_headings"),
    "publication_types": ("publication_type", "pub_types", "pub_type", "article_type", "document_type", "doctype"),
    "keywords": ("keyword", "author_keywords", "manual_tags"),
    "languages": ("language", "language_of_original_document"),
    "volume": ("vol",),
    "issue": (),
    "pages": ("page", "pagination"),
    "first_page": ("page_start", "start_page"),
    "last_page": ("page_end", "end_page"),
    "issn": (),
    "pmcid": ("pmc", "pmc_id"),
    "citation": (),
    "note": ("extra",),
    "status": (),
    "retracted": ("is_retracted",),
    "links": (),
    "version": (),
    "revised": (),
    "details": (),
    "deleted": (),
}
"""The keys of the schema, and by which other names each is known; the first that is given counts."""

# What PubMed's tables say a second time, or of the entry and not of the paper.
_SAID_OTHERWISE = frozenset({"firstauthor", "createdate", "nihmsid"})
_IDENTIFYING = ("pmid", "title", "abstract", "sections", "deleted")
_SHOWN = 40
# Embase states it by its thesaurus, PubMed's types stand among the keywords of some exports.
_RETRACTED_WORDS = frozenset({"retracted publication", "retracted article"})
# What databases write in place of an abstract.
_NO_ABSTRACT = re.compile(r"\W*(?:no abstract(?: (?:is )?available)?|abstract not available)\W*", re.IGNORECASE)
_NOTED_NUMBER = re.compile(r"\s*(PMID|PMCID)\s*:\s*(\S+)\s*", re.IGNORECASE)
_YES_OR_NO = {"true": True, "yes": True, "y": True, "1": True, "retracted": True}
_YES_OR_NO |= {"false": False, "no": False, "n": False, "0": False, "current": False}


def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", "", key.lower())


_FIELDS = {_plain(name): field for field, others in OTHER_NAMES.items() for name in (field, *others)}
_RANKS = {name: rank for rank, name in enumerate(_FIELDS)}


def is_known_key(key: str) -> bool:
    """Return whether the schema has a key, by any name."""
    return _plain(key) in _FIELDS or _plain(key) in _SAID_OTHERWISE


def record_from_values(values: object, remarks: Remarks, location: str) -> PubMedRecord | Deletion:
    """Return a record or deletion of values by known keys.

    Args:
        values: an object of JSON, a row of a table, or what a reader has found out.
        remarks: where is noted what was left out.
        location: the position of the values, such as ``line 3``.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: a value cannot be read, or nothing identifies the record.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"it is a {type(values).__name__}, not an object")
    return _Values(values, remarks, location).item()


class _Values:
    """The values of one record by the schema's keys."""

    def __init__(self, values: Mapping[Any, object], remarks: Remarks, location: str) -> None:
        self._remarks = remarks
        self._location = location
        self._types = TypedValues(remarks, location)
        self._found: dict[str, tuple[str, object]] = {}
        self._beside: dict[str, list[tuple[str, object]]] = {}
        if not any(_FIELDS.get(_plain(str(key))) in _IDENTIFYING for key in values):
            raise ValueError(f"it has none of {', '.join(_IDENTIFYING)}")
        for key in sorted(values, key=lambda key: _RANKS.get(_plain(str(key)), len(_RANKS))):
            self._sort(str(key), values[key])
        if "deleted" not in self._found and any(_FIELDS.get(_plain(str(key))) == "deleted" for key in values):
            raise ValueError("'deleted' names no PMID")

    def item(self) -> PubMedRecord | Deletion:
        version = self._get("version", lambda value, key: self._types.typed(value, int, key), 1)
        if "deleted" in self._found:
            pmid = self._get("deleted", json_pmid, None)
            if pmid is None:
                raise ValueError("'deleted' names no PMID")
            return Deletion(pmid, version)
        citation = self._get("citation", lambda value, key: parse_citation(json_text(value, key)), CitationLine())
        title = self._get("title", _title, "")
        types = self._get("publication_types", _types, ())
        links = self._get("links", self._links, ())
        noted = self._noted_numbers()
        return PubMedRecord(
            title=title,
            sections=self._sections(),
            pmid=self._get("pmid", json_pmid, None) or noted.get("PMID"),
            version=version,
            journal=self._get("journal", json_text, "") or citation.journal,
            date=_more_precise(self._date(), citation.date),
            mesh=self._get("mesh", json_texts, ()),
            publication_types=types,
            doi=self._get("doi", json_doi, None),
            status=self._status(types, links, title),
            links=links,
            revised=self._get("revised", self._readable_date, None),
            lazy_details=known_details(self._details(citation, noted.get("PMCID", ""))),
        )

    def _sort(self, key: str, value: object) -> None:
        if is_missing(value) or value in ("", [], {}) or _plain(key) in _SAID_OTHERWISE:
            return
        field = _FIELDS.get(_plain(key))
        if field is None:
            self._note(f"unknown key {key[:_SHOWN]!r}, left out")
        elif field not in self._found:
            self._found[field] = key, value
        elif self._found[field][1] != value:
            self._note(f"key {key[:_SHOWN]!r} beside {self._found[field][0][:_SHOWN]!r}, left out")
            self._beside.setdefault(field, []).append((key, value))

    def _get(self, field: str, read: Callable[[object, str], Any], otherwise: Any) -> Any:
        if field not in self._found:
            return otherwise
        key, value = self._found[field]
        return read(value, key)

    def _typed(self, value: object, kind: Any, key: str) -> Any:
        return self._types.typed(value, kind, key)

    def _note(self, remark: str) -> None:
        self._remarks.note(remark, self._location)

    def _sections(self) -> tuple[AbstractSection, ...]:
        sections: tuple[AbstractSection, ...] = self._get("sections", self._paragraphs, ())
        abstract: tuple[AbstractSection, ...] = self._get("abstract", self._paragraphs, ())
        if not sections or not abstract:
            return sections or abstract
        if _joined(sections) != _joined(abstract):
            self._note("key 'abstract' beside 'sections', left out")
        return sections

    def _paragraphs(self, value: object, key: str) -> tuple[AbstractSection, ...]:
        """Return the paragraphs of an abstract.

        It is a text, a list of texts or sections, or an object of texts by their headings.
        """
        if isinstance(value, Mapping):
            found = [AbstractSection(json_text(text, key), fold(str(label)) or None) for label, text in value.items()]
        elif isinstance(value, (list, tuple)):
            found = [self._paragraph(item, key) for item in value]
        else:
            found = [AbstractSection(json_text(value, key))]
        return tuple(section for section in found if section.text and not _NO_ABSTRACT.fullmatch(section.text))

    def _paragraph(self, value: object, key: str) -> AbstractSection:
        if isinstance(value, str):
            return AbstractSection(json_text(value, key))
        section: AbstractSection = self._types.typed(value, AbstractSection, key)
        return section

    def _date(self) -> PublicationDate | None:
        date: PublicationDate | None = self._get("date", self._readable_date, None)
        year: PublicationDate | None = self._get("year", self._readable_date, None)
        if date and year and date.year != year.year:
            self._note(f"key {self._found['year'][0][:_SHOWN]!r} is another year than the date, left out")
        return date or year

    def _readable_date(self, value: object, key: str) -> PublicationDate | None:
        date = json_date(value, key)
        if date is None and _says_something(value):
            self._note(f"key {key[:_SHOWN]!r} tells no date, left out")
        return date

    def _status(self, types: tuple[str, ...], links: tuple[Link, ...], title: str) -> Status:
        """Return the gravest status that anything in the record states."""
        kinds = [*types, *(name for value in self._all("publication_types") for name in _types(*value))]
        noted = [*links, *(link for value in self._all("links") for link in self._links(*value))]
        found: set[Status] = {status_of(tuple(kinds), tuple(noted))}
        found |= {self._typed(value, Status, key) for value, key in self._all("status")}
        found |= {"retracted" for value, key in self._all("retracted") if _yes(value, key)}
        # PubMed's own records tell it by types and notices.
        if "details" not in self._found:
            titles = [title, *(_title(value, key) for key, value in self._beside.get("title", ()))]
            words = (*self._get("keywords", json_texts, ()), *self._get("mesh", json_texts, ()))
            found |= {status_of_title(text) for text in titles}
            found |= {"retracted" for word in words if word.lower() in _RETRACTED_WORDS}
        return next(status for status in GRAVEST_FIRST if status in found)

    def _all(self, field: str) -> list[tuple[object, str]]:
        """Return the values of a key under all its names."""
        pairs = [self._found[field]] if field in self._found else []
        return [(value, key) for key, value in (*pairs, *self._beside.get(field, ()))]

    def _first_to_last_page(self) -> str:
        first, last = (self._get(field, json_number_text, "") for field in ("first_page", "last_page"))
        return f"{first}-{last}" if first and last and first != last else first or last

    def _links(self, value: object, key: str) -> tuple[Link, ...]:
        if not isinstance(value, str):
            links: tuple[Link, ...] = self._typed(value, tuple[Link, ...], key)
            return links
        found = read_notices(json_text(value, key))
        if not found:
            self._note(f"key {key[:_SHOWN]!r} tells no notice, left out")
        return found

    def _noted_numbers(self) -> dict[str, str]:
        """Return the PMID and PMCID that a note states.

        Zotero keeps them in its field "Extra", a line each.
        """
        lines = [line for value, _ in self._all("note") if isinstance(value, str) for line in value.splitlines()]
        numbers = [found for found in map(_NOTED_NUMBER.fullmatch, lines) if found]
        if len(numbers) < len([line for line in lines if line.strip()]):
            self._note(f"notes in key {self._found['note'][0][:_SHOWN]!r}, of which only PMID and PMCID are read")
        found = {match[1].upper(): match[2] for match in reversed(numbers)}
        pmid = json_pmid(found.get("PMID"), "note") if "PMID" in found else None
        return found | {"PMID": pmid} if pmid else found

    def _details(self, citation: CitationLine, noted_pmcid: str) -> RecordDetails:
        details: RecordDetails = self._get(
            "details", lambda value, key: self._types.typed(value, RecordDetails, key), RecordDetails()
        )
        pmcid = self._get("pmcid", json_number_text, "") or noted_pmcid
        given = {
            "authors": self._get("authors", read_authors, ()),
            "keywords": self._get("keywords", json_texts, ()),
            "languages": self._get("languages", json_texts, ()),
            "volume": self._get("volume", json_number_text, "") or citation.volume,
            "issue": self._get("issue", json_number_text, "") or citation.issue,
            "pages": self._get("pages", json_number_text, "") or self._first_to_last_page() or citation.pages,
            "issn": self._get("issn", json_number_text, ""),
            "article_ids": (*details.article_ids, ("pmc", pmcid)) if pmcid else (),
        }
        return details._replace(**{name: value for name, value in given.items() if value})


def _types(value: object, key: str) -> tuple[str, ...]:
    """Return publication types, however they are joined."""
    return tuple(dict.fromkeys(name for text in json_texts(value, key) for name in divided_types(text)))


def _yes(value: object, key: str) -> bool:
    word = json_number_text(value, key).lower() if not isinstance(value, bool) else str(value).lower()
    if word and word not in _YES_OR_NO:
        raise ValueError(f"'{key}' is {word[:_SHOWN]!r}, not yes or no")
    return _YES_OR_NO.get(word, False)


def _more_precise(date: PublicationDate | None, other: PublicationDate | None) -> PublicationDate | None:
    """Return the more precise of two dates.

    It is the first, unless it is missing or only the other states the month.
    """
    if date is None:
        return other
    return other if other and other.year == date.year and other.month and not date.month else date


def _title(value: object, key: str) -> str:
    return json_number_text(value, key) if isinstance(value, (int, float)) else json_text(value, key)


def _joined(sections: tuple[AbstractSection, ...]) -> str:
    return " ".join(section.text for section in sections)


def _says_something(value: object) -> bool:
    values = value.values() if isinstance(value, Mapping) else (value,)
    return any(json_number_text(item, "") for item in values if not isinstance(item, list))
