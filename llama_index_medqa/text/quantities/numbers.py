"""Numbers in figures with the unit behind them: "5 mg/kg", "p < 0.05", "2:1"."""

import re
from collections.abc import Iterator
from dataclasses import replace

from llama_index_medqa.text.quantities.context import (
    continues_name,
    in_name,
    is_calendar_year,
    is_day_of_month,
    is_listed,
    is_name,
    is_negative,
    read_surroundings,
)
from llama_index_medqa.text.quantities.numerals import NUMBER, Numeral, read_numeral
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
from llama_index_medqa.text.quantities.units import DAY, Unit, read_rate, read_unit

_NO_ADJECTIVE = (
    "and or to in of for at with per an a the every each vs versus on by from after than times one two three four five"
).replace(" ", "|")
_GAP = re.compile(
    r"\+?(?:(?<=\+)[0-6](?!\d))?"  # "34+0 weeks" of gestation, "65+ years"
    rf"(?: (?:more|fewer|less|additional|extra|further) | (?!(?:{_NO_ADJECTIVE}) )[a-z][a-z-]+ "
    r"(?=(?:minutes?|hours?|days?|nights?|weeks?|months?|years?)\b)|[ -])?"  # "five post-operative days"
)
_BRACKET_GAP = re.compile(r"(?: \([^()\d]*\))?\) ?| \([^()]{1,60}\) ")  # "3.2 (2.4 to 4.5) mg", "5.7 (SD) s"
_RATIO = re.compile(r" ?: ?(\d+(?:\.\d+)?)(?![\d:])")
_CONFIDENCE = re.compile(r"[ -]?(?:CI|CrI|CIs|PI)\b|[ -]?(?:confidence|credib|limits of agreement|prediction)")
_CONFIDENCE_BEFORE = re.compile(r"\b(?:CI|confidence intervals?)[\s(:,=]{0,3}\Z")
_PART_BEFORE = re.compile(r"\bper \Z|\d ?: ?\Z")  # "iron per 100 g", the 1 of "2:1"
_OR_MORE = re.compile(r"\+(?![\d/])")  # "65+ years"
_DAYS = re.compile(r"\b(?:day|night)s?(?: |/)")
_THINGS = (
    r"groups?|arms?|treatments?|drugs?|conditions?|interventions?|strateg(?:y|ies)|methods?|approach(?:es)?|regimens?"
    r"|techniques?|types?|kinds?|procedures?|agents?|therap(?:y|ies)|formulas?|devices?|products?|programmes?|programs?"
    r"|measures?|outcomes?|ways?|sides?|sets?"
)
_ENUMERATED = re.compile(
    rf"(?:[ -](?!(?:with|of|in|for|and|or|on|to|from)\b)[a-z-]+){{0,2}}?(?: (?=[a-z]+s\b)|-)(?:{_THINGS})\b",
    re.IGNORECASE,
)
_MOST_ENUMERATED = 4
_FIRST_YEAR = 1900


def read_numbers(text: str, taken: list[Quantity]) -> Iterator[Quantity]:
    """Read the numbers outside the taken spans, each with its unit."""
    read_to = name_end = -1
    for match in NUMBER.finditer(text):
        start = match.start()
        if start < read_to or any(quantity.start <= start < quantity.end for quantity in taken):
            continue
        numeral = read_numeral(text, match)
        unit, end = _unit_behind(text, numeral)
        goes_on = start - 1 == read_to and text[read_to] in "-−"  # "5 mg-10 mg"
        named = unit is None and _is_name(text, start, end, numeral.value, name_end)
        if named or (in_name(text, start) and not goes_on):
            name_end = end
        elif quantity := _quantity(text, start, end, numeral, unit):
            read_to = quantity.end
            yield quantity


def _is_name(text: str, start: int, end: int, value: float, name_end: int) -> bool:
    return (
        is_name(text, start, end, value)
        or is_day_of_month(text, start, end, value)
        or (name_end > 0 and continues_name(text, name_end, start))
    )


def _unit_behind(text: str, numeral: Numeral) -> tuple[Unit | None, int]:
    """Return the unit that follows a number, and where it ends."""
    gap = _GAP.match(text, numeral.end)
    named = read_unit(text, gap.end() if gap else numeral.end)
    if named and gap and gap[0] == " " and text.startswith(("-old", "-long"), named[1]):
        return None, numeral.end  # "160 day-old ducklings"
    bracket = None if named else _BRACKET_GAP.match(text, numeral.end)
    named = read_unit(text, bracket.end()) if bracket else named
    named = named or read_rate(text, numeral.end)
    if named is None or (numeral.value >= _FIRST_YEAR and text[numeral.end : named[1]] == "s"):  # "the 1980s"
        return None, numeral.end
    unit, end = named
    if bracket and any(character.isdigit() for character in bracket[0]):
        end = numeral.end  # the numbers in the bracket are read for themselves
    if unit.dimension == "time/time" and _DAYS.search(text, numeral.end, end):
        unit = Unit(RATE, unit.factor / DAY)  # "5 days a week" counts days
    return (Unit(RATE, unit.factor) if unit.dimension == "fold/time" else unit), end


def _quantity(text: str, start: int, end: int, numeral: Numeral, unit: Unit | None) -> Quantity | None:
    """Return the quantity of a number; None for a part of another one."""
    sign = -1.0 if is_negative(text, start) else 1.0
    begin = start - 1 - text[start - 1].isspace() if sign < 0 else start
    if _PART_BEFORE.search(text, max(0, begin - 5), begin):
        return None
    around = read_surroundings(text, begin, end)
    comparator = around.comparator or ("≥" if _OR_MORE.match(text, numeral.end) else "")
    made = Quantity(
        "", begin, end, sign * numeral.value, COUNT, numeral.step, 1.0, comparator, around.approximate,
        in_words=numeral.in_words,
    )  # fmt: skip
    if unit is not None:
        return with_unit(text, made, unit)
    if around.is_p_value and numeral.value <= 1:
        return replace(made, dimension=P_VALUE)
    if ratio := _RATIO.match(text, end):
        return replace(made, dimension=RATIO, value=made.value / (float(ratio[1]) or 1.0), end=ratio.end())
    if is_calendar_year(text, start, end, numeral.value):
        return replace(made, dimension=CALENDAR_YEAR)
    return replace(made, implicit=_is_no_data(text, made))


def with_unit(text: str, quantity: Quantity, unit: Unit) -> Quantity:
    """Give a bare number a unit.

    The percentage of a confidence interval becomes a confidence level.
    """
    dimension = unit.dimension
    if dimension == PERCENT and (
        _CONFIDENCE.match(text, quantity.end)
        or _CONFIDENCE_BEFORE.search(text, max(0, quantity.start - 24), quantity.start)
    ):
        dimension = CONFIDENCE_LEVEL
    value, step = quantity.value * unit.factor + unit.offset, quantity.step * unit.factor
    return replace(quantity, dimension=dimension, value=value, step=step, factor=unit.factor)


def is_enumeration(text: str, end: int) -> bool:
    """Return whether a number counts the groups of a study: "two groups", "3-arm"."""
    return bool(_ENUMERATED.match(text, end))


def _is_no_data(text: str, number: Quantity) -> bool:
    """Return whether a number is no data: "one of the", "the two groups"."""
    if number.comparator or number.value > _MOST_ENUMERATED:
        return False
    listed = number.in_words and (number.value == 1 or is_listed(text, number.start))
    return listed or is_enumeration(text, number.end)
