"""Quantities of a text that may hold a quantity of a claim.

They are of the same kind, or of another one that says the same.

"0.51" of a hazard ratio may be told as "51 %" or as "49 % lower", "5 mg/day" as "5 mg daily", 8.9 against 2.9 as "three
times". Everything here only offers; whether the number is the same is decided in `quantity_check`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations

from llama_index_medqa.text.quantities.quantity import (
    CALENDAR_YEAR,
    CONFIDENCE_LEVEL,
    COUNT,
    FOLD,
    P_VALUE,
    PERCENT,
    RATE,
    RATIO,
    Quantity,
)
from llama_index_medqa.text.quantities.reading import parsed_quantities, unattached_units
from llama_index_medqa.text.quantities.units import DAY, Unit

_CHANGE_BEHIND = re.compile(
    r"[^.;,]{0,12}\b(?:more|higher|greater|larger|longer|lower|less|fewer|smaller|shorter|reduction|decrease|increase|drop"
    r"|fall|decline|rise|reduced|increased|decreased|lowered|improvement|faster|slower|excess)\b",
    re.IGNORECASE,
)
_CHANGE_BEFORE = re.compile(
    r"\b(?:by|reduc\w+|increas\w+|decreas\w+|cut(?:ting)?|fell|rose|lower(?:ed|ing|s)?|rais(?:ed|es|ing))"
    r"(?: (?:(?!to )[a-z]+ ){0,3})?\Z",
    re.IGNORECASE,
)
_RELATION_BEHIND = re.compile(r" (?:as|the|that|those|his|her|its|their|of (?:that|what))\b", re.IGNORECASE)
_TO = re.compile(r"\bto (?:about |almost |nearly |roughly |some )?\Z", re.IGNORECASE)
_OF_WHAT_IT_WAS = re.compile(r" of (?:that|what)\b", re.IGNORECASE)
_OF_A_NUMBER = re.compile(r" (?:out )?of (?:all |the |these |those |its |their |our )*", re.IGNORECASE)
_BY = re.compile(r"\bby (?:a mean of |an average of )?\Z", re.IGNORECASE)
_NO_DIFFERENCES = frozenset((P_VALUE, CONFIDENCE_LEVEL, CALENDAR_YEAR, RATIO, FOLD, RATE))
_WITHIN_SENTENCE = re.compile(r"(?:(?![.!?]\s+[A-Z]).)*", re.DOTALL)
_MOST_APART = 2  # of one kind: a standard deviation may stand between two means
_RATIO_BEFORE = re.compile(
    r"(?:\bratios?|\b[ac]?(?:OR|HR|RR|IRR|SMR|RRR|SHR)s?|\brelative risks?|\brisk|\bodds|\bhazards?)\b[^;]{0,30}\Z"
)
_NOTHING_COUNTED = re.compile(
    r"\s?[.,;:()\[\]±/-]|\s?\Z|\s(?:and|or|than|to|in|for|with|without|had|were|was|vs|versus|against|after|before|at|who"
    r"|which|by|when|did|on|from|as|compared)\b"
)
_N_EQUALS = re.compile(r"\bn\s?=\s?\Z", re.IGNORECASE)
# Units that are left out where the words say enough: "aged 65", "a BMI of 30", "systolic pressure above 140".
_OMITTED = {
    "time": re.compile(
        r"\b(?:age|aged|ages|older|younger|\w*child\w*|adults|people|women|men|residents|infants)\b", re.IGNORECASE
    ),
    "mass/area": re.compile(r"\bBMI\b|\bbody mass index\b", re.IGNORECASE),
    "pressure": re.compile(r"\bpressures?\b|\b(?:sys|dias)tolic\b|\bhypertensi", re.IGNORECASE),
}


@dataclass(frozen=True)
class EvidenceQuantities:
    """The quantities of the text that a claim is verified against.

    Attributes:
        text: the text.
        by_dimension: its quantities by what they measure.
        units: the units that it names apart from its numbers: "age (years)".
    """

    text: str
    by_dimension: dict[str, list[Quantity]]
    units: frozenset[Unit]

    def of(self, dimension: str) -> list[Quantity]:
        """Return the quantities of one dimension."""
        return self.by_dimension.get(dimension, [])


@lru_cache(maxsize=10_000)
def read_evidence(text: str) -> EvidenceQuantities:
    """Read the quantities of a text."""
    by_dimension: dict[str, list[Quantity]] = {}
    for quantity in parsed_quantities(text):
        by_dimension.setdefault(quantity.dimension, []).append(quantity)
    return EvidenceQuantities(text, by_dimension, unattached_units(text))


def number_of(quantity: Quantity) -> float:
    """Return the number as written, whatever its unit."""
    return float(f"{quantity.value / quantity.factor:.9g}")


def candidates(claim: str, quantity: Quantity, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield the quantities that may hold one of the claim, in its dimension."""
    dimension = quantity.dimension
    yield from evidence.of(dimension)
    yield from _turned(claim, quantity, evidence)
    if tells_difference(claim, quantity):
        yield from _differences(evidence, dimension)
    if quantity.per_day:
        for rate in evidence.of(f"{dimension}/time"):
            yield replace(rate, value=rate.value * DAY / quantity.per_day, step=0.0)
    if dimension != COUNT:
        yield from _without_unit(quantity, evidence)


