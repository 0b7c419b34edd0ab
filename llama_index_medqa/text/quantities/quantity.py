"""The quantity: a number with its unit, sign, comparator and precision."""

from dataclasses import dataclass

COUNT = ""  # the dimension of a number without a unit
PERCENT, FOLD, RATIO, RATE = "percent", "fold", "ratio", "1/time"
P_VALUE, CONFIDENCE_LEVEL, CALENDAR_YEAR = "p-value", "confidence level", "calendar year"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a text with its unit.

    Attributes:
        written: as the text has it: `text[start:end]`.
        start: where it begins in the text.
        end: where it ends, unit included.
        value: in the base unit of its dimension: gram, litre, metre, mole, second, percent, °C.
        dimension: what its unit measures: "mass/volume", "percent", "1/time"; "" for a number without a unit. Also
            "fold", "ratio", "p-value", "confidence level" and "calendar year".
        step: what its last written figure is worth, in base units.
        factor: how many base units its own unit is.
        comparator: "", "<", "≤", ">", "≥" or "over", which says "more than" or, of a time, "during".
        approximate: whether the text calls it rounded ("about"), or it is a word such as "half" or "doubled".
        implicit: whether the text only implies it ("daily" without "once"): it can support, and needs no support.
        shared: whether its unit stands with another number, as that of 12 in "12-18 months".
        in_words: whether it is written in words.
        parts: numerator and denominator of a share ("18 of 36").
        per_day: how often a day a dose is taken, where its frequency follows it; 0 otherwise.
    """

    written: str
    start: int
    end: int
    value: float
    dimension: str = COUNT
    step: float = 1.0
    factor: float = 1.0
    comparator: str = ""
    approximate: bool = False
    implicit: bool = False
    shared: bool = False
    in_words: bool = False
    parts: tuple[float, float] | None = None
    per_day: float = 0.0
