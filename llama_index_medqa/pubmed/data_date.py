"""How old the records are, and whose they are: said with every answer."""

from collections.abc import Collection
from datetime import date

# NLM asks that its data be acknowledged in these words, and that users are told that it may not be the latest
# (https://www.nlm.nih.gov/databases/download/terms_and_conditions.html).
ATTRIBUTION = "Source: PubMed, courtesy of the U.S. National Library of Medicine"
OWN_FILES = "Source: files of your own, not PubMed"
STALE_AFTER_DAYS = 180


def attribution(document_ids: Collection[str]) -> str:
    """Where records came from: PubMed where they have its numbers, files of the user's own where they have none.

    Args:
        document_ids: ``PMID:123`` or another id; of nothing, PubMed is said.
    """
    own = sum(not document_id.startswith("PMID:") for document_id in document_ids)
    if own and own == len(document_ids):
        return OWN_FILES
    return f"{ATTRIBUTION}, and files of your own" if own else ATTRIBUTION


def is_stale(as_of: date | None, today: date) -> bool:
    """Whether records of a day are so old that retractions since then would matter; unknown is old."""
    return as_of is None or (today - as_of).days > STALE_AFTER_DAYS


def freshness(as_of: date | None, today: date, source: str = ATTRIBUTION) -> str:
    """One line: the source, its day, and a warning where that is long ago.

    Args:
        as_of: the day whose state of PubMed the records have; None where unknown.
        today: the day to count from.
        source: as :func:`attribution` tells it; PubMed's day says nothing of files of one's own.
    """
    if source == OWN_FILES:
        return f"{OWN_FILES}: whether papers were retracted is not known."
    day = f"as of {as_of.isoformat()}" if as_of else "as of an unknown day"
    line = f"{source}, {day}."
    if not is_stale(as_of, today):
        return line
    age = f"{(today - as_of).days} days ago" if as_of else "perhaps long ago"
    return f"{line} That is {age}: papers may have been revised or retracted since (medqa update)."
