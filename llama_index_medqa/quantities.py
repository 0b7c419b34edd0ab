"""The numbers of a text, with their units, in one form: "1,200 mg" is "1.2 g", "twice" is "2-fold"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SMALL = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(f"{_SMALL} nineteen".split(), start=2)}
_WORDS |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_UNITS: dict[str, dict[str, float]] = {
        "percent": {"%": 1, "percent": 1, "per cent": 1},
        "mass": {"ng": 1e-9, "µg": 1e-6, "μg": 1e-6, "ug": 1e-6, "mcg": 1e-6, "micrograms": 1e-6, "microgram": 1e-6,
                 "mg": 1e-3, "milligrams": 1e-3, "milligram": 1e-3,
                 "g": 1, "grams": 1, "gram": 1, "kg": 1e3, "kilograms": 1e3},
        "volume": {"µl": 1e-6, "μl": 1e-6, "ul": 1e-6, "ml": 1e-3, "millilitres": 1e-3, "milliliters": 1e-3, "dl": 0.1,
                   "l": 1, "litres": 1, "liters": 1},
        "length": {"nm": 1e-9, "µm": 1e-6, "μm": 1e-6, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1, "km": 1e3},
        "amount": {"nmol": 1e-9, "µmol": 1e-6, "μmol": 1e-6, "umol": 1e-6, "mmol": 1e-3, "mol": 1},
        "pressure": {"mmhg": 1, "mm hg": 1, "kpa": 7.50062},
        "days": {"seconds": 1 / 86400, "second": 1 / 86400, "s": 1 / 86400, "minutes": 1 / 1440, "minute": 1 / 1440,
                 "min": 1 / 1440, "mins": 1 / 1440, "hours": 1 / 24, "hour": 1 / 24,
                 "h": 1 / 24, "hrs": 1 / 24, "hr": 1 / 24,
                 "days": 1, "day": 1, "d": 1, "weeks": 7, "week": 7, "wk": 7, "wks": 7, "fortnight": 14},
        "months": {"months": 1, "month": 1, "mo": 1, "years": 12, "year": 12, "yr": 12, "yrs": 12, "decades": 120},
        "fold": {"fold": 1, "times": 1},
        "units": {"iu": 1, "units": 1, "u": 1},
        "radiation": {"gy": 1, "mgy": 1e-3},
}  # fmt: skip
_UNIT_FACTORS = {name: (dimension, factor) for dimension, units in _UNITS.items() for name, factor in units.items()}
_UNIT = r"(?:%|per\s?cent\b|mm\s?hg\b|[a-zµμ]+(?![a-z]))"
_FIGURE = re.compile(
    r"(?<![\w.])(?<![A-Za-z]-)(?P<value>\d+(?:[,\u2009\u202f]\d{3})*(?:\.\d+)?|\.\d+)(?!\d|(?:st|nd|rd|th)\b)"
    r"(?P<unit>\s?-?" + _UNIT + r")?",
    re.IGNORECASE,
)
_NUMBER_WORD = re.compile(
    r"\b(?P<tens>"
    + _TENS.replace(" ", "|")
    + r")?-?(?P<word>"
    + "|".join(word for word in _WORDS if word not in _TENS.split())
    + r")?(?P<unit>-?\s?(?:fold|percent|per cent|seconds?|minutes?|hours?|days?|weeks?|months?|years?|times)\b)?",
    re.IGNORECASE,
)
_PHRASES: tuple[tuple[re.Pattern[str], float, str], ...] = (
    (re.compile(r"\b(?:twice|doubl(?:e[sd]?|ing))\b(?!-blind|\sblind)", re.IGNORECASE), 2, "fold"),
    (re.compile(r"\b(?:thrice|tripl(?:e[sd]?|ing)|treble[sd]?)\b", re.IGNORECASE), 3, "fold"),
    (re.compile(r"\bquadrupl(?:e[sd]?|ing)\b", re.IGNORECASE), 4, "fold"),
    (
        re.compile(
            r"\b(?:one[- ])?half(?!-li|\s(?:li|a)|-?time)\b(?! (?:year|hour|day)s?\b)|\bhalved?\b", re.IGNORECASE
        ),
        50,
        "percent",
    ),
    (re.compile(r"\b(?:one|a)[- ](?:quarter|fourth)\b", re.IGNORECASE), 25, "percent"),
    (re.compile(r"\bthree[- ](?:quarters|fourths)\b", re.IGNORECASE), 75, "percent"),
    (re.compile(r"\b(?:one|a)[- ]third\b", re.IGNORECASE), 33, "percent"),
    (re.compile(r"\btwo[- ]thirds\b", re.IGNORECASE), 67, "percent"),
)
_ABOUT = re.compile(
    r"(?:\b(?:about|around|approximately|approx\.?|nearly|almost|roughly|circa|ca\.?|some|over|more than)|~|≈)\s*\Z",
    re.I,
)


@dataclass(frozen=True)
class Quantity:
    """A number of a text.

    Attributes:
        value: in the base unit of its dimension, or as written where it has none.
        dimension: what its unit measures ("mass", "percent", "days" …); None without a unit that we know.
        written: as the text has it.
        about: whether the text says that it is rounded.
    """

    value: float
    dimension: str | None
    written: str
    about: bool = False

    def same_value(self, other: "Quantity") -> bool:
        """Whether both are the same number; one that is called rounded need only be near (5 %)."""
        slack = 0.05 if self.about else 1e-9
        return abs(self.value - other.value) <= slack * max(abs(self.value), abs(other.value))

    def agrees_with(self, other: "Quantity") -> bool:
        """Whether both are the same number of the same unit; an unnamed unit may be any."""
        if self.dimension and other.dimension and self.dimension != other.dimension:
            return False
        return self.same_value(other) or (
            (self.dimension is None) != (other.dimension is None) and bare(self.written) == bare(other.written)
        )


def bare(written: str) -> str:
    """The figures of a number as written, without separators and trailing zeros."""
    digits = re.sub(r"[^\d.]", "", written).strip(".")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def quantities(text: str) -> list[Quantity]:
    """The numbers of a text, in figures and in words.

    Digits inside a name ("IL-6", "COVID-19", "H1N1") are none, nor is "one", which seldom counts. Both ends of a
    range are numbers. "Half" is 50 percent, "twice" and "two-fold" are the same.
    """
    plain = text.replace("·", ".").replace("\u00a0", " ")
    found = list(_in_figures(plain))
    found += _in_words(plain)
    found += [
        Quantity(value, unit, match.group(), about=True)
        for pattern, value, unit in _PHRASES
        for match in pattern.finditer(plain)
    ]
    return found


def _in_figures(text: str) -> Iterator[Quantity]:
    for match in _FIGURE.finditer(text):
        value = float(re.sub(r"[,\s]", "", match["value"]))
        unit = re.sub(r"\s+", " ", (match["unit"] or "").strip(" -").lower())
        dimension, factor = _unit(unit)
        about = bool(_ABOUT.search(text, max(0, match.start() - 16), match.start()))
        yield Quantity(value * factor, dimension, match.group().strip() if dimension else match["value"], about)


def _unit(name: str) -> tuple[str | None, float]:
    return _UNIT_FACTORS.get(name, (None, 1.0))


def _in_words(text: str) -> Iterator[Quantity]:
    for match in _NUMBER_WORD.finditer(text):
        if not (match["tens"] or match["word"]) or text[match.end() : match.end() + 7].lower().startswith(
            (" third", "-third", " quart", "-quart")
        ):
            continue
        value = float(_WORDS.get((match["tens"] or "").lower(), 0) + _WORDS.get((match["word"] or "").lower(), 0))
        unit = (match["unit"] or "").strip(" -").lower()
        dimension, factor = _unit(unit)
        yield Quantity(value * factor, dimension, match.group().strip())
