"""Checks that a text holds every quantity of a claim.

The same number must stand there with the same unit.

A number that the text does not hold never passes, whatever a model says of the sentence. What the number counts is the
model's to judge; here it has to stand, with its unit, in the text that is offered as evidence.
"""

import re
from dataclasses import replace

from llama_index_medqa.text.quantities.quantity import COUNT, FOLD, P_VALUE, PERCENT, Quantity
from llama_index_medqa.text.quantities.reading import parsed_quantities
from llama_index_medqa.text.quantities.units import MONTH
from llama_index_medqa.verification.quantity_candidates import EvidenceQuantities, candidates, number_of, read_evidence

_EXACT = 1e-9
_WORD_SLACK = 0.10  # "a third" may be 34 %, "three times" 3.07-fold
_ABOUT_SLACK = 0.05  # "about 35 %" may be 34 %
_BOUND_REACH = 1.5  # "more than 30 %" may be 34 %, and is no good account of 90 %
_CALENDAR_SLACK = 0.015  # 30 days are a month, 52 weeks a year
_ROUNDED_SLACK = 0.03  # a rounded number told in another unit
_UPWARDS = {"": 0, "over": 1, ">": 1, "≥": 1, "<": -1, "≤": -1}
_HALF = 0.5 * (1 + 1e-6)  # of the last written figure: 12.5 may be rounded to 12 and to 13
# Words that turn a negative number into a positive one: a change of −3.5 is a fall of 3.5.
_FALL = re.compile(
    r"\b(?:reduc|decreas|declin|lower|less|fewer|shorte|loss|lost|lose|fell|fall|drop|diminish|cut|negative|minus|worse"
    r"|below|smaller|shrink|shrank|saved|slower|faster|earlier|attenuat)",
    re.IGNORECASE,
)
_FALL_REACH = 120  # characters between such a word and its number
_RHYTHMS = {
    "daily": r"day|dail|\bd\b|night|diurnal|24[ -]?h|hour",
    "nightly": r"night|evening|bed",
    "weekly": r"week|\bwk|\b(?:7|14|seven)[ -]day",
    "fortnightly": r"fortnight|week",
    "monthly": r"month|\b(?:4|four)[ -]week|\b30[ -]day",
    "yearly": r"year|annu|\b12[ -]month",
    "annually": r"year|annu|\b12[ -]month",
    "annual": r"year|annu|\b12[ -]month",
    "hourly": r"hour|\d ?h\b|\b60[ -]min",
}
_NAMED_BEFORE = re.compile(r"\b\w*[A-Z]\w*[A-Z]\w*[ -](?:\d+[-/])?\Z")
_NOUN_BEHIND = re.compile(r"[- ]([A-Za-z]{3,})")


def quantity_conflicts(claim: str, evidence: str, context: str = "") -> list[str]:
    """Return the quantities of a claim that its evidence lacks.

    Args:
        claim: the sentence to check.
        evidence: the text that is offered for it.
        context: the title and the neighbouring sentences; a small number that names a thing ("the 12-item scale") may
            stand there alone.

    Returns:
        One line for each quantity that is missing; none where all are held.
    """
    there = read_evidence(evidence)
    conflicts: list[str] = []
    settled: list[tuple[int, int]] = []  # shares whose two numbers need no check of their own
    shares: list[Quantity] = []
    for quantity in sorted(parsed_quantities(claim), key=lambda quantity: quantity.parts is None):
        if any(start <= quantity.start and quantity.end <= end for start, end in settled):
            continue
        if quantity.parts:
            settled.append((quantity.start, quantity.end))
        held = _rhythm_is_held(quantity, there) if quantity.implicit else _is_held(claim, quantity, there)
        if held and quantity.parts and not quantity.in_words:
            shares.append(quantity)
        # "19.4 % (25 of 129)": what the claim itself works out from numbers that are held.
        held = held or (quantity.dimension == PERCENT and any(_same_value(quantity, share) for share in shares))
        if not held and not _is_name(claim, quantity, evidence, context):
            conflicts.append(_describe(quantity, there))
    return conflicts


def _describe(quantity: Quantity, there: EvidenceQuantities) -> str:
    if any(
        _taken_otherwise(quantity, other) and _same_value(quantity, other) for other in there.of(quantity.dimension)
    ):
        return f"{quantity.written!r} has another dosing frequency in the evidence"
    same_number = (
        other
        for found in there.by_dimension.values()
        for other in found
        if other.dimension != quantity.dimension and number_of(other) == number_of(quantity)
    )
    if other := next(same_number, None):
        return f"{quantity.written!r} has another unit in the evidence: {other.written!r}"
    return f"{quantity.written!r} is not in the evidence"


