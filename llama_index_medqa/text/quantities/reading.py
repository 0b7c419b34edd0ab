"""Reading the quantities of a text: "1.2 g", "−3.5 points", "18 of 36", "p < 0.05", "twice daily"."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from llama_index_medqa.text.quantities.context import read_surroundings, unit_before
from llama_index_medqa.text.quantities.number_words import read_adverbs, read_ordinals, read_shares, read_words
from llama_index_medqa.text.quantities.numbers import is_enumeration, read_numbers, with_unit
from llama_index_medqa.text.quantities.quantity import (
    CALENDAR_YEAR,
    CONFIDENCE_LEVEL,
    COUNT,
    P_VALUE,
    PERCENT,
    RATE,
    RATIO,
    Quantity,
)
from llama_index_medqa.text.quantities.units import DAY, NAMES, ZERO_FAHRENHEIT, Unit, read_rate, read_unit

__all__ = ["Quantity", "quantities", "unattached_units"]

# One sign for each kind of space, dash and comparator; each takes one character's place.
_PLAIN = str.maketrans(
    dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\t\n", " ")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\ufe63\uff0d", "-")
    | dict.fromkeys("\u00ba\u02da", "°")
    | {"\u03bc": "µ", "％": "%", "∼": "~", "≈": "~", "⩽": "≤", "⩾": "≥", "＜": "<", "＞": ">", "∶": ":"}
)
_THIN_SPACE = re.compile(r"(?<=\d)[\u2009\u202f](?=\d{3}(?!\d))")
_MIDDLE_DOT = re.compile(r"(?<=\d)[·∙⋅•](?=\d)")
_SHARED = re.compile(
    r"(?:\+[0-6])?\s?(?:-|to|and|or|v\.?|vs\.?|versus|,|/|±|\+/-|,\s?and|,\s?or|and then|through|rather than"
    r"|compared (?:with|to)|(?:as )?against)\s?(?:about |only |at |to |up to )?",
    re.IGNORECASE,
)
_RANGE = re.compile(r"-| (?:to|or|and) ")
_LISTED = re.compile(r"\s?(?:-|to|and|or|,|/|,\s?and|,\s?or)\s?(?:at )?", re.IGNORECASE)
_TIME_BEFORE = re.compile(r"\b(?:minute|hour|day|week|month|year)s?[ -]\Z", re.IGNORECASE)
_DAYS_PER = re.compile(r"[ -](days?|nights?) (?:per|an?|each|every)\b", re.IGNORECASE)
_OF = re.compile(r"\s?/\s?|\s(?:out\s)?of\s(?:the\s|all\s|these\s|those\s|a total of\s)?", re.IGNORECASE)
_TO_FREQUENCY = re.compile(r"[,(]?\s?(?:(?!and\b|or\b|for\b|vs\b|then\b)[A-Za-z][\w-]*[,\s]{1,2}){0,5}\(?")
_NOT_SHARED = frozenset((COUNT, P_VALUE, CONFIDENCE_LEVEL, CALENDAR_YEAR, RATIO))
_DOSES = frozenset(
    ("mass", "volume", "amount", "units", "mass/mass", "mass/area", "units/mass", "energy", "amount/mass")
)
_BRACKETED_UNIT = re.compile(r"[(\[,]\s?(?:in )?(?=[A-Za-z%°µ])")
_PER_UNIT = re.compile(r"\b(?:per|/|an?) ?(?=[\d ,]*[a-z])")
_PERCENTAGE = re.compile(r"\bpercentages?\b|\bproportions?\b", re.IGNORECASE)
_AGES = re.compile(r"\bag(?:e|ed|es|ing)\b|\byears?\b", re.IGNORECASE)
_PERIOD = re.compile(r"(?:/|\b(?:per|an?|each|every)[ -]) ?(day|d|night|week|wk|month|year)s?\b", re.IGNORECASE)


def quantities(text: str) -> list[Quantity]:
    """Read the quantities of a text, in order of position.

    "18 of 36" gives 18, 36 and 50 %; "half" is 50 %, "doubled" 2-fold, "BID" twice a day; both ends of a range count.
    Numbers that are parts of names ("type 2", "IL-6", "COVID-19"), ordinals and days of the month are left out. What a
    text only implies or sums up ("one of the", "the two groups", "the third day", "daily") is marked as implicit.
    """
    return list(parsed_quantities(text))


@lru_cache(maxsize=20_000)
def parsed_quantities(text: str) -> tuple[Quantity, ...]:
    """Read the quantities of a text as a tuple, cached."""
    plain = _plain(text)
    worded = [_compared(plain, quantity) for quantity in _apart(read_words(plain))]
    numbers = sorted([*worded, *read_numbers(plain, worded)], key=_span_order)
    numbers = _units_before(plain, _share_units(plain, numbers))
    shares = [*read_shares(plain), *_shares_in_figures(plain, numbers)]
    shares = [_compared(plain, share) for share in _apart(shares) if not is_enumeration(plain, share.end)]
    found = [*numbers, *shares, *_shared_shares(plain, numbers, shares)]
    found += [implied for implied in (*read_adverbs(plain), *read_ordinals(plain)) if not _overlaps(implied, found)]
    found += list(_implied(plain, found))
    dosed = _with_frequencies(plain, sorted(found, key=_span_order))
    return tuple(replace(quantity, written=text[quantity.start : quantity.end]) for quantity in dosed)


@lru_cache(maxsize=20_000)
def unattached_units(text: str) -> frozenset[Unit]:
    """Return the units that a text names apart from its numbers.

    "age (years)", "proportions", "seizures per month".
    """
    plain = _plain(text)
    found: set[Unit] = set()
    for match in _BRACKETED_UNIT.finditer(plain):
        if (named := read_unit(plain, match.end())) and plain[named[1] : named[1] + 1] in {")", "]", ";", ",", ":"}:
            found.add(named[0])
    for match in _PER_UNIT.finditer(plain):
        if named := read_rate(plain, match.start() - 1 if match.start() else 0):
            found.add(named[0])
    if _PERCENTAGE.search(plain):
        found.add(NAMES["percent"])
    if _AGES.search(plain):
        found.add(NAMES["year"])
    return frozenset(found)


def _plain(text: str) -> str:
    """Replace each kind of dash, space and comparator by one sign.

    Every character keeps its position.
    """
    return _MIDDLE_DOT.sub(".", _THIN_SPACE.sub(",", text).translate(_PLAIN))


def _span_order(quantity: Quantity) -> tuple[int, int]:
    return quantity.start, -quantity.end


def _apart(found: Iterable[Quantity]) -> list[Quantity]:
    """Return the quantities that overlap with no earlier one."""
    kept: list[Quantity] = []
    for quantity in found:
        if not _overlaps(quantity, kept):
            kept.append(quantity)
    return kept


def _compared(text: str, quantity: Quantity) -> Quantity:
    around = read_surroundings(text, quantity.start, quantity.end)
    return replace(quantity, comparator=around.comparator, approximate=quantity.approximate or around.approximate)


def _overlaps(quantity: Quantity, others: Iterable[Quantity]) -> bool:
    return any(quantity.start < other.end and other.start < quantity.end for other in others)


def _share_units(text: str, numbers: list[Quantity]) -> list[Quantity]:
    """Give the numbers of a range or list the unit of the last one."""
    shared = list(numbers)
    for index in range(len(shared) - 2, -1, -1):
        number, following = shared[index], shared[index + 1]
        between = text[number.end : following.start]
        gives = following.dimension not in _NOT_SHARED and not (following.in_words and following.approximate)
        joined = _SHARED.fullmatch(between) and ("," not in between or following.shared or "and" in between)
        if number.dimension == COUNT and gives and joined:
            offset = ZERO_FAHRENHEIT if following.dimension == "temperature" and following.factor != 1 else 0.0
            unit = Unit(following.dimension, following.factor, offset)
            shared[index] = replace(with_unit(text, number, unit), shared=True)
    return shared


def _units_before(text: str, numbers: list[Quantity]) -> list[Quantity]:
    """Give numbers the unit that stands before them: "weeks 4, 8 and 12"."""
    listed, listed_end, found = "", 0, []
    for number in numbers:
        if number.dimension == COUNT:
            goes_on = _LISTED.fullmatch(text, listed_end, number.start)
            listed = unit_before(text, number.start) or (listed if goes_on else "")
            listed_end = number.end
        else:
            listed = ""
        found.append(_behind_unit(text, number, NAMES[listed]) if listed else number)
    return found


def _behind_unit(text: str, number: Quantity, unit: Unit) -> Quantity:
    before = _TIME_BEFORE.search(text, max(0, number.start - 9), number.start)
    start = before.start() if before else number.start
    return replace(with_unit(text, number, unit), start=start)


def _shares_in_figures(text: str, numbers: list[Quantity]) -> Iterator[Quantity]:
    """Read "18 of 36" and "18/36" as percentages."""
    for top, bottom in pairwise(numbers):
        counts = top.dimension == bottom.dimension == COUNT and not top.value % 1 and not bottom.value % 1
        if counts and 0 <= top.value <= bottom.value > 1 and _OF.fullmatch(text, top.end, bottom.start):
            yield Quantity("", top.start, bottom.end, 100 * top.value / bottom.value, PERCENT, 0.0,
                           parts=(top.value, bottom.value))  # fmt: skip


def _shared_shares(text: str, numbers: list[Quantity], shares: list[Quantity]) -> Iterator[Quantity]:
    """Read the six of "between six and seven in ten"."""
    for number in numbers:
        for share in shares:
            bottom = share.parts[1] if share.parts and share.in_words else 0.0
            if number.value < bottom and _RANGE.fullmatch(text, number.end, share.start):
                yield replace(share, start=number.start, end=number.end, value=100 * number.value / bottom,
                              parts=(number.value, bottom))  # fmt: skip


def _implied(text: str, found: list[Quantity]) -> Iterator[Quantity]:
    """Read the implied quantities of a rate.

    Once a day of "5 mg/day", and six days of "6 days a month".
    """
    for quantity in found:
        if quantity.dimension == RATE:
            if days := _DAYS_PER.search(text, quantity.start, quantity.end):
                factor = NAMES[days[1].lower()].factor
                value = quantity.value / quantity.factor * factor
                yield replace(quantity, value=value, dimension="time", factor=factor, step=factor, implicit=True)
        elif quantity.dimension.endswith("/time") and (period := _PERIOD.search(text, quantity.start, quantity.end)):
            yield replace(quantity, value=1 / NAMES[period[1].lower()].factor, dimension=RATE, implicit=True)


def _with_frequencies(text: str, found: list[Quantity]) -> list[Quantity]:
    """Give each dose the frequency that follows it, per day."""
    dosed = list(found)
    for index in range(len(found) - 2, -1, -1):
        dose, behind = dosed[index], dosed[index + 1]
        if dose.dimension not in _DOSES:
            continue
        if behind.dimension == RATE and _TO_FREQUENCY.fullmatch(text, dose.end, behind.start):
            dosed[index] = replace(dose, per_day=behind.value * DAY)
            dosed[index + 1] = replace(behind, implicit=False)
        elif dose.shared and behind.dimension == dose.dimension:
            dosed[index] = replace(dose, per_day=behind.per_day)
    return dosed
