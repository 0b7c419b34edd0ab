"""Quantities in words: "half", "one in five", "doubled", "twice daily", "BID"."""

import re
from collections.abc import Iterator
from dataclasses import replace

from llama_index_medqa.text.quantities.numerals import SCALES, WORDS
from llama_index_medqa.text.quantities.quantity import FOLD, PERCENT, RATE, Quantity
from llama_index_medqa.text.quantities.units import DAY, NAMES

_ADVERBS = {"hourly": "hour", "daily": "day", "nightly": "night", "weekly": "week", "fortnightly": "fortnight",
            "monthly": "month", "yearly": "year", "annually": "year", "annual": "year"}  # fmt: skip
_TIME = r"(?:second|minute|min|hour|hr|h|day|night|d|week|wk|fortnight|month|year|decade)"
_ADVERB = "|".join(_ADVERBS)
_WORD = "|".join(word for word in WORDS if word not in {"zero", "one"})
_COUNT = rf"(?:\d{{1,3}}(?:\.\d+)?|one|{_WORD})"
_START = r"\b(?=[a-z\d])"  # looked for first: the rest is not tried inside of words
_TIMES_A_DAY = re.compile(
    rf"{_START}(?:(?P<adverb>once|twice|thrice)|(?P<count>{_COUNT})(?:[- ]times|\s?[x×]))"
    rf"(?:[- ](?:in )?(?:an?|per|each|every)[- ](?P<time>{_TIME})\b|\s?/\s?(?P<slash>{_TIME})\b"
    rf"|[- ](?P<ly>{_ADVERB})\b)",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(
    r"(?<![\w.])(?P<short>(?i:b\.i\.d\.?|t\.i\.d\.?|q\.i\.d\.?|q\.d\.|o\.d\.|b\.d\.|t\.d\.s\.)|BID|TID|QID|QD|QOD"
    r"|TDS|(?<=[a-zA-Z%] )(?:bid|tid|qid|qd|od|OD|bd|BD|tds))(?!\w)"
)
_SHORT = {"bid": 2, "bd": 2, "tid": 3, "tds": 3, "qid": 4, "qd": 1, "od": 1, "qod": 0.5}
_EVERY = re.compile(
    rf"{_START}(?:(?<!for )every[- ](?:(?P<other>half|other|second|alternate|third)|(?P<count>{_COUNT}))[- ]"
    rf"(?P<time>{_TIME})s?\b|q\s?(?P<q>\d{{1,2}})\s?(?P<qtime>h|hr|d|wk|w)s?\b"
    rf"|(?:every )?(?P<hourly>{_COUNT})(?:th)?(?:[- ](?P<ly>hourly)|-(?P<long>weekly|monthly))\b"
    r"|(?:on )?(?P<alternate>alternate) days\b)",
    re.IGNORECASE,
)
_ADVERB_ALONE = re.compile(
    rf"\b(?P<ly>{_ADVERB})\b|\b(?:every|each|per|a)[- ](?P<time>day|night|week|month)\b", re.IGNORECASE
)
_OTHER = {"half": 0.5, "other": 2.0, "second": 2.0, "alternate": 2.0, "third": 3.0}

_SMALL = "one|two|three|four|five|six|seven|eight|nine|ten"
_BOTTOMS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4,
            "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8,
            "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10}  # fmt: skip
_FRACTION = re.compile(
    rf"{_START}(?:(?:(?P<top>{_SMALL}|an?)[- ])?(?P<bottom>{'|'.join(sorted(_BOTTOMS, reverse=True))})"
    r"|(?P<halved>halv(?:ed?|es|ing)))\b",
    re.IGNORECASE,
)
_NO_HALF_AHEAD = re.compile(r"\b(?:first|second|other|upper|lower|left|right|latter|last|next)[- ]\Z", re.I)
_NUMBER_AND = re.compile(rf"(?:\d|\b(?:one|{_WORD}|minute|hour|day|week|month|year)) and \Z")
_NO_HALF_BEHIND = re.compile(
    r"[- ]?(?:li(?:fe|ves)|time|maximal|maximum|saturation|marathon|siblings?|brothers?|a dozen)\b|-[a-z]", re.I
)
_NO_SHARE_BEHIND = re.compile(
    r"\s(?!of|as|less|more|lower|higher|greater|fewer|and|in|against|versus|vs|compared|were|was|had|than|to|reported"
    r"|died|did|(?!random|control|unrelat)[a-z]+ed\b|the|with|on|at|by|from|after|for|who|reduction|increase|decrease|\()[a-z]|-[a-z]"
)
_PART_OF_TIME = re.compile(
    r"(?:[- ]of)?[- ](?:an? )?(second|minute|hour|day|week|month|year|decade)s?\b", re.IGNORECASE
)
_SHARE = re.compile(
    rf"{_START}(?<![\d.,-])(?P<top>one|{_WORD}|\d{{1,5}})(?:\s(?:in|of|out of)|(?<=[a-z])\s[a-z]+\sin(?=\s[a-z]))"
    rf"\s(?:every\s|each\s|the\s|a\s)?(?P<bottom>{_WORD}|hundred|thousand|\d{{1,6}})\b"
    r"(?![.,]\d|\s?%|-|/)(?!\s(?:minutes?|hours?|days?|weeks?|months?|years?)\b)",
    re.IGNORECASE,
)
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
             "ninth": 9, "tenth": 10, "twelfth": 12}  # fmt: skip
