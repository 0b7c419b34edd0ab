"""The context of a number: sign, comparator, "about", p =, and names that it is a part of."""

import re
from dataclasses import dataclass

from llama_index_medqa.text.quantities.numerals import WORDS

_COMPARATORS = {
    "over": "over",
    **dict.fromkeys(("more than", "greater than", "higher than", "longer than", "older than", "larger than"), ">"),
    **dict.fromkeys(("above", "beyond", "exceeding", "exceeds", "exceeded", "exceed", ">"), ">"),
    **dict.fromkeys(
        ("at least", "no less than", "not less than", "no fewer than", "not fewer than", "minimum of", "≥", ">=", "≧"),
        "≥",
    ),
    **dict.fromkeys(
        (
            "less than",
            "fewer than",
            "lower than",
            "younger than",
            "shorter than",
            "smaller than",
            "below",
            "under",
            "<",
        ),
        "<",
    ),
    **dict.fromkeys(("at most", "no more than", "not more than", "maximum of", "≤", "<=", "≦"), "≤"),
}
_ABOUT = frozenset((
    "about", "around", "approximately", "approx", "approx.", "nearly", "almost", "roughly", "circa", "ca", "ca.",
    "some", "close to", "not quite", "just over", "just under", "slightly over", "slightly under", "slightly more than",
    "slightly less than", "slightly above", "slightly below", "slightly fewer than", "a little over", "a little under",
    "a little more than", "a little less than", "just above", "just below", "just more than", "just less than", "~",
))  # fmt: skip
_ARTICLES = frozenset(("a", "an", "the", "=", "of", "age", "recommended"))
_LONGEST = 4  # words of "a little more than"
_TOKEN = re.compile(r"[<>≤≥=~≦≧]+|\w+\.?|[^\s\w]")
_OR_MORE = re.compile(
    r"\s?\+(?![\d/])|(?: of (?:age|gestation))?,?\s(?:or|and) "
    r"(?:more|over|above|older|higher|greater|longer|upwards?|beyond)\b",
    re.IGNORECASE,
)
_OR_LESS = re.compile(
    r"(?: of (?:age|gestation))?,?\s(?:or|and) (?:less|fewer|under|below|younger|lower|shorter)\b", re.IGNORECASE
)
_P_WORDS = frozenset(
    ("value", "values", "for", "trend", "interaction", "(", ")", "-", "_", "the", "difference", "heterogeneity", "of")
)
# Words whose number is a part of a name, whatever follows it ...
_NAMED = frozenset(
    "type types stage stages phase phases grade grades class classes category categories level levels table tables fig"
    " figure figures version versions model models quartile quartiles tertile tertiles quintile quintiles vitamin"
    " factor chromosome exon intron interleukin item items protocol question hypothesis domain serotype genotype"
    " genotypes subtype strain no number covid channel apolipoprotein omega isoform killip nyha zone cluster".split()
)
# ... and words whose small number is one unless something counted follows: "arm 2", not "in the control arm 2 women".
_OFTEN_NAMED = frozenset(
    "group groups arm arms cohort cohorts study studies trial trials experiment experiments visit visits step steps"
    " case cases part parts session sessions cycle cycles round wave aim aims objective line period set mode".split()
)
_MOST_GROUPS = 6
_COUNTED = re.compile(
    r"\s?(?:-|to)\s?\d"
    r"|\s(?!and\b|or\b|was\b|is\b|has\b|as\b|vs\b)(?:[a-z-]+\s)?(?:[a-z]{2,}s|people|men|women|children)\b"
)
_TIMES = frozenset(("minute", "hour", "day", "week", "month", "year"))
_TIME_NAME = re.compile(r"\b(?:day|week|month|year)-?\Z", re.IGNORECASE)
_COUNTING = frozenset((*WORDS, "per", "each", "every", "a", "/", "this", "that", "of"))
_AGE_LINKS = frozenset(("of", "was", "between", "from", "over", "range", ":", "=", "(", "group", "groups"))
_DEFINITE = (["the"], ["these"], ["those"], ["all"], ["both"], ["their"], ["its"], ["other"])
_NAME_LINK = re.compile(r"\s?(?:[-/&+]|and|or|to|through)\s?", re.IGNORECASE)
_NAME_BEHIND = re.compile(
    r"(?:st|nd|rd|th)\b|['′]|\((?:OH)\)|-?[α-ωΑ-Ω]|-[A-Z]{1,4}(?![a-z])|[A-Za-z]"
    r"|(?:,\d+)*'?-(?:[a-z]+-)?[a-z]{3,}(?:ine|yl|ol|ide|ate|ase|oxy|acid|one|ane|ene|min|il|amine)\b"
)
_CLOCK = re.compile(r"\s?(?:o'clock|a\.m\.|p\.m\.|am\b|pm\b)|:\d\d\s?(?:h\b|am\b|pm\b|a\.m|p\.m)|:00\b", re.IGNORECASE)
_MONTH_NAMES = (
    "january february march april may june july august september october november december"
    " jan feb mar apr jun jul aug sept sep oct nov dec".split()
)
_MONTHS = frozenset(_MONTH_NAMES)
_MONTH_BEHIND = re.compile(rf"\s(?:of\s)?(?:{'|'.join(_MONTH_NAMES)})\b", re.IGNORECASE)
_YEAR_AFTER = frozenset(
    "in since during from between until till through before after year years spring summer autumn winter fall early"
    " late mid of by for and to end ( / - ,".split()
)
_YEARS = range(1900, 2100)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the words beside a number say about it."""

    comparator: str = ""
    approximate: bool = False
    is_p_value: bool = False


def read_surroundings(text: str, start: int, end: int) -> Surroundings:
    """Read the comparator, the "about" and the "p =" of the number at `text[start:end]`."""
    tokens = tokens_before(text, start)
    comparator, about, signs, definite = "", False, False, False
    while tokens:
        taken, said = _last_phrase(tokens)
        compares = said not in {"", "~"}
        if not taken or (compares and definite):
            break  # "more than the 25 % on placebo" compares two groups
        about = about or said == "~"
        comparator = comparator or (said if compares else "")
        definite = definite or tokens[-1] == "the"
        signs = signs or bool(said) or tokens[-1] in {"=", "of"}
        del tokens[-taken:]
    if not comparator:
        comparator = "≥" if _OR_MORE.match(text, end) else "≤" if _OR_LESS.match(text, end) else ""
    return Surroundings(comparator, about, signs and _ends_with_p(tokens))


def tokens_before(text: str, start: int) -> list[str]:
    """Return the words and signs right before a position, in lower case."""
    return _TOKEN.findall(text[max(0, start - 40) : start].lower())


def _last_phrase(tokens: list[str]) -> tuple[int, str]:
    """Read the comparator, "about" or article at the end of some words.

    Returns how many words it has, and its meaning.
    """
    for size in range(min(_LONGEST, len(tokens)), 0, -1):
        phrase = " ".join(tokens[-size:])
        if phrase in _ABOUT:
            return size, "~"
        if said := _COMPARATORS.get(phrase):
            return size, said
    return (1, "") if tokens[-1] in _ARTICLES else (0, "")


def _ends_with_p(tokens: list[str]) -> bool:
    for word in reversed(tokens[-6:]):
        if word == "p":
            return True
        if word not in _P_WORDS:
            return False
    return False


def is_negative(text: str, start: int) -> bool:
    """Return whether a number has a minus sign.

    A dash behind a figure makes a range ("3-5"), behind a letter a name ("IL-6").
    """
    before = text[:start].rstrip() if text[start - 2 : start] in {"- ", "− "} else text[:start]
    if not before.endswith(("-", "−")):
        return False
    spaced, sure = len(before) < start, before.endswith("−")
    ahead = before[:-1]
    if spaced:
        return ahead.rstrip().endswith(("(", "[", "=", "<", ">", "≤", "≥"))
    if not ahead or ahead[-1] in "([=<>≤≥~,;:/±-−":
        return True
    return ahead[-1].isspace() and (sure or not ahead.rstrip()[-1:].isdigit())


def is_name(text: str, start: int, end: int, value: float) -> bool:
    """Return whether a number without a unit is part of a name.

    Such as "type 2" or "5-fluorouracil"; ordinals and times of day count too.
    """
    if _NAME_BEHIND.match(text, end) or _CLOCK.match(text, end):
        return True
    tokens = tokens_before(text, start)
    if not tokens or value != int(value):
        return False
    if tokens[-1] in _NAMED:
        return True
    return tokens[-1] in _OFTEN_NAMED and value <= _MOST_GROUPS and not _COUNTED.match(text, end)


def unit_before(text: str, start: int) -> str:
    """Return the unit that stands before its number.

    "week" for "week 12", "year" for "aged 65"; "" where there is none.
    """
    tokens = tokens_before(text, start)
    if tokens and tokens[-1] == "-":
        tokens.pop()
    if tokens and (unit := tokens[-1].removesuffix("s")) in _TIMES:
        counted = tokens[-2:-1]  # "in 5 days 12 patients" and "each day 12 patients" count days
        return "" if counted and (counted[0] in _COUNTING or counted[0][0].isdigit()) else unit
    while tokens and tokens[-1] != "age" and (tokens[-1] in _AGE_LINKS or _last_phrase(tokens)[0]):
        del tokens[-max(_last_phrase(tokens)[0], 1) :]
    return "year" if tokens and tokens[-1] in {"age", "aged", "ages"} else ""


def is_listed(text: str, start: int) -> bool:
    """Return whether a small number only sums up a list: "the two sessions"."""
    return tokens_before(text, start)[-1:] in _DEFINITE


def continues_name(text: str, name_end: int, start: int) -> bool:
    """Return whether a number continues the name before it.

    "stages 2 and 3", "phase 1/2".
    """
    return bool(_NAME_LINK.fullmatch(text, name_end, start))


def in_name(text: str, start: int) -> bool:
    """Return whether a position is inside a name.

    It is behind a letter and a hyphen, or directly behind a letter or digit.
    """
    before = text[max(0, start - 2) : start]
    if not before:
        return False
    if _TIME_NAME.search(text, max(0, start - 8), start):
        return False  # "week16"
    if before[-1].isalnum() or before[-1] == "_" or (before[-1] == "." and before[:1].isdigit()):
        return True
    return before[-1] in "-−" and before[:-1].isalpha()


def is_calendar_year(text: str, start: int, end: int, value: float) -> bool:
    """Return whether a number is a year ("in 2008", "2004-2006")."""
    if value not in _YEARS or end - start != 4 or _COUNTED.match(text, end):
        return False
    tokens = tokens_before(text, start)
    return not tokens or tokens[-1].strip(".") in _MONTHS or tokens[-1] in _YEAR_AFTER


def is_day_of_month(text: str, start: int, end: int, value: float) -> bool:
    """Return whether a number is the day of a date ("10 July")."""
    if not 1 <= value <= 31:
        return False
    tokens = tokens_before(text, start)
    month_before = bool(tokens) and tokens[-1].strip(".") in _MONTHS and tokens[-1] not in {"may", "march"}
    return month_before or bool(_MONTH_BEHIND.match(text, end))
