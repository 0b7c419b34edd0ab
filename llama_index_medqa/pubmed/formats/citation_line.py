"""Citation lines as PubMed and Ovid write them."""

import re
from typing import NamedTuple

from llama_index_medqa.pubmed.dates import parse_written_date
from llama_index_medqa.pubmed.record import PublicationDate

# J Ex. 2019 Jan 5;7(2):33-40. doi: 10.1000/x.
_PUBMED = re.compile(
    r"(?P<journal>[^;]+?)\. (?P<date>(?:1[5-9]|20)\d\d(?:[ -][^;:.()]*)?)"
    r"(?:;(?P<volume>[^(:.;]*)(?:\((?P<issue>[^)]*)\))?)?(?::(?P<pages>[^.]*))?(?:\.|$)"
)
# Made Up Sports Med. 44(2):101-5, 2018 Feb.
_OVID = re.compile(
    r"(?P<journal>.+?)\.? (?P<volume>[^\s(:,]+)(?:\((?P<issue>[^)]*)\))?:\s?(?P<pages>[^,]+), (?P<date>[^;]*\d{4}.*)"
)
# Acta Biochimica August 2011;43(8):647-653
_JOURNALS_AT_OVID = re.compile(
    r"(?P<journal>.+?) (?P<date>(?:\d{1,2} )?[A-Z][a-z]+(?:/[A-Z][a-z]+)? \d{4});(?P<volume>[^(:]*)"
    r"(?:\((?P<issue>[^)]*)\))?:(?P<pages>\S+)"
)
_LONGEST = 2_000


class CitationLine(NamedTuple):
    """The parts of a citation line; missing ones are empty."""

    journal: str = ""
    date: PublicationDate | None = None
    volume: str = ""
    issue: str = ""
    pages: str = ""


def is_pubmed_citation(text: str) -> bool:
    """Return whether a text begins as PubMed's citations do.

    With journal, period and date, as in ``J Ex. 2019 Jan 5;7(2):33-40.``.
    """
    return _PUBMED.match(text[:_LONGEST]) is not None


def parse_citation(text: str) -> CitationLine:
    """Parse a citation line.

    Such as ``J Ex. 2019 Jan 5;7(2):33-40.`` or ``Made Up Med. 44(2):101-5, 2018 Feb.``.
    """
    text = text[:_LONGEST]
    for form in (_PUBMED, _JOURNALS_AT_OVID, _OVID):
        if found := form.match(text):
            parts = {name: (value or "").strip() for name, value in found.groupdict().items()}
            return CitationLine(
                parts["journal"], parse_written_date(parts["date"]), parts["volume"], parts["issue"], parts["pages"]
            )
    journal, separator, _ = text.partition(". ")
    return CitationLine(journal if separator else "", parse_written_date(text))
