"""Units of measurement, such as "mg/kg per day".

The factors stand in this module, for pint takes 1.7 s to import and to build its registry. A unit test compares every
one of them with pint's definitions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

PREFIXES = {
    "": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "u": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1, "h": 1e2,
    "k": 1e3, "M": 1e6, "G": 1e9,
}  # fmt: skip
PREFIX_WORDS = {
    "": 1.0, "pico": 1e-12, "nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "centi": 1e-2, "deci": 1e-1, "kilo": 1e3,
    "mega": 1e6,
}  # fmt: skip
# dimension, symbol, the prefixes that it is read with ("-": none), its size in base units
_SYMBOLS: tuple[tuple[str, str, str, float], ...] = (
    ("mass", "g", "- f p n µ u m k", 1.0),
    ("volume", "l", "- f p n µ u m c d", 1.0),
    ("volume", "L", "- f p n µ u m c d", 1.0),
    ("length", "m", "- n µ u m c k", 1.0),
    ("amount", "mol", "- f p n µ u m k", 1.0),
    ("amount/volume", "M", "p n µ u m", 1.0),
    ("time", "s", "- m µ", 1.0),
    ("units", "IU", "- µ u m k M", 1.0),
    ("units", "U", "- µ u m k M", 1.0),
    ("equivalents", "Eq", "- µ u m", 1.0),
    ("osmoles", "Osm", "- m", 1.0),
    ("osmoles", "osmol", "- m", 1.0),
    ("absorbed dose", "Gy", "- c m", 1.0),
    ("dose equivalent", "Sv", "- µ u m", 1.0),
    ("radioactivity", "Bq", "- k M G", 1.0),
    ("radioactivity", "Ci", "- m µ u", 3.7e10),
    ("energy", "J", "- m k M", 1.0),
    ("energy", "cal", "- k", 4.184),
    ("power", "W", "- m k", 1.0),
    ("voltage", "V", "- m µ u k", 1.0),
    ("current", "A", "m µ u", 1.0),
    ("magnetic field", "T", "- m", 1.0),
    ("1/time", "Hz", "- k M G", 1.0),
    ("pressure", "Pa", "- h k M", 1.0),
    ("molecular mass", "Da", "- k M", 1.0),
    ("force", "N", "m k", 1.0),
)
# dimension, stems that take the prefix words and a plural s, size in base units
_STEMS: tuple[tuple[str, str, float], ...] = (
    ("mass", "gram gramme", 1.0),
    ("volume", "litre liter", 1.0),
    ("length", "metre meter", 1.0),
    ("amount", "mole", 1.0),
    ("time", "second", 1.0),
    ("absorbed dose", "gray", 1.0),
    ("dose equivalent", "sievert", 1.0),
    ("radioactivity", "becquerel", 1.0),
    ("radioactivity", "curie", 3.7e10),
    ("energy", "joule", 1.0),
    ("energy", "calorie", 4.184),
    ("power", "watt", 1.0),
    ("voltage", "volt", 1.0),
    ("current", "ampere amp", 1.0),
    ("magnetic field", "tesla", 1.0),
    ("1/time", "hertz", 1.0),
    ("pressure", "pascal", 1.0),
    ("molecular mass", "dalton", 1.0),
    ("force", "newton", 1.0),
    ("equivalents", "equivalent", 1.0),
    ("osmoles", "osmole", 1.0),
)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
YEAR = 365.25 * DAY
MONTH = YEAR / 12
# dimension, names that are read in any case, size in base units
_NAMES: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("percent", ("%", "percent", "per cent", "pct", "percentage point", "percentage points"), 1.0),
    ("percent", ("‰",), 0.1),
    ("parts", ("ppm",), 1e-6),
    ("parts", ("ppb",), 1e-9),
    ("fold", ("fold", "times"), 1.0),
    ("time", ("sec", "secs"), 1.0),
    ("time", ("msec",), 1e-3),
    ("time", ("min", "mins", "minute", "minutes"), MINUTE),
    ("time", ("h", "hr", "hrs", "hour", "hours"), HOUR),
    ("time", ("d", "day", "days", "night", "nights"), DAY),
    ("time", ("wk", "wks", "week", "weeks"), 7 * DAY),
    ("time", ("fortnight", "fortnights"), 14 * DAY),
    ("time", ("mo", "mos", "month", "months"), MONTH),
    ("time", ("y", "yr", "yrs", "year", "years"), YEAR),
    ("time", ("decade", "decades"), 10 * YEAR),
    ("person-time", ("person year", "person years"), YEAR),
    ("person-time", ("person month", "person months"), MONTH),
    ("person-time", ("person day", "person days"), DAY),
    ("mass", ("mcg",), 1e-6),
    ("mass", ("gm", "gms"), 1.0),
    ("mass", ("lb", "lbs", "pound", "pounds"), 453.59237),
    ("mass", ("oz", "ounce", "ounces"), 28.349523125),
    ("length", ("micron", "microns"), 1e-6),
    ("length", ("inch", "inches"), 0.0254),
    ("length", ("ft", "foot", "feet"), 0.3048),
    ("length", ("mile", "miles"), 1609.344),
    ("volume", ("cc", "ccs"), 1e-3),
    ("pressure", ("mmhg",), 133.322387415),
    ("pressure", ("cmh2o",), 98.0665),
    ("units", ("unit", "units", "international unit", "international units"), 1.0),
    ("1/time", ("bpm",), 1 / MINUTE),
    ("amount/volume", ("millimolar",), 1e-3),
    ("amount/volume", ("micromolar",), 1e-6),
    ("amount/volume", ("nanomolar",), 1e-9),
    ("sound level", ("db", "decibel", "decibels"), 1.0),
    ("diopters", ("diopter", "diopters", "dioptre", "dioptres"), 1.0),
    ("angle", ("°", "degree", "degrees"), 1.0),
    ("temperature", ("°c", "℃", "degrees c", "degrees celsius", "degrees centigrade"), 1.0),
    ("temperature", ("°f", "℉", "degrees f", "degrees fahrenheit"), 5 / 9),
)
ZERO_FAHRENHEIT = -160 / 9  # in °C
# Symbols that are written in another case now and then, where nothing else can be meant.
_OTHER_CASE = {
    "Kg": "kg", "KG": "kg", "MG": "mg", "ML": "mL", "Ml": "ml", "CM": "cm", "Kcal": "kcal", "KJ": "kJ", "iu": "IU",
    "meq": "mEq", "mosm": "mOsm", "mosmol": "mOsm", "hz": "Hz", "Khz": "kHz", "kpa": "kPa", "KPa": "kPa", "KDa": "kDa",
    "gy": "Gy", "mmole": "mmol",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measurement.

    Attributes:
        dimension: what it measures: "mass", "mass/volume", "percent". A mass per mass (mg/kg) stays "mass/mass".
        factor: how many base units it is: 0.001 for mg, whose base unit is the gram.
        offset: its zero in base units; only °F has one, whose base unit is °C.
    """

    dimension: str
    factor: float
    offset: float = 0.0

    def __truediv__(self, other: "Unit") -> "Unit":
        """Divide by another unit.

        Divisors are sorted, so that mg/day/kg is mg/kg/day.
        """
        top, *below = self.dimension.split("/")
        other_top, *other_below = other.dimension.split("/")
        divisors = sorted(part for part in (*below, *other_top.split("·")) if part != "1")
        factors = [part for part in (*top.split("·"), *other_below) if part != "1"]
        return Unit("/".join(["·".join(sorted(factors)) or "1", *divisors]), self.factor / other.factor)

    def __mul__(self, other: "Unit") -> "Unit":
        """Multiply by another unit (ng·h)."""
        return self / (ONE / other)


