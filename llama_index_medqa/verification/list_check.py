"""Checks that a text has every item of a claim's lists: "eased pain, nausea and fatigue".

A small model passes an item that is added to a list of others that are there. Only nouns are checked, and only beside
an item that the evidence has: where it has none, the claim says all of it in other words.
"""

import re
from collections.abc import Collection, Iterator

from llama_index_medqa.text.term_weights import terms
from llama_index_medqa.text.words import FUNCTION_WORDS
from llama_index_medqa.verification.claims import is_finite_verb
from llama_index_medqa.verification.entity_check import says_word
from llama_index_medqa.verification.entity_names import tokens

_MOST_WORDS = 4
_COORDINATION = re.compile(r",?\s+(?:and|or|nor)\s+|,?\s+as well as\s+", re.IGNORECASE)
_LAST_COMMA = re.compile(r",\s*\Z")
_WORD = re.compile(r"\S+")
_MARK = re.compile(r"[,;:.()?!]+\Z")
# These stand between two things that are not told one by one: "between zinc and placebo", "zinc and iron together".
_NOT_ONE_BY_ONE = re.compile(r"\b(?:between|together|combin\w+|versus|respectively|randomi[sz]\w+)\b", re.IGNORECASE)
# A list of verbs or clauses: "lowered pain and eased the cough", "may slow or impair healing".
_DETERMINER = re.compile(
    r"\s+(?:an?|the|this|that|these|those|its|their|his|her|our|your|any|each|it|them|up)\b", re.IGNORECASE
)
_MODAL = re.compile(r"\b(?:can|could|may|might|must|shall|should|will|would|cannot)\s+\Z", re.IGNORECASE)
# Adjectives, comparatives, participles and adverbs by their endings, and other words that name nothing.
_ENDINGS = r"\w*(?:ed|ly|able|ible|est|ing|ous|ive|ful|less|ier|wise|ical|icial|ular)"
_OTHERS = (
    "above abroad again alike alive alone around ate attempt become below beyond bigger clear closer cost day "
    "days deeper detect determine distant down earlier early eight eighty elsewhere every everyone everywhere "
    "faster feel fewer fifty find first five follow form forty four free full fuller gain gains get give greater "
    "half help high hold hour hours hundred hungry hurt improve include inside just keep lack larger late later "
    "lengthen lessen likewise little live longer low lower make minute minutes month months need neither new nine "
    "ninety none nothing old one outside people poor precise prevent quicker rarer rather real remove rest safe "
    "second seven seventy short shorter simple six sixty slow slower smaller start still stronger take ten tend "
    "tends thinner third thirty three thus today tomorrow treat try twelve twenty two uncommon up visit weaker "
    "week weeks well worse year years"
).split()
_NO_NOUN = re.compile(rf"{_ENDINGS}|{'|'.join(_OTHERS)}", re.IGNORECASE)


def list_conflicts(claim: str, passage: str, *, abbreviations: Collection[tuple[str, str]] = ()) -> list[str]:
    """Return the items of a claim's lists that a passage lacks.

    Other items of the same list must be there.

    Args:
        claim: the sentence to check.
        passage: title and text of the evidence, with what stands around it.
        abbreviations: pairs (short form, long form) that the record defines anywhere.

    Returns:
        One detail for people for each item, such as ``the evidence does not speak of 'fatigue'``.
    """
    return [
        f"the evidence does not speak of {item!r}"
        for items in lists_of(claim)
        for item in _added(items, claim, passage, abbreviations)
    ]


def lists_of(claim: str) -> Iterator[list[str]]:
    """Yield the items of each list of short items.

    "pain", "nausea" and "severe fatigue".
    """
    if _NOT_ONE_BY_ONE.search(claim):
        return
    claim = " ".join(claim.split())
    for joint in _COORDINATION.finditer(claim):
        before, after = claim[: joint.start()], claim[joint.end() :]
        first, rest = _items_before(before)
        last = _opening(after)
        if first and last and not _MODAL.search(rest) and not _DETERMINER.match(after, len(last)):
            yield [*first, last]


def _added(items: list[str], claim: str, passage: str, abbreviations: Collection[tuple[str, str]]) -> list[str]:
    said = [_is_said(item, claim, passage, abbreviations) for item in items]
    return [item for item, is_there in zip(items, said, strict=True) if not is_there and any(said) and _is_noun(item)]


def _is_said(item: str, claim: str, passage: str, abbreviations: Collection[tuple[str, str]]) -> bool:
    """Return whether a passage has any word of an item.

    In any form or under another name.
    """
    return bool(terms(item) & terms(passage)) or any(
        says_word(word, claim, passage, abbreviations=abbreviations) for word in _words(item)
    )


def _is_noun(item: str) -> bool:
    words = _words(item)
    return bool(words) and not any(_NO_NOUN.fullmatch(word) for word in words)


def _words(item: str) -> list[str]:
    return [part for _, parts in tokens(item) for part in parts if part.lower() not in FUNCTION_WORDS]


def _items_before(text: str) -> tuple[list[str], str]:
    """Return the items at the end of a text, in order, and the text before.

    Commas separate them.
    """
    items: list[str] = []
    while item := _closing(text):
        items.insert(0, item)
        text = text[: -len(item)]
        comma = _LAST_COMMA.search(text)
        if not comma:
            break
        text = text[: comma.start()]
    return items, text


def _closing(text: str) -> str:
    """Return the item at the end of a text; empty for too many words."""
    chosen: list[str] = []
    for word in reversed(_WORD.findall(text)):
        if _MARK.search(word) or _ends_item(word):
            break
        chosen.insert(0, word)
    return " ".join(chosen) if 0 < len(chosen) <= _MOST_WORDS else ""


def _opening(text: str) -> str:
    """Return the item at the start of a text; empty for too many words."""
    chosen: list[str] = []
    for word in _WORD.findall(text):
        bare = _MARK.sub("", word)
        if not bare or _ends_item(bare):
            break
        chosen.append(bare)
        if bare != word:
            break
    return " ".join(chosen) if 0 < len(chosen) <= _MOST_WORDS else ""


def _ends_item(word: str) -> bool:
    """Return whether a word cannot stand in an item.

    Function words, verbs, and numbers, which have a check of their own.
    """
    return (
        word.lower() in FUNCTION_WORDS
        or word.startswith("(")
        or any(character.isdigit() for character in word)
        or is_finite_verb(word)
    )
