"""How old the records are, and whose they are: said with every answer."""

from datetime import date

# NLM asks that its data be acknowledged in these words, and that users are told that it may not be the latest
# (https://www.nlm.nih.gov/databases/download/terms_and_conditions.html).
ATTRIBUTION = "Source: PubMed, courtesy of the U.S. National Library of Medicine"
STALE_AFTER_DAYS = 180


def is_stale(as_of: date | None, today: date) -> bool:
    """Whether records of a day are so old that retractions since then would matter; unknown is old."""
    return as_of is None or (today - as_of).days > STALE_AFTER_DAYS


def freshness(as_of: date | None, today: date) -> str:
    """One line: the source, its day, and a warning where that is long ago.

    Args:
        as_of: the day whose state of PubMed the records have; None where unknown.
        today: the day to count from.
    """
    day = f"as of {as_of.isoformat()}" if as_of else "as of an unknown day"
    line = f"{ATTRIBUTION}, {day}."
    if not is_stale(as_of, today):
        return line
    age = f"{(today - as_of).days} days ago" if as_of else "perhaps long ago"
    return f"{line} That is {age}: papers may have been revised or retracted since (medqa update)."