ONE = Unit("1", 1.0)


def _symbols() -> Iterator[tuple[str, Unit]]:
    for dimension, symbol, prefixes, factor in _SYMBOLS:
        for prefix in prefixes.replace("-", " ,").split(" "):
            yield prefix.strip(",") + symbol, Unit(dimension, PREFIXES[prefix.strip(",")] * factor)


def _names() -> Iterator[tuple[str, Unit]]:
    for dimension, stems, factor in _STEMS:
        for stem in stems.split():
            for prefix, scale in PREFIX_WORDS.items():
                yield prefix + stem, Unit(dimension, scale * factor)
                yield prefix + stem + "s", Unit(dimension, scale * factor)
    for dimension, names, factor in _NAMES:
        offset = ZERO_FAHRENHEIT if (dimension, factor) == ("temperature", 5 / 9) else 0.0
        for name in names:
            yield name, Unit(dimension, factor, offset)


SYMBOLS = dict(_symbols())  # read as they are written: mM is not mm
SYMBOLS |= {other: SYMBOLS[symbol] for other, symbol in _OTHER_CASE.items()}
NAMES = dict(_names())  # read in any case

_NAME = re.compile(
    r"°\s?[CF](?![a-z])|%|‰|℃|℉|°|mm\s?Hg\b|cm(?:\sof)?\s?H[2₂]O\b|per\s?cent\b|percentage points?\b"
    r"|international units?\b|degrees? (?:celsius|centigrade|fahrenheit|[CF]\b)"
    r"|(?:person|patient|woman|child|participant)s?[- ]"
    r"(?:year|month|day)s?\b|[A-Za-zµ]+",
    re.IGNORECASE,
)
_POWERS = {"2": 2, "3": 3, "²": 2, "³": 3}
_POWER = re.compile(r"\^?([23])(?!\d)|([²³])")
_WORDED_POWER = re.compile(r"(square|cubic)[ -]", re.IGNORECASE)
_INVERSE = re.compile(r"\s?(?:\^?\(?[-−]\s?([12])\)?(?!\d)|⁻([¹²]))")
_TIMES_UNIT = re.compile(r"\s?[·⋅•*×]\s?|[ .](?=[a-zA-Zµ]+\s?(?:\^?\(?[-−]\s?[12]|⁻[¹²]))")
_IN_BRACKET = re.compile(r"\s?[·⋅•*×/. ]\s?")
_BODY = r"(?:\s(?:of\s)?(?:body[ -]?(?:weight|mass|surface area)|bw|bsa|wet weight|dry weight)\b)?"
_SUBSTANCE = r"(?:\sof(?:\s(?!once\b|twice\b|times\b|an?\b)[a-z][\w-]*){1,3}?)?"
_SLASH = re.compile(rf"{_BODY}{_SUBSTANCE}\s?[/∕⁄]\s?\(?", re.IGNORECASE)
_PER = re.compile(rf"{_BODY}{_SUBSTANCE}[ -](?:per|for every|for each|in every|in each)[ -]", re.IGNORECASE)
_EACH = re.compile(rf"{_BODY}{_SUBSTANCE} (?:an?(?! second)|each|every) ", re.IGNORECASE)
_LATER = re.compile(r" (?:later|after|ago|before|earlier)\b")  # "eight in ten a year later"
_AMOUNT = re.compile(r"(?:(\d[\d,]*(?:\.\d+)?)|(hundred|thousand|million))[ -]?", re.IGNORECASE)
_AMOUNTS = {"hundred": 100.0, "thousand": 1e3, "million": 1e6}
_COUNTED = re.compile(
    r"(?:\s(?!per\b|for\b|an?\b|of\b|and\b|or\b|to\b|in\b|each\b|every\b)[A-Za-z][\w-]*){0,2}(?=\s|/)"
)
_NO_SYMBOL = re.compile(r"\.[A-Za-z]|[ -](?:cell|lympho|helper)", re.IGNORECASE)  # "U.S.", "T cells"


