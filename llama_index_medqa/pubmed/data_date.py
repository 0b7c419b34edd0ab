"""Date and source of the records, stated with every answer."""

from collections.abc import Collection
from datetime import date

# NLM asks that its data be acknowledged in these words, and that users are told that it may not be the latest
# (https://www.nlm.nih.gov/databases/download/terms_and_conditions.html).
ATTRIBUTION = "Source: PubMed, courtesy of the U.S. National Library of Medicine"
OWN_FILES = "Source: files of your own, not PubMed"
# Files of an unknown day may be anybody's, invented papers too: NLM is not named as their source.
UNDATED = "Source: records with PubMed numbers"
STALE_AFTER_DAYS = 180


def attribution(document_ids: Collection[str], as_of: date | None) -> str:
    """Return the source of records: PubMed where they have PMIDs and a day, else files.

    Args:
        document_ids: ``PMID:123`` or another id; none counts as PMIDs.
        as_of: the day whose state of PubMed the records have; None where unknown.
    """
    own = sum(not document_id.startswith("PMID:") for document_id in document_ids)
    if own and own == len(document_ids):
        return OWN_FILES
    pubmed = UNDATED if as_of is None else ATTRIBUTION
    return f"{pubmed}, and files of your own" if own else pubmed


def is_stale(as_of: date | None, today: date) -> bool:
    """Return whether records are too old for retractions.

    Later retractions would matter. Records of an unknown day count as old.
    """
    return as_of is None or (today - as_of).days > STALE_AFTER_DAYS


def freshness(as_of: date | None, today: date, source: str | None = None) -> str:
    """Describe source and day in a line.

    It has a warning where the day is long ago.

    Args:
        as_of: the day whose state of PubMed the records have; None where unknown.
        today: the day to count from.
        source: of :func:`attribution`; None where all have PMIDs. PubMed's day does not apply to files of one's own.
    """
    source = source or attribution((), as_of)
    if source == OWN_FILES:
        return f"{OWN_FILES}: whether papers were retracted is not known."
    day, age = (
        ("an unknown day", "perhaps long ago")
        if as_of is None
        else (as_of.isoformat(), f"{(today - as_of).days} days ago")
    )
    line = f"{source}, as of {day}."
    if not is_stale(as_of, today):
        return line
    return f"{line} That is {age}: papers may have been revised or retracted since (medqa update)."
