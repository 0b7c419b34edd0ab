"""Comparison of the numbers of an English text and its translation."""

import re
import unicodedata
from collections.abc import Iterator

from llama_index_medqa.text.quantities.numerals import NUMBER, read_numeral

COMMA_DECIMAL = frozenset({"French", "German", "Portuguese", "Spanish"})
"""Languages that write 3,5 and 1.234 for what English writes as 3.5 and 1,234."""

_ENGLISH = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:[.·]\d+)?")
_DOT_DECIMAL = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:[.,]\d+)?")
_GROUPED_BY_DOT = re.compile(r"[1-9]\d{0,2}(?:[. \u00a0\u2009\u202f’']\d{3})+(?:,\d+)?(?!\d)|\d+(?:[.,·]\d+)?")
_ENGLISH_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_SCALE_BEHIND = re.compile(r"[ -]?(hundred|thousand|million|billion)\b", re.IGNORECASE)
_IDEOGRAPHIC_SCALES = {"百万": 1e6, "千万": 1e7, "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "亿": 1e8, "億": 1e8}
_IDEOGRAPHIC_BEHIND = re.compile("|".join(_IDEOGRAPHIC_SCALES))
# English words for which a translation may have a figure.
_WORD_VALUES = {
    **dict.fromkeys(("one", "single", "once", "first", "i"), 1.0),
    **dict.fromkeys(("twice", "twofold", "double", "doubled", "both", "second", "half", "ii"), 2.0),
    **dict.fromkeys(("third", "thrice", "threefold", "triple", "tripled", "iii"), 3.0),
    **dict.fromkeys(("fourth", "fourfold", "quarter", "iv"), 4.0),
}
_WORDS = re.compile(r"[a-z]+", re.IGNORECASE)


def missing_numbers(english: str, translation: str, language: str) -> list[str]:
    """Return the numbers that a translation lacks.

    Only numbers that the English text writes in figures count, each as often as it is missing.

    Numbers that the English text writes in words are not looked for.

    Args:
        english: the text.
        translation: the same in another language.
        language: of the translation; decides what "1.234" is.
    """
    left = [values for _, values in _figures_of_translation(_normal(translation), language)]
    missing = []
    for written, values in _figures_of_english(_normal(english)):
        same = next((other for other in left if other & values), None)
        if same is None:
            missing.append(written)
        else:
            left.remove(same)
    return missing


def added_numbers(english: str, translation: str, language: str) -> list[str]:
    """Return the numbers that a translation adds.

    It writes them in figures, and the English text has them neither in figures nor in words.

    Args:
        english: the text.
        translation: the same in another language.
        language: of the translation; decides what "1.234" is.
    """
    text = _normal(english)
    known = _in_words(text).union(*(values for _, values in _figures_of_english(text)))
    return [
        written for written, values in _figures_of_translation(_normal(translation), language) if not values & known
    ]


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _figures_of_english(text: str) -> Iterator[tuple[str, set[float]]]:
    for match in _ENGLISH.finditer(text):
        value = float(match[0].replace(",", "").replace("·", "."))
        scale = _SCALE_BEHIND.match(text, match.end())
        yield match[0], {value, _rounded(value * _ENGLISH_SCALES[scale[1].lower()])} if scale else {value}


def _figures_of_translation(text: str, language: str) -> Iterator[tuple[str, set[float]]]:
    is_comma_decimal = language in COMMA_DECIMAL
    for match in (_GROUPED_BY_DOT if is_comma_decimal else _DOT_DECIMAL).finditer(text):
        value = _comma_decimal(match[0]) if is_comma_decimal else _dot_decimal(match[0])
        scale = _IDEOGRAPHIC_BEHIND.match(text, match.end())
        yield match[0], {value, _rounded(value * _IDEOGRAPHIC_SCALES[scale[0]])} if scale else {value}


def _comma_decimal(written: str) -> float:
    if re.fullmatch(r"[1-9]\d{0,2}(?:\D\d{3})+(?:,\d+)?", written) and not re.fullmatch(r"\d+,\d+", written):
        whole, _, decimals = written.partition(",")
        return float(re.sub(r"\D", "", whole) + (f".{decimals}" if decimals else ""))
    return float(re.sub("[,·]", ".", written))


def _dot_decimal(written: str) -> float:
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", written):
        return float(written.replace(",", ""))
    return float(written.replace(",", "."))


def _in_words(english: str) -> set[float]:
    values = {_WORD_VALUES[word] for word in _WORDS.findall(english.lower()) if word in _WORD_VALUES}
    return values | {read_numeral(english, match).value for match in NUMBER.finditer(english) if match["words"]}


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")
