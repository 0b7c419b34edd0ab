"""Numerals: "1,200", "3·2", "50 × 10⁹", "1.2 million", "twenty-five", "four and a half"."""

import re
from dataclasses import dataclass

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS: dict[str, float] = {word: float(value) for value, word in enumerate(_BELOW_TWENTY)}
WORDS |= {word: 10.0 * value for value, word in enumerate(_TENS, start=2)}
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
HALVES = {"half": 0.5, "½": 0.5, "quarter": 0.25, "¼": 0.25, "three quarters": 0.75, "¾": 0.75}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−–", "0123456789-+--")

_DIGITS = r"\d{1,3}(?:[,\u2009\u202f]\d{3})+(?:\.\d+)?(?!\d)|0,\d+|\d+(?:\.\d+)?|(?<!\d)\.\d+"
_SMALL = "|".join(sorted(_BELOW_TWENTY[1:], key=len, reverse=True))
_BELOW_HUNDRED = rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_BELOW_TWENTY[1:10])})\b)?|(?:{_SMALL}))\b"
_BELOW_THOUSAND = rf"(?:(?:{_BELOW_HUNDRED}|a)[- ]hundred\b(?:[- ](?:and[- ])?{_BELOW_HUNDRED})?|{_BELOW_HUNDRED})"
_IN_WORDS = (
    rf"\b(?:{_BELOW_THOUSAND}(?:[- ](?:thousand|million|billion)\b(?:[- ](?:and[- ])?{_BELOW_THOUSAND})?)?"
    r"|a (?:thousand|million|billion)\b|(?:a |one |half a )?dozen\b|zero\b)"
)
_EXPONENT = (
    r"\s?[×x*]\s?10(?:\s?\^\s?\(?\s?([-−–+]?\s?\d{1,2})\)?|([⁻⁺−]?[⁰¹²³⁴-⁹]+)|\s?([-−–]\d{1,2})(?!\d)"
    r"|\((\d{1,2})\)|(\d{1,2})(?=\s?(?:/|cells|cfu|copies|particles|pfu|viable)))|[eE]([-−+]?\d{1,2})\b"
)
NUMBER = re.compile(
    r"(?=[\d.]|\b[a-z])(?:"  # looked for first: the rest is not tried inside of words
    r"(?P<digits>10(?=\^|[⁻⁺]?[⁰¹²³⁴-⁹])(?:\^\(?(?P<power>[-−]?\d{1,2})\)?|(?P<raised>[⁻⁺]?[⁰¹²³⁴-⁹]+))"
    rf"|(?:{_DIGITS})(?P<exponent>{_EXPONENT})?(?:[- ](?P<scale>hundred|thousand|million|billion)\b)?)"
    rf"|(?P<words>{_IN_WORDS}))",
    re.IGNORECASE,
)
_AND_A_HALF = re.compile(r" and (?:a |one[- ])?(half|quarter|three quarters)\b|\s?([½¼¾])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number of a text without its sign.

    Attributes:
        value: what it is worth.
        step: what its last written figure is worth: 0.1 in "12.3", 1 in "1,200", 1e8 in "1.2 billion".
        end: where it ends in the text.
        in_words: whether it is written in words.
    """

    value: float
    step: float
    end: int
    in_words: bool


def read_numeral(text: str, match: re.Match[str]) -> Numeral:
    """Read the number that `NUMBER` found, with a half that follows it."""
    end = match.end()
    value, step = _in_words(match["words"]) if match["words"] else _in_figures(match)
    if half := _AND_A_HALF.match(text, end):
        part = HALVES[(half[1] or half[2]).lower()]
        value, step, end = value + part, part, half.end()
    return Numeral(value, step, end, bool(match["words"]))


def _in_figures(match: re.Match[str]) -> tuple[float, float]:
    if power := match["power"] or match["raised"]:
        return (10.0 ** _whole(power),) * 2
    scale = SCALES[match["scale"].lower()] if match["scale"] else 1.0
    figures = match["digits"]
    if match["exponent"]:
        figures = figures[: match.start("exponent") - match.start()]
        scale *= 10.0 ** _whole(next(group for group in match.groups()[match.re.groupindex["exponent"] :] if group))
    figures = re.match(r"[\d.,\u2009\u202f]+", figures)[0]  # type: ignore[index]
    plain = figures.replace("0,", "0.", 1) if re.fullmatch(r"0,\d+", figures) else re.sub(r"[,\s]", "", figures)
    decimals = len(plain.partition(".")[2])
    exact = 1.0 if not decimals and not match["exponent"] and scale < 1e6 else scale  # "3 hundred" is not about 300
    return float(f"{float(plain) * scale:.12g}"), exact * 10.0**-decimals


def _whole(written: str) -> int:
    return int(re.sub(r"\s", "", written.translate(_SUPERSCRIPTS)))


def _in_words(words: str) -> tuple[float, float]:
    total, part, step = 0.0, 0.0, 1.0
    for word in re.split(r"[- ]", words.lower()):
        if word == "hundred":
            part = max(part, 1.0) * 100
        elif word in SCALES:
            total, part = total + max(part, 1.0) * SCALES[word], 0.0
            step = SCALES[word] if SCALES[word] >= 1e6 else 1.0
        elif word == "dozen":
            part = 6.0 if words.lower().startswith("half") else 12.0
        else:
            part += WORDS.get(word, 0.0)
    return total + part, step