_ORDINAL = re.compile(rf"(?:(?P<figures>\d{{1,3}})(?:st|nd|rd|th)|{'|'.join(_ORDINALS)})\b", re.IGNORECASE)
_ONE_ORDINAL = _ORDINAL.pattern.replace("?P<figures>", "?:")
_ORDINAL_TIMES = re.compile(
    rf"\b(?P<ordinals>{_ONE_ORDINAL}(?:,? (?:(?:and|or|to) )?(?:the )?{_ONE_ORDINAL})*)[ -](?:[a-z-]+ )?"
    r"(?P<unit>minute|hour|day|night|week|month|year)s?\b",
    re.IGNORECASE,
)
_FOLD = re.compile(
    r"\b(?:(?P<two>twice|twofold|doubl(?:ed|es|ing)|double (?=the\b|that\b|as\b|of\b|in\b))"
    r"|(?P<three>thrice|threefold|tripl(?:ed|es|ing)|trebl(?:ed|es|ing)|triple (?=the\b|that\b))"
    r"|(?P<four>fourfold|quadrupl(?:ed|es|ing))|(?P<five>fivefold)|(?P<six>sixfold)|(?P<seven>sevenfold)"
    r"|(?P<eight>eightfold)|(?P<nine>ninefold)|(?P<ten>tenfold))\b(?![- ](?:blind|mask|dummy|time))",
    re.IGNORECASE,
)
_A_TIME = re.compile(
    r"\b(?:over|within|after|for|about|than|around|nearly|almost|in|under|of|least|to|through|past|first|next|last)\s"
    r"(?P<time>an?\s(?P<unit>minute|hour|day|week|fortnight|month|year|decade))\b(?P<half>\sand a half)?",
    re.IGNORECASE,
)


def read_words(text: str) -> Iterator[Quantity]:
    """Read the quantities that are written in words.

    Those found earlier win where two overlap.
    """
    yield from _times_a_day(text)
    yield from _every(text)
    for match in _ABBREVIATION.finditer(text):
        yield _rate(match, _SHORT[match["short"].lower().replace(".", "")] / DAY)
    yield from _fractions(text)
    for match in _FOLD.finditer(text):
        value = WORDS[match.lastgroup or "two"]
        yield Quantity(match.group(), match.start(), match.end(), value, FOLD, approximate=True, in_words=True)
    for match in _A_TIME.finditer(text):
        factor, value = _seconds(match["unit"]), 1.5 if match["half"] else 1.0
        start, end = match.start("time"), match.end()
        yield Quantity(text[start:end], start, end, value * factor, "time", factor, factor, in_words=True)


def read_ordinals(text: str) -> Iterator[Quantity]:
    """Read ordinals of times as implied times.

    "the third day", "the 1st, 2nd and 4th hours".
    """
    for match in _ORDINAL_TIMES.finditer(text):
        factor = NAMES[match["unit"].lower()].factor
        for ordinal in _ORDINAL.finditer(text, match.start(), match.end("ordinals")):
            value = float(ordinal["figures"] or _ORDINALS.get(ordinal.group().lower(), 0))
            start, end = ordinal.span()
            yield Quantity(
                text[start:end], start, end, value * factor, "time", factor, factor, implicit=True, in_words=True
            )


