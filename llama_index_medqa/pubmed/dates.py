"""Publication dates as PubMed and its exports write them, read into numbers."""

import re

from llama_index_medqa.pubmed.record import PublicationDate

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_NUMBER = re.compile("[0-9]{1,2}")
_FREE_TEXT = re.compile(
    rf"{_YEAR.pattern}(?:[\s/-]+(?P<month>[A-Za-z]{{3,9}}|\d{{1,2}})(?!\w)\.?(?:[\s/-]+(?P<day>\d{{1,2}})(?!\w))?)?"
)


def month_number(text: str) -> int | None:
    """The month that a text names: ``9``, ``09``, ``Sep``, ``September`` or a range such as ``Sep-Oct``.

    Returns:
        1 to 12, the first month of a range; None where the text names no month (a season, for example).
    """
    text = text.strip().lower()
    if _NUMBER.fullmatch(text):
        return int(text) if 1 <= int(text) <= 12 else None
    return _MONTHS.index(text[:3]) + 1 if text[:3] in _MONTHS else None


def make_date(year: str, month: str = "", day: str = "") -> PublicationDate | None:
    """A date of three texts, of which the last ones may be empty or unreadable.

    Returns:
        None where the year has not four digits. A day without a month is left out, and so is one outside
        1-31.
    """
    found = _YEAR.fullmatch(year.strip())
    if found is None:
        return None
    number = month_number(month)
    day = day.strip()
    usable = number is not None and _NUMBER.fullmatch(day) and 1 <= int(day) <= 31
    return PublicationDate(int(found[1]), number, int(day) if usable else None)


def parse_free_date(text: str) -> PublicationDate | None:
    """The first date in a free text: ``1998 Dec-1999 Jan``, ``2013 06 10``, ``1983 Spring``, ``Winter 1983``.

    Returns:
        Of a range the beginning; None where the text has no year between 1500 and 2099.
    """
    found = _FREE_TEXT.search(text)
    if found is None:
        return None
    return make_date(found[1], found["month"] or "", found["day"] or "")