def read_unit(text: str, position: int) -> tuple[Unit, int] | None:
    """Read the unit at a position, and return it with its end.

    All that it is multiplied and divided by belongs to it.
    """
    first = _read_name(text, position)
    return first and _divided(text, *first)


def read_rate(text: str, position: int) -> tuple[Unit, int] | None:
    """Read what a count is divided by, and return it with its end.

    "/L", " beats per minute", " per 1,000 person-years".

    A share such as "12 per 1,000" is a percentage.
    """
    counted = _COUNTED.match(text, position)
    start = counted.end() if counted else position
    unit, end = _divided(text, ONE, start)
    if end != start:
        return unit, end
    per = _PER.match(text, start)
    amount = per and _AMOUNT.match(text, per.end())
    if amount and (share := _amount(amount)) >= 100:
        return Unit("percent", 100 / share), amount.end()
    return None


def _divided(text: str, unit: Unit, end: int) -> tuple[Unit, int]:
    while True:
        if following := _read_divisor(text, end, bare=unit == ONE):
            divisor, end = following
            unit = unit / divisor
        elif (times := _TIMES_UNIT.match(text, end)) and (named := _read_name(text, times.end())):
            factor, end = named
            unit = unit * factor
        else:
            return unit, end


def _read_divisor(text: str, end: int, *, bare: bool) -> tuple[Unit, int] | None:
    match = _SLASH.match(text, end) or _PER.match(text, end)
    if match:
        amount = _AMOUNT.match(text, match.end())
        if amount and bare and match[0].strip(" (") == "/":
            return None  # 120/80 mmHg
        named = _read_name(text, amount.end() if amount else match.end())
        if named is None:
            return None
        size = _amount(amount) if amount else 1.0
        divisor, end = Unit(named[0].dimension, named[0].factor * size), named[1]
        return _read_bracket(text, divisor, end) if match[0].endswith("(") else (divisor, end)
    match = _EACH.match(text, end)  # these divide by a time only: "5 mg a day"
    named = _read_name(text, match.end()) if match else None
    if named and named[0].dimension == "time" and not _LATER.match(text, named[1]):
        return named
    return None