def read_shares(text: str) -> Iterator[Quantity]:
    """Read "one in five" and "18 out of 36" as percentages.

    They keep their two parts.
    """
    for match in _SHARE.finditer(text):
        top, bottom = _number(match["top"]), _number(match["bottom"])
        if top <= bottom and bottom > 1:
            words = match["top"].isalpha() or match["bottom"].isalpha()
            yield Quantity(match.group(), match.start(), match.end(), 100 * top / bottom, PERCENT, 0.0,
                           approximate=words, in_words=words, parts=(top, bottom))  # fmt: skip


def read_adverbs(text: str) -> Iterator[Quantity]:
    """Read "daily" and "a week" as once, unless a count is stated."""
    for match in _ADVERB_ALONE.finditer(text):
        period = _seconds(match["ly"] or match["time"])
        yield _rate(match, 1 / period, implicit=True)


def _times_a_day(text: str) -> Iterator[Quantity]:
    for match in _TIMES_A_DAY.finditer(text):
        adverb = (match["adverb"] or "").lower()
        times = {"once": 1.0, "twice": 2.0, "thrice": 3.0}[adverb] if adverb else _number(match["count"])
        period = _seconds(match["ly"] or match["time"] or match["slash"])
        yield replace(_rate(match, times / period), factor=1 / period)


def _every(text: str) -> Iterator[Quantity]:
    for match in _EVERY.finditer(text):
        if match["q"]:
            period = float(match["q"]) * _seconds(match["qtime"])
        elif match["hourly"]:
            period = _number(match["hourly"]) * _seconds(match["ly"] or match["long"])
        elif match["alternate"]:
            period = 2 * DAY
        else:
            times = _OTHER[match["other"].lower()] if match["other"] else _number(match["count"])
            period = times * _seconds(match["time"])
        if period:
            yield _rate(match, 1 / period)


def _rate(match: re.Match[str], value: float, *, implicit: bool = False) -> Quantity:
    return Quantity(match.group(), match.start(), match.end(), value, RATE, 0.0, implicit=implicit, in_words=True)


def _fractions(text: str) -> Iterator[Quantity]:
    for match in _FRACTION.finditer(text):
        value = 0.5 if match["halved"] else _fraction(text, match)
        if not value:
            continue
        if not match["halved"] and (time := _PART_OF_TIME.match(text, match.end())):
            factor, end = NAMES[time[1].lower()].factor, time.end()
            yield Quantity(
                text[match.start() : end], match.start(), end, value * factor, "time", 0.0, factor, in_words=True
            )
        else:
            yield Quantity(
                match.group(), match.start(), match.end(), 100 * value, PERCENT, 0.0, approximate=True, in_words=True
            )


def _fraction(text: str, match: re.Match[str]) -> float:
    """Return the value of a fraction in words.

    0 for an ordinal ("the third dose") and for "half-life".
    """
    top, bottom = (match["top"] or "").lower(), match["bottom"].lower()
    before = text[max(0, match.start() - 20) : match.start()].lower()
    if _NUMBER_AND.search(before):
        return 0.0  # "one and a half", "a year and a half"
    if bottom in {"half", "halves"}:
        time = _PART_OF_TIME.match(text, match.end())
        refused = _NO_HALF_AHEAD.search(before) or (not time and _NO_HALF_BEHIND.match(text, match.end()))
        return 0.0 if refused else 0.5
    ordinal = top in {"a", "an", "one"} and bottom != "quarter" and _NO_SHARE_BEHIND.match(text, match.end())
    if not top or ordinal:
        return 0.0
    return (1.0 if top in {"a", "an"} else WORDS[top]) / _BOTTOMS[bottom]


def _seconds(time: str) -> float:
    """Return the seconds of "week" and of "weekly"."""
    name = _ADVERBS.get(time.lower(), time.lower())
    return NAMES["week" if name == "w" else name].factor


def _number(written: str) -> float:
    return (WORDS | SCALES)[written.lower()] if written.isalpha() else float(written)
