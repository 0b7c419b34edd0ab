"""Fields that exports of reference managers and databases share."""

import re
from collections.abc import Iterable

from llama_index_medqa.pubmed.formats.abstract_headings import divided_at_headings
from llama_index_medqa.pubmed.formats.notices import read_notices
from llama_index_medqa.pubmed.formats.tagged_records import Field
from llama_index_medqa.pubmed.record import AbstractSection, Link

# PMIDs have eight digits; other databases number their papers too, with as many or more.
_ACCESSION = re.compile(r"0*([1-9]\d{0,7})")
_SAID_TO_BE_PMID = re.compile(r"(?:PMID ?:? ?(\d{1,8})|(\d{1,8}) ?\[(?:pmid|pubmed)\])\.?", re.IGNORECASE)
_ADDRESS = re.compile(
    r"https?://(?:(?:www\.)?ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/|pubmed\.ncbi\.nlm\.nih\.gov/)(\d{1,8})/?(?:[?#].*)?"
)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi ?: ?)?(10\.\d{1,9}(?:\.\d+)*/\S+)", re.IGNORECASE)
_NLM_DATABASE = re.compile(r"pubmed|medline|\bnlm\b|^(?:mnh|mdc|cmedm|pmnr|medc|ppez|prem|ppezv)$", re.IGNORECASE)

# Titles, abstracts and keywords by the tags of RIS, Ovid and EndNote.
_OWN_WORDS = frozenset("TI T1 T2 AB N2 KW MH SH T X K".split())


class ExportedFields:
    """The fields of a record by their tags.

    Args:
        fields: in the order of the file.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        self._values: dict[str, list[str]] = {}
        for field in fields:
            if field.value:
                self._values.setdefault(field.tag, []).append(field.value)

    def all(self, *tags: str) -> list[str]:
        """Return the values of tags, each once.

        They are in the order of the tags.
        """
        return list(dict.fromkeys(value for tag in tags for value in self._values.get(tag, ())))

    def first(self, *tags: str) -> str:
        """Return the first value of some tags; empty if none."""
        return next(iter(self.all(*tags)), "")

    def notices(self) -> tuple[Link, ...]:
        """Return the notices on the paper.

        They are looked for in every field that is not of the paper's own words, and in the names of fields: programs
        differ in where they put them.
        """
        texts = (
            text
            for tag, values in self._values.items()
            if tag not in _OWN_WORDS
            for value in values
            for text in (value, f"{tag}: {value}")
        )
        return tuple(dict.fromkeys(link for text in texts for link in read_notices(text)))


def stated_pmid(values: Iterable[str]) -> str | None:
    """Return a PMID that is labelled as one.

    Such as ``PMID: 123``, ``123 [pmid]``, or an address in PubMed.
    """
    for value in values:
        if found := _SAID_TO_BE_PMID.fullmatch(value) or _ADDRESS.fullmatch(value):
            return next(filter(None, found.groups())).lstrip("0") or None
    return None


def pmid_of_accession(accession: str, databases: Iterable[str]) -> str | None:
    """Return the PMID that an accession number is.

    None where the export names another database than NLM's.
    """
    named = [database for database in databases if database]
    if named and not any(_NLM_DATABASE.search(database) for database in named):
        return None
    found = _ACCESSION.fullmatch(accession)
    return found[1] if found else None


def stated_doi(values: Iterable[str]) -> str:
    """Return the first DOI; empty if there is none.

    A resolver's address is removed.
    """
    found = filter(None, map(_DOI.fullmatch, values))
    return next((match[1] for match in found), "")


def abstract_sections(abstracts: Iterable[str]) -> tuple[AbstractSection, ...]:
    """Return the sections of an abstract in several fields."""
    return tuple(section for abstract in abstracts for section in divided_at_headings(abstract))
