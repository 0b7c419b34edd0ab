"""Abbreviations as a text defines them: "heart failure (HF)"."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from llama_index_medqa.text.search_terms import GREEK_NAMES

# The limits of Schwartz and Hearst 2003, "A simple algorithm for identifying abbreviation definitions in biomedical
# text", section 3.
_SHORTEST, _LONGEST = 2, 10
_MOST_WORDS = 2
_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]{2,120})[)\]]")
_WORD = re.compile(r"[\w-]+")
_SENTENCE_BREAK = re.compile(r"[.;:!?]\s|\n")
_END_OF_SHORT_FORM = re.compile(r"[,;]\s")


def find_acronyms(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs (short form, long form) that a text defines.

    One of both stands in brackets after the other.

    The method of Schwartz and Hearst (2003, Pacific Symposium on Biocomputing 8:451): the characters of the short form
    are looked for in the text before the bracket, from right to left; the first of them must begin a word.

    Args:
        text: running text. A definition lies within one sentence.

    Yields:
        The short form and the long form as they are written, in the order of the text.
    """
    for bracket in _IN_BRACKETS.finditer(text):
        sentence = _SENTENCE_BREAK.split(text[: bracket.start()])[-1].rstrip()
        inside = _END_OF_SHORT_FORM.split(bracket.group(1))[0].strip()
        if _is_short_form(inside):
            short, long = inside, long_form(inside, _words_before(inside, sentence))
        else:
            # "HF (heart failure)": the word before the bracket is the short form.
            short = sentence.rpartition(" ")[2].lstrip("([\"'")
            long = long_form(short, inside) if _is_short_form(short) else None
        if long and _is_acceptable(short, long):
            yield short, long


@lru_cache(maxsize=2_000)
def acronyms_of(text: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of :func:`find_acronyms` as a tuple, cached."""
    return tuple(find_acronyms(text))


def with_other_forms(text: str, abbreviations: Iterable[tuple[str, str]]) -> str:
    """Append the other form of each abbreviation in a text.

    Long forms follow for short ones, and short forms for long ones.

    Args:
        text: such as ``SGA was a risk factor``.
        abbreviations: pairs of :func:`find_acronyms`, of the text or of the record that it stands in.
    """
    words, folded = set(_WORD.findall(text)), text.casefold()
    other_forms = [
        *(long for short, long in abbreviations if short in words),
        *(short for short, long in abbreviations if long.casefold() in folded),
    ]
    return " ".join([text, *other_forms])


def long_form(short: str, text: str) -> str | None:
    """Return the long form of an abbreviation from the text before it.

    It is the shortest end of the text that holds the letters and digits of the short form in order.

    Args:
        short: the short form.
        text: what stands before it. The first character of the short form must begin a word of it.

    Returns:
        The long form; None where there is none.
    """
    position = len(text)
    for number, character in reversed(list(enumerate(short.lower()))):
        if not character.isalnum():
            continue
        initial = GREEK_NAMES.get(character, character)[0]  # TNF-α is "tumor necrosis factor alpha"
        position -= 1
        while position >= 0 and (
            text[position].lower() not in (character, initial)
            or (number == 0 and position > 0 and text[position - 1].isalnum())
        ):
            position -= 1
        if position < 0:
            return None
    return text[text.rfind(" ", 0, position + 1) + 1 :]


def _is_short_form(text: str) -> bool:
    return (
        _SHORTEST <= len(text) <= _LONGEST
        and len(text.split()) <= _MOST_WORDS
        and text[0].isalnum()
        and any(character.isalpha() for character in text)
        and any(character.isupper() for character in text)
    )


def _words_before(short: str, sentence: str) -> str:
    """Return the last words that a long form may consist of."""
    characters = sum(character.isalnum() for character in short)
    return " ".join(sentence.split()[-min(characters + 5, characters * 2) :])


def _is_acceptable(short: str, long: str) -> bool:
    """Return whether a long form passes Schwartz and Hearst's checks.

    It must be longer than the short form, and must not hold it as a word.
    """
    words = long.split()
    return (
        len(long) > len(short)
        and short.lower() not in (word.strip(",.'\"").lower() for word in words)
        and len(words) <= min(len(short) + 5, len(short) * 2)
    )