def _is_held(claim: str, quantity: Quantity, there: EvidenceQuantities) -> bool:
    if quantity.parts and _parts_are_held(*quantity.parts, there):
        return True
    return any(_agrees(claim, quantity, other, there.text) for other in candidates(claim, quantity, there))


def _rhythm_is_held(quantity: Quantity, there: EvidenceQuantities) -> bool:
    """Return whether the text has the weeks of a "weekly".

    Other implied quantities need no support.
    """
    rhythm = _RHYTHMS.get(quantity.written.lower())
    return rhythm is None or re.search(rhythm, there.text, re.IGNORECASE) is not None


def _parts_are_held(top: float, bottom: float, there: EvidenceQuantities) -> bool:
    counts = {count.value for count in there.of(COUNT)}
    return bottom in counts and (top in counts or top == 1)


def _agrees(claim: str, ours: Quantity, other: Quantity, text: str) -> bool:
    """Return whether a quantity of the evidence holds one of the claim."""
    if _taken_otherwise(ours, other):
        return False
    if ours.value * other.value < 0:
        signed, whole = (ours, claim) if other.value < 0 else (other, text)
        if not _FALL.search(whole, max(0, signed.start - _FALL_REACH), signed.end + _FALL_REACH):
            return False
        other = replace(other, value=-other.value)
    if ours.comparator or other.comparator:
        return _bound_agrees(ours, other)
    return _same_value(ours, other)


def _taken_otherwise(ours: Quantity, other: Quantity) -> bool:
    """Return whether two doses have different frequencies.

    5 mg once a day, 5 mg twice a day.
    """
    return bool(ours.per_day and other.per_day) and abs(ours.per_day - other.per_day) > _EXACT * other.per_day


def _bound_agrees(ours: Quantity, other: Quantity) -> bool:
    """Return whether two quantities agree where one is a bound.

    A claim may say less than its evidence ("more than 30 %" of 34 %).
    """
    upwards, other_upwards = _UPWARDS[ours.comparator], _UPWARDS[other.comparator]
    if not upwards:
        return other.comparator == "over" and other.dimension == "time" and _same_value(ours, other)
    if other_upwards == -upwards:
        return False
    if other_upwards == upwards and _same_value(replace(ours, approximate=False), other):
        return True
    if other_upwards == upwards and ours.dimension != P_VALUE:
        # A cut-off ("values below 0.7 are abnormal") is no measured value that lies within another one.
        return False
    beyond = (other.value - ours.value) * upwards
    if beyond == 0:
        return ours.comparator in {"≥", "≤", "over"}
    low, high = sorted((abs(ours.value), abs(other.value)))
    return beyond > 0 and (ours.dimension == P_VALUE or high <= low * _BOUND_REACH)


def _same_value(ours: Quantity, other: Quantity) -> bool:
    """Return whether two numbers agree; only the claim may be rounded."""
    difference, size = abs(ours.value - other.value), max(abs(ours.value), abs(other.value))
    if difference <= _EXACT * size:
        return True
    if ours.approximate and difference <= size * (_WORD_SLACK if ours.in_words else _ABOUT_SLACK):
        return True
    if ours.dimension == "time" and (ours.factor < MONTH) != (other.factor < MONTH):
        return difference <= _CALENDAR_SLACK * size
    if ours.dimension == FOLD and ours.in_words:
        return False  # "twice" is no rounding of 1.6
    rounded = other.step < ours.step * (1 - _EXACT) and difference <= ours.step * _HALF
    return rounded and (ours.factor == other.factor or difference <= _ROUNDED_SLACK * size)


def _is_name(claim: str, quantity: Quantity, evidence: str, context: str) -> bool:
    """Return whether a number is part of a name in evidence or context.

    "MEND 2-4", "the 12-item scale".
    """
    if quantity.dimension != COUNT or quantity.value % 1:
        return False
    if name := _NAMED_BEFORE.search(claim, 0, quantity.start):
        written = _joined(claim[name.start() : quantity.end])
        return written in _joined(evidence) or written in _joined(context)
    noun = _NOUN_BEHIND.match(claim, quantity.end)
    return noun is not None and any(
        other.value == quantity.value and context[other.end + 1 :].lower().startswith(noun[1].lower())
        for other in parsed_quantities(context)
        if other.dimension == COUNT
    )


def _joined(text: str) -> str:
    return re.sub(r"[\s-]+", "", text).lower()