def _read_bracket(text: str, unit: Unit, end: int) -> tuple[Unit, int]:
    """Read the rest of the bracket of "mg/(kg·day)"."""
    while (times := _IN_BRACKET.match(text, end)) and (named := _read_name(text, times.end())):
        unit, end = unit * named[0], named[1]
    return unit, end + text.startswith(")", end)


def _amount(match: re.Match[str]) -> float:
    return float(match[1].replace(",", "")) if match[1] else _AMOUNTS[match[2].lower()]


def _read_name(text: str, position: int) -> tuple[Unit, int] | None:
    worded = _WORDED_POWER.match(text, position)
    match = _NAME.match(text, worded.end() if worded else position)
    unit = match and _named(match.group())
    if not match or not unit or (len(match.group()) == 1 and _NO_SYMBOL.match(text, match.end())):
        return None
    end = match.end()
    exponent = {"square": 2, "cubic": 3}[worded[1].lower()] if worded else 1
    if unit.dimension == "length" and (power := _POWER.match(text, end)):
        exponent, end = _POWERS[power[1] or power[2]], power.end()
    if inverse := _INVERSE.match(text, end):
        size = 2 if (inverse[1] or inverse[2]) in {"2", "²"} else 1
        return ONE / _raised(unit, size), inverse.end()
    return _raised(unit, exponent), end


def _raised(unit: Unit, exponent: int) -> Unit:
    if exponent == 1 or unit.dimension != "length":
        return unit
    return Unit("area", unit.factor**2) if exponent == 2 else Unit("volume", unit.factor**3 * 1000)


def _named(name: str) -> Unit | None:
    if name in SYMBOLS:
        return SYMBOLS[name]
    plain = re.sub(r"(?<=[°m])(?: of)?\s", "", name.lower().replace("₂", "2").replace("-", " "))
    plain = re.sub(r"^(?:patient|woman|child|participant|person)s?(?= )", "person", plain)
    return NAMES.get(plain)
