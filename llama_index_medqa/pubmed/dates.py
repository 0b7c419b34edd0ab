"""Publication dates as PubMed and its exports write them."""

import re

from llama_index_medqa.pubmed.record import PublicationDate

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_NUMBER = re.compile("[0-9]{1,2}")
_FREE_TEXT = re.compile(
    rf"{_YEAR.pattern}(?:[\s/-]+(?P<month>[A-Za-z]{{3,9}}|\d{{1,2}})(?!\w)\.?(?:[\s/-]+(?P<day>\d{{1,2}})(?!\w))?)?"
)

_MONTH_NAME = (
    "(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?(?:[-/][A-Za-z]+\.?)?"
)
_MONTH_BEFORE_YEAR = re.compile(
    rf"(?:(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+)?(?<![A-Za-z]){_MONTH_NAME}"
    rf"[\s-]+(?:(?P<day_after>\d{{1,2}})(?:st|nd|rd|th)?,?\s+)?,?\s*{_YEAR.pattern}"
)
_TIME = re.compile(r"(?<=\d)T\d\d:?\d\d.*")
_DIGITS = re.compile(r"(1[5-9]\d\d|20\d\d)(\d\d)(\d\d)")


def month_number(text: str) -> int | None:
    """Return the month that a text names.

    Such as ``9``, ``09``, ``Sep``, ``September`` or a range like ``Sep-Oct``.

    Returns:
        1 to 12, the first month of a range; None where the text names no month (a season, for example).
    """
    text = text.strip().lower()
    if _NUMBER.fullmatch(text):
        return int(text) if 1 <= int(text) <= 12 else None
    return _MONTHS.index(text[:3]) + 1 if text[:3] in _MONTHS else None


def make_date(year: str, month: str = "", day: str = "") -> PublicationDate | None:
    """Return a date of texts for year, month and day.

    The last ones may be empty or unreadable.

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
    """Return the first date in a free text.

    Such as ``1998 Dec-1999 Jan``, ``2013 06 10``, ``1983 Spring``, ``Winter 1983``.

    Returns:
        Of a range the beginning; None where the text has no year between 1500 and 2099.
    """
    found = _FREE_TEXT.search(text)
    if found is None:
        return None
    return make_date(found[1], found["month"] or "", found["day"] or "")


def parse_written_date(text: str) -> PublicationDate | None:
    """Parse a date in a common notation.

    Such as ``15 Jan 2019``, ``November 15, 2004``, ``20190102``.

    Returns:
        As :func:`parse_free_date`. Where only digits and slashes stand before the year, the month is
        ambiguous and left out.
    """
    text = _TIME.sub("", text)
    if digits := _DIGITS.fullmatch(text.strip()):
        return make_date(*digits.groups())
    date = parse_free_date(text)
    found = _MONTH_BEFORE_YEAR.search(text) if date is not None and date.month is None else None
    if found is None:
        return date
    return make_date(found[found.lastindex or 0], found["month"], found["day"] or found["day_after"] or "")