def _turned(claim: str, quantity: Quantity, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield quantities of other dimensions that may say the same."""
    dimension = quantity.dimension
    if dimension == COUNT:
        yield from _as_counts(claim, quantity, evidence)
    elif dimension == PERCENT:
        yield from _as_percentages(claim, quantity, evidence)
    elif dimension == FOLD:
        yield from _as_folds(quantity, evidence)
    elif dimension == CALENDAR_YEAR:
        yield from evidence.of(COUNT)
    elif dimension == "time":
        yield from _as_periods(evidence)
    elif dimension.endswith("/time"):
        yield from _as_daily_doses(dimension, evidence)


def _as_counts(claim: str, quantity: Quantity, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield numbers whose unit the claim leaves out or has elsewhere.

    "at three years than at five".
    """
    yield from (fold for fold in evidence.of(FOLD) if fold.value % 1)
    if sum(number.dimension == COUNT and number.value == quantity.value for number in parsed_quantities(claim)) == 1:
        yield from _totals(evidence)  # 50 and 50 are no totals of 25 and 25
    if quantity.comparator or is_elliptical(claim, quantity):
        for dimension in _units_of(claim):
            yield from map(_bare, evidence.of(dimension))


def _units_of(claim: str) -> set[str]:
    """Return the dimensions that a claim names or implies."""
    named = {quantity.dimension for quantity in parsed_quantities(claim)}
    named |= {unit.dimension for unit in unattached_units(claim)}
    return (named | {dimension for dimension, said in _OMITTED.items() if said.search(claim)}) - {COUNT}


def is_elliptical(text: str, quantity: Quantity) -> bool:
    """Return whether a number stands without what it counts."""
    return bool(_NOTHING_COUNTED.match(text, quantity.end)) and not _N_EQUALS.search(text, 0, quantity.start)


def _bare(quantity: Quantity) -> Quantity:
    step = quantity.step / quantity.factor
    return replace(quantity, value=number_of(quantity), step=step, factor=1.0, dimension=COUNT)


def _without_unit(quantity: Quantity, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield numbers without a unit whose unit the text names elsewhere.

    It is named apart, or stands with another number.
    """
    dimension, factor = quantity.dimension, quantity.factor
    apart = any(unit.dimension == dimension and unit.factor == factor for unit in evidence.units)
    nearby = any(other.factor == factor for other in evidence.of(dimension))
    listed = quantity.shared and dimension != PERCENT  # "CTAS 4 and 28 minutes"
    for other in evidence.of(COUNT) if apart or nearby or listed else ():
        elliptical = nearby and is_elliptical(evidence.text, other) and (dimension != PERCENT or other.step < 1)
        if apart or listed or elliptical:
            yield replace(other, value=other.value * factor, step=other.step * factor, factor=factor)


def _as_percentages(claim: str, quantity: Quantity, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Turn "0.94" into 94 %, and a ratio into a change.

    A ratio of 0.71 or 1.29 is 29 % where the claim states a change.
    """
    changes = tells_change(claim, quantity)
    for other in evidence.of(COUNT):
        if other.step < 1 and other.value > 0:
            is_ratio = bool(_RATIO_BEFORE.search(evidence.text, max(0, other.start - 45), other.start))
            if is_ratio and (changes or quantity.approximate):
                yield _in_percent(other, abs(1 - other.value))
            if other.value < 1 and not (is_ratio and changes and not quantity.approximate):
                yield _in_percent(other, other.value)
    for ratio in evidence.of(RATIO):  # two thirds of those who were randomised 2:1
        yield _in_percent(ratio, ratio.value / (1 + ratio.value))
        yield _in_percent(ratio, 1 / (1 + ratio.value))
    if _OF_WHAT_IT_WAS.match(claim, quantity.end):
        for other in evidence.of(PERCENT):
            if tells_change(evidence.text, other):
                yield replace(other, value=100 - other.value, comparator="")
    if quantity.approximate:
        yield from _as_fractions(claim, quantity, evidence)


def _as_fractions(claim: str, quantity: Quantity, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield what two numbers make, for fractions in words.

    "half of the 36", "cut by two thirds", "half as many" and "half of them".
    """
    if whole := _number_divided(claim, quantity):
        for count in evidence.of(COUNT):
            if count.value <= whole and not count.value % 1:
                yield replace(quantity, value=100 * count.value / whole, comparator="")
    elif tells_relation(claim, quantity):
        yield from _ratios(quantity, evidence, 100.0, of_groups=False)
    elif tells_change(claim, quantity):
        for ratio in _ratios(quantity, evidence, 100.0, of_groups=False):
            yield replace(ratio, value=abs(100 - ratio.value))
    else:
        yield from _ratios(quantity, evidence, 100.0, of_groups=True)


def _number_divided(claim: str, quantity: Quantity) -> float:
    """Return the 36 of "half of the 36 women"; 0 without such a number."""
    link = _OF_A_NUMBER.match(claim, quantity.end)
    following = (other for other in parsed_quantities(claim) if link and other.start == link.end())
    return next((other.value for other in following if other.dimension == COUNT and not other.value % 1), 0.0)


def _in_percent(quantity: Quantity, share: float) -> Quantity:
    return replace(quantity, value=100 * share, step=100 * quantity.step, factor=1.0, dimension=PERCENT)


def tells_change(claim: str, quantity: Quantity) -> bool:
    """Return whether a percentage states a change or difference.

    "by 29 %", "29 % lower".
    """
    before = _CHANGE_BEFORE.search(claim, max(0, quantity.start - 40), quantity.start)
    return bool(before or _CHANGE_BEHIND.match(claim, quantity.end))


def tells_relation(claim: str, quantity: Quantity) -> bool:
    """Return whether a fraction compares two sides, and is no share of a group.

    "Half as many", "halved" and "fell to a third" compare; "half of them" does not.
    """
    if quantity.written.lower().startswith("halv") or _RELATION_BEHIND.match(claim, quantity.end):
        return True
    return bool(_TO.search(claim, max(0, quantity.start - 12), quantity.start))


def _as_folds(quantity: Quantity, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    yield from evidence.of(COUNT)
    for other in evidence.of(PERCENT):
        if tells_change(evidence.text, other):  # a rise by 100 % doubles
            yield replace(other, value=1 + other.value / 100, step=other.step / 100, dimension=FOLD)
    if quantity.in_words or quantity.approximate:
        yield from _ratios(quantity, evidence, 1.0, of_groups=False)


def _ratios(quantity: Quantity, evidence: EvidenceQuantities, scale: float, *, of_groups: bool) -> Iterator[Quantity]:
    """Yield ratios of two numbers of a sentence with the same unit.

    For a claim that states a ratio in one word.

    Of groups: of two whole counts, wherever they stand.
    """
    for others in [evidence.of(COUNT)] if of_groups else evidence.by_dimension.values():
        numbers = [other for other in others if other.value and not (of_groups and other.value % 1)]
        ratios = {
            abs(top.value / bottom.value)
            for top, bottom in permutations(numbers, 2)
            if of_groups or _in_one_sentence(evidence.text, *sorted((top, bottom), key=lambda number: number.start))
        }
        for ratio in ratios:
            yield replace(quantity, value=scale * ratio, comparator="")


def _in_one_sentence(text: str, first: Quantity, second: Quantity) -> bool:
    return bool(_WITHIN_SENTENCE.fullmatch(text, first.end, max(first.end, second.start)))


def tells_difference(claim: str, quantity: Quantity) -> bool:
    """Return whether a quantity states an absolute difference.

    "2.8 points lower", "by 13 days".
    """
    if quantity.dimension in _NO_DIFFERENCES or (quantity.dimension == PERCENT and "point" not in quantity.written):
        return False
    before = _BY.search(claim, max(0, quantity.start - 20), quantity.start)
    return bool(before or _CHANGE_BEHIND.match(claim, quantity.end))


def _differences(evidence: EvidenceQuantities, dimension: str) -> Iterator[Quantity]:
    """Yield differences of neighbours of one kind within a sentence.

    2.8 of "4.1 (SD 2.9) and 1.3".
    """
    known = evidence.of(dimension)
    for number, first in enumerate(known):
        for second in known[number + 1 : number + 1 + _MOST_APART]:
            if _in_one_sentence(evidence.text, first, second):
                step = max(first.step, second.step)
                value = float(f"{abs(first.value - second.value):.9g}")
                yield replace(second, value=value, step=step, comparator="", per_day=0.0)


def _totals(evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield sums of the sizes of groups that a sentence lists.

    196 of "(n = 65), (n = 65) or (n = 66)".
    """
    sizes = [count for count in evidence.of(COUNT) if _N_EQUALS.search(evidence.text, 0, count.start)]
    run = sizes[:1]
    for size in [*sizes[1:], None]:
        if size and _in_one_sentence(evidence.text, run[-1], size):
            run.append(size)
            continue
        if len(run) > 1:
            yield replace(run[-1], value=sum(one.value for one in run))
        run = [size] if size else []


def _as_periods(evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield the 8 hours of "every 8 hours"."""
    for rate in evidence.of(RATE):
        if rate.written.lower().startswith(("every", "each", "q")):
            yield replace(rate, value=1 / rate.value, dimension="time")


def _as_daily_doses(dimension: str, evidence: EvidenceQuantities) -> Iterator[Quantity]:
    """Yield the 800 mg/day of "400 mg twice daily"."""
    for dose in evidence.of(dimension.removesuffix("/time")):
        for rate in evidence.of(RATE):
            yield replace(dose, value=dose.value * rate.value, step=0.0)
